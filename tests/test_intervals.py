"""状态不变时，查询得越来越慢；状态一变，又从头快起来。"""

import re
import time

import pytest
from conftest import ASYNC, STARTED, TIMES, expect, history, html

import workflow_async as w

RUNNING = history("Running")
QUEUEING = history("Queueing")
EMPTY = {"code": 0, "data": []}
PENDING = {
    "run_id": "7",
    "workflow_id": "7",
    "status": "pending",
    "inputs": {},
    **TIMES,
}


def shown_waits(stdout):
    """屏幕上的每次查询和它之前等待的秒数。"""
    return re.findall(r"第 (\d) 次查询\.\.\. \(等待 (\S+) 秒\)", stdout)


def test_interval_starts_again_when_the_state_changes(run):
    end = history("Success", output="x", update_time=1730174063)
    settings = {"INITIAL_POLL_INTERVAL": 0.04, "MAX_POLL_INTERVAL": 0.05}
    done = run(ASYNC, STARTED, EMPTY, RUNNING, RUNNING, QUEUEING, end, **settings)
    expect(done, 0)
    assert shown_waits(done.stdout) == [
        ("1", "0.04"),
        ("2", "0.05"),  # 最多这么长
        ("3", "0.04"),  # 查到 Running
        ("4", "0.05"),
        ("5", "0.04"),  # 查到 Queueing
    ]
    assert "当前状态: Queueing\n\n第 5 次" in done.stdout
    assert "更新时间" not in done.stdout  # 运行已经结束，不再显示


@pytest.fixture
def failing(coze, monkeypatch):
    """总是查询不到的服务器，最多查询三次。"""
    server = coze(*[html(502)] * 5)
    settings = {
        "BASE": server.url,
        "INITIAL_POLL_INTERVAL": 0.02,
        "MAX_POLL_INTERVAL": 1,
        "MAX_POLL_ATTEMPTS": 3,
    }
    for name, value in settings.items():
        monkeypatch.setattr(w, name, value)
    return server


def test_interval_grows_until_the_queries_run_out(failing, capsys):
    """说等多久，就真的等多久。"""
    started = time.monotonic()
    with pytest.raises(w.Stop, match="MAX_POLL_ATTEMPTS") as stop:
        list(w.poll(PENDING))
    waited = time.monotonic() - started
    assert stop.value.args[1] == w.EXIT_UNFINISHED
    assert waited >= 0.02 + 0.03 + 0.045
    assert len(failing.requests) == 3
    assert shown_waits(capsys.readouterr().out) == [
        ("1", "0.02"),
        ("2", "0.03"),
        ("3", "0.045"),
    ]
