"""Ctrl-C：没有 traceback，退出状态 130，说明运行可能还在继续、怎样找回它。"""

import os
import signal
import socket
import time

import pytest
from conftest import ASYNC, SYNC
from fake_coze import FakeCoze, Reply

pytestmark = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
STARTED = {"code": 0, "execute_id": "7"}
BOTH = pytest.mark.parametrize("name", [SYNC, ASYNC])


def interrupt(one, server, requests):
    """等到服务器收到 requests 个请求，按 Ctrl-C；一秒之内必须结束。"""
    process = one.start()
    end = time.monotonic() + 10
    while len(server.requests) < requests:
        assert time.monotonic() < end
        time.sleep(0.01)
    time.sleep(0.1)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    done = one.finish(process)
    assert time.monotonic() - pressed < 1
    assert done.status == 130
    assert done.leftovers == []
    return done


@BOTH
@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_while_the_run_request_is_out(coze, script, name, fault):
    server = coze(Reply({"code": 0, "data": "x"}, fault=fault))
    done = interrupt(script(name, server), server, 1)
    assert "可能正在运行并计费" in done.stderr
    assert "查看运行记录" in done.stderr
    assert done.names == []


@BOTH
def test_before_anything_was_sent(script, name):
    """连接还没有建立：没有发出，而且以后也不会发出。"""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        one = script(name, FakeCoze(), API_BASE=f"http://127.0.0.1:{port}")
        process = one.start()
        assert process.stdout.readline()
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        done = one.finish(process)
    assert done.status == 130
    assert "请求没有发出" in done.stderr
    assert "可能正在运行" not in done.stderr


@pytest.mark.parametrize("replies", [[], [Reply({}, fault="hang")]])
def test_while_polling(coze, script, replies):
    """等待下一次查询时，和查询没有回音时。"""
    server = coze(STARTED, *replies)
    done = interrupt(script(ASYNC, server, INITIAL_POLL_INTERVAL=60 if not replies else 0.01), server, 1 + len(replies))
    assert done.record["status"] == "pending"
    assert f"python workflow_async.py {done.names[0]}" in done.stderr
    assert "继续" in done.stderr


@BOTH
def test_while_the_result_is_being_shown(coze, script, name):
    """结果已经保存，打印卡住了：Ctrl-C 结束打印，并说出文件。"""
    replies = [STARTED] if name == ASYNC else []
    server = coze(*replies, {"run_id": "7", "status": "completed", "output": "x" * 2**20})
    one = script(name, server)
    process = one.start()
    end = time.monotonic() + 10
    while not any(b"completed" in path.read_bytes() for path in one.folder.glob("*.json")):
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    done = one.finish(process)
    assert done.status == 130
    assert done.record["status"] == "completed"
    assert done.names[0] in done.stderr


@BOTH
def test_while_an_unsaved_result_is_being_printed(coze, script, tmp_path, name):
    """结果写不成文件，正在打印：打印完才结束，不会丢。"""
    times = {"created_at": "2025-10-28T15:58:40Z", "updated_at": "2025-10-28T15:58:40Z"}
    (tmp_path / "r_20251028T155840.json").mkdir()
    started = [{"run_id": "r", **times}] if name == ASYNC else []
    server = coze(*started, {"run_id": "r", "status": "completed", "output": "x" * 2**20, **times})
    one = script(name, server)
    one.environment["PYTHONUNBUFFERED"] = "1"  # 没有缓冲时，被信号打断的写会丢掉余下的部分
    process = one.start()
    end = time.monotonic() + 10
    while len(server.requests) < 1 + len(started):
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    out, err = (text.decode("utf-8") for text in process.communicate(timeout=20))
    assert process.returncode == 130
    assert f'"outputs": "{"x" * 2**20}"' in out
    assert "打印在上面" in err
    assert "可能正在运行" not in err


@BOTH
def test_while_long_inputs_are_being_shown(coze, script, name):
    """还没有发出，打印卡住了：Ctrl-C 立即生效。"""
    server = coze()
    one = script(name, server, INPUTS={"a": "x" * 2**20})
    process = one.start()
    assert process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    done = one.finish(process)
    assert (done.status, server.requests) == (130, [])
    assert "请求没有发出" in done.stderr


@BOTH
def test_at_any_moment(coze, script, tmp_path, name):
    """从屏幕上的第一行起，随机的时刻：没有 traceback，要么 130，要么按运行的结果结束。"""
    seen = set()
    for delay in range(10):
        server = coze(seconds=0.05)
        one = script(name, server)
        with open(tmp_path / "out.txt", "wb") as out:
            process = one.start(stdout=out)
        end = time.monotonic() + 10
        while not (tmp_path / "out.txt").read_bytes():
            assert time.monotonic() < end
            time.sleep(0.001)
        time.sleep(delay * 0.01)
        process.send_signal(signal.SIGINT)
        done = one.finish(process)
        assert done.status in (0, 130)
        assert done.leftovers == []
        if name == ASYNC and len(server.runs) and "可能正在运行" not in done.stderr:
            assert len(done.names) == 1
        seen.add(done.status)
        for path in tmp_path.glob("*.json"):
            path.unlink()
    assert 130 in seen
