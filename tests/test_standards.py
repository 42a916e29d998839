"""脚本元数据、帮助、评测里的计算。"""

import re

import benchmark
import pytest
from conftest import ASYNC, ROOT, SYNC

import workflow_async

BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")  # PEP 723 的参考实现


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_inline_metadata_agrees_with_requirements(name):
    (block,) = BLOCK.finditer((ROOT / name).read_text(encoding="utf-8"))
    assert block["type"] == "script"
    (requirement,) = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert block["content"] == f'# requires-python = ">=3.8"\n# dependencies = ["{requirement}"]\n'


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_help(script, name):
    done = script(name).run("--help")
    assert (done.status, done.stderr) == (0, "")
    settings = [
        "YOUR_ACCESS_TOKEN",
        "WORKFLOW_ID",
        "INPUTS",
        "BOT_ID",
        "APP_ID",
        "EXT",
        "WORKFLOW_VERSION",
        "CONNECTOR_ID",
        "API_BASE",
    ]
    settings += ["TIMEOUT"] if name == SYNC else []
    settings += ["INITIAL_POLL_INTERVAL", "MAX_POLL_INTERVAL", "MAX_POLL_ATTEMPTS"] if name == ASYNC else []
    settings += ["RUN_HISTORY_PATH"] if name == ASYNC else []
    settings += ["COZE_API_TOKEN", "COZE_WORKFLOW_ID", "COZE_API_BASE"]
    assert [setting for setting in settings if setting not in done.stdout] == []
    statuses = re.findall(r"^  (\d+) ", done.stdout, re.MULTILINE)
    assert statuses == ["0", "1", "2", "130"] if name == SYNC else ["0", "1", "2", "3", "130"]


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_unknown_argument(script, name):
    done = script(name).run("--nonsense")
    assert (done.status, done.stdout) == (2, "")


def test_intervals():
    intervals, interval = [], workflow_async.INITIAL_POLL_INTERVAL
    for changed in [False] * 8 + [True]:
        interval = workflow_async.next_interval(interval, changed)
        intervals.append(interval)
    assert intervals == [3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30, 2]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "2"), (2.0, "2"), (4.5, "4.5"), (10.125, "10.1"), (0.05, "0.05"), (999.6, "1000"), (12345, "12345")],
)
def test_seconds_text(seconds, text):
    assert workflow_async.seconds_text(seconds) == text


def test_polling_figures():
    def figures(seconds):
        return benchmark.polling(seconds, workflow_async.next_interval, 2)

    assert figures(1) == (1, 1)
    assert figures(4) == (2, 0)
    assert figures(5) == (3, 2)  # 2 + 2 + 3
    waits = [2, 2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30]
    assert figures(100) == (len(waits), sum(waits) - 100)
    queries, delay = benchmark.polling_means(60, lambda interval, changed: 1, 1)
    assert (queries, delay) == (pytest.approx(60.5, abs=0.1), pytest.approx(0.5, abs=0.1))
