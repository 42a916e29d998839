"""Ctrl-C：没有 traceback，退出状态 130，说明运行可能还在继续、怎样找回它。终端上的计数。脚本结束以后的进程。"""

import re
import signal
import socket
import subprocess
import threading
import time

import pytest
from conftest import ASYNC, BOTH, MB, PYTHON, STARTED, SYNC, TIMES, success, wait_for
from fake_coze import FakeCoze, Reply

import workflow_async as w

RESULT = {"run_id": "r1", "status": "completed", "output": "好", **TIMES}


def interrupt(one, process, times=1):
    """按 Ctrl-C；一秒之内必须结束。"""
    time.sleep(0.1)
    pressed = time.monotonic()
    for _ in range(times):  # uv run 之类会再转发一次
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    done = one.finish(process)
    assert time.monotonic() - pressed < 1.5
    assert (done.status, done.leftovers) == (130, [])
    assert "已按 Ctrl-C 停止" in done.stderr
    return done


@pytest.mark.posix
@BOTH
@pytest.mark.parametrize("fault", ["hang", "stall"])
def test_while_the_run_request_is_out(coze, script, name, fault):
    server = coze(Reply({"code": 0, "data": "x"}, fault=fault))
    one = script(name, server)
    process = one.start()
    wait_for(lambda: server.requests)
    done = interrupt(one, process, times=2)
    assert "可能正在运行并计费" in done.stderr
    assert "查看运行记录" in done.stderr
    assert done.names == []


@pytest.mark.posix
@BOTH
def test_before_anything_was_sent(script, name):
    """连接还没有建立：没有发出，而且以后也不会发出。"""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        one = script(name, FakeCoze(), API_BASE=f"http://127.0.0.1:{listener.getsockname()[1]}")
        process = one.start()
        assert process.stdout.readline()
        done = interrupt(one, process)
    assert "请求没有发出" in done.stderr
    assert "可能正在运行" not in done.stderr


@pytest.mark.posix
@BOTH
def test_while_long_inputs_are_being_shown(coze, script, name):
    """还没有发出，打印卡住了：Ctrl-C 立即生效。"""
    server = coze()
    one = script(name, server, INPUTS={"a": "x" * MB})
    process = one.start()
    assert process.stdout.readline()
    assert "请求没有发出" in interrupt(one, process).stderr
    assert server.requests == []


@pytest.mark.posix
@pytest.mark.parametrize("replies", [[], [Reply({}, fault="hang")]])
def test_while_polling(coze, script, replies):
    """等待下一次查询时，和查询没有回音时。"""
    server = coze(STARTED, *replies)
    one = script(ASYNC, server, INITIAL_POLL_INTERVAL=0.01 if replies else 60)
    process = one.start()
    wait_for(lambda: len(server.requests) == 1 + len(replies))
    done = interrupt(one, process, times=3)
    assert done.record["status"] == "pending"
    assert done.command[1:] == [ASYNC, done.names[0]]
    assert "在 Coze 上继续" in done.stderr


@pytest.mark.posix
@BOTH
def test_while_the_result_is_being_shown(coze, script, name):
    """结果已经保存，打印卡住了：Ctrl-C 结束打印，并说出文件。"""
    one = script(name, coze(*success(name, "x" * MB)))
    process = one.start()
    wait_for(lambda: any(b'"completed"' in path.read_bytes() for path in one.folder.glob("*.json")))
    done = interrupt(one, process)
    assert done.record["status"] == "completed"
    assert done.names[0] in done.stderr
    assert "已经结束" in done.stderr


@pytest.mark.posix
@BOTH
def test_while_an_unsaved_result_is_being_printed(coze, script, tmp_path, name):
    """结果写不成文件，正在打印：屏幕上一定有一份完整的。"""
    (tmp_path / "r1_20251028T155840.json").mkdir()
    started = [{"run_id": "r1", **TIMES}] if name == ASYNC else []
    server = coze(*started, {**RESULT, "output": "x" * MB})
    one = script(name, server)
    one.environment["PYTHONUNBUFFERED"] = "1"  # 没有缓冲时，被信号打断的写会丢掉余下的部分
    process = one.start()
    wait_for(lambda: len(server.requests) == 1 + len(started))
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    done = one.finish(process)
    assert done.status == (130 if name == ASYNC else 1)
    assert f'"outputs": "{"x" * MB}"' in done.stdout
    assert "打印在上面" in done.stderr
    assert "可能正在运行" not in done.stderr


@pytest.mark.posix
@BOTH
def test_at_any_moment_of_the_run(coze, script, tmp_path, name):
    """从屏幕上的第一行起，随机的时刻：没有 traceback，启动了的运行总有一个文件。"""
    statuses = []
    for delay in range(7):
        server = coze(seconds=2)
        one = script(
            name, server, **({"INITIAL_POLL_INTERVAL": 0.1, "MAX_POLL_INTERVAL": 0.1} if name == ASYNC else {})
        )
        process = one.start()
        assert process.stdout.readline()
        time.sleep(delay * 0.025)
        process.send_signal(signal.SIGINT)
        done = one.finish(process)
        statuses.append(done.status)
        assert done.leftovers == []
        assert len(done.names) == (0 if "请求" in done.stderr else 1)
        for path in tmp_path.glob("*.json"):
            path.unlink()
    assert set(statuses) <= {0, 130}  # 回复到了、还没有写好的那几毫秒里，按了不算
    assert statuses.count(130) >= 5


def test_reply_that_is_there_already_is_kept(coze, monkeypatch):
    """按下 Ctrl-C 的时候，运行请求的回复正好到了。"""

    def pressed_too_late(seconds, done, counter):
        assert done.wait(10)
        raise KeyboardInterrupt

    server = coze(STARTED, STARTED)
    monkeypatch.setattr(w, "API_BASE", server.url)
    monkeypatch.setattr(w, "wait", pressed_too_late)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert w.call("/v1/workflow/run", 5, w.RequestBody(b"{}")).reply == STARTED
    except KeyboardInterrupt:
        pytest.fail("the reply was lost")
    assert signal.signal(signal.SIGINT, before) == signal.SIG_IGN  # 写好之前不再被打断
    with pytest.raises(KeyboardInterrupt):
        w.call("/v1/query", 5)


# ------------------------------- 终端上的计数 -------------------------------


class Terminal:
    """80 列的终端：raw 是收到的所有字节，screen() 是最后屏幕上的行。"""

    def __init__(self):
        import os
        import pty

        self.os = os
        self.master, self.slave = pty.openpty()
        self.raw = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        try:
            while data := self.os.read(self.master, 65536):
                self.raw += data
        except OSError:
            pass

    def screen(self, encoding="utf-8"):
        import pyte

        time.sleep(0.3)  # 关得太快，内核里还没有送到的会丢
        self.os.close(self.slave)
        self.reader.join(5)
        screen = pyte.Screen(80, 200)
        pyte.Stream(screen).feed(self.raw.decode(encoding))
        return "\n".join(line.rstrip() for line in screen.display).rstrip("\n") + "\n"


@pytest.mark.posix
@pytest.mark.parametrize(
    ("name", "settings", "reply", "pattern", "counted"),
    [
        (SYNC, {"TIMEOUT": 300}, Reply(RESULT, delay=2.3), r"已等待 (\d+) / 300 秒", ["0", "1", "2"]),
        (ASYNC, {"INITIAL_POLL_INTERVAL": 2.2}, RESULT, r"(\d+) 秒后查询", ["3", "2", "1"]),
    ],
)
def test_waiting_is_counted_in_place(coze, script, name, settings, reply, pattern, counted):
    started = [STARTED] if name == ASYNC else []
    server = coze(*started, reply, *started, RESULT)
    one = script(name, server, **settings)
    one.environment["PYTHONUNBUFFERED"] = "1" if name == SYNC else ""
    terminal = Terminal()
    done = one.run(stdout=terminal.slave)
    screen = terminal.screen()
    assert (done.status, done.stderr) == (0, "")
    assert re.findall(pattern, terminal.raw.decode("utf-8")) == counted
    assert screen == one.run().stdout  # 等完就擦掉；管道里一个字节也没有


@pytest.mark.posix
@pytest.mark.parametrize("end", ["reset", "timeout", "ctrl-c"])
def test_counter_never_outlives_the_request(coze, script, end):
    reply = Reply(RESULT, fault="reset", delay=0.5) if end == "reset" else Reply(RESULT, fault="hang")
    one = script(SYNC, coze(reply), TIMEOUT=0.7 if end == "timeout" else 300)
    one.environment["PYTHONIOENCODING"] = "gbk"
    terminal = Terminal()
    process = one.start(stdout=terminal.slave, stderr=subprocess.STDOUT)
    if end == "ctrl-c":
        wait_for(lambda: "已等待".encode("gbk") in terminal.raw)
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == (130 if end == "ctrl-c" else 1)
    screen = terminal.screen("gbk")
    assert "已等待" in terminal.raw.decode("gbk")
    assert "已等待" not in screen


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_pipe_gets_no_byte_of_it(coze, script, name):
    done = script(name, coze(*success(name, "x")[:-1], Reply(success(name, "x")[-1], delay=1.2))).run()
    assert done.status == 0
    assert not re.search("\r|已等待|秒后查询", done.stdout)


# --------------------------- 编辑器、Jupyter、python -i ---------------------------

INSIDE = """
import io, runpy, signal, sys

class Shell(io.StringIO):
    def isatty(self):
        return True

def handler(signum, frame):
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, handler)
window, sys.stdout = sys.stdout, Shell()
for name in sys.argv[1:]:
    sys.argv[1:] = []
    try:
        runpy.run_path(name, run_name="__main__")
    except SystemExit as end:
        print("still here:", end.code, signal.getsignal(signal.SIGINT) is handler)
window.write(sys.stdout.getvalue())
window.flush()
"""


@pytest.mark.posix
def test_window_that_is_not_the_terminal_gets_no_counter(coze, script):
    """IDLE 的窗口自称终端，而进程另有自己的终端。"""
    one = script(SYNC, coze(seconds=0.5))
    terminal = Terminal()
    command = [PYTHON, "-c", INSIDE, SYNC]
    done = subprocess.run(command, cwd=one.folder, env=one.environment, stdout=terminal.slave, check=False)
    assert (done.returncode, "已等待" in terminal.screen(), "已等待" in terminal.raw.decode()) == (0, False, False)
    assert b"still here: 0 True" in terminal.raw


def test_request_that_was_given_up_is_never_sent(script, tmp_path):
    """进程还在（IDLE、Jupyter），放弃了的请求后来连上了：正文也不会再发出去。"""
    with FakeCoze() as server:
        pass
    one = script(SYNC, server, TIMEOUT=0.3)
    code = INSIDE.replace("window.write(", "import time; time.sleep(4); window.write(")
    process = subprocess.Popen([PYTHON, "-c", code, SYNC], cwd=tmp_path, env=one.environment, stdout=-1, stderr=-1)
    one.processes.append(process)
    told = b"".join(process.stderr.readline() for _ in range(3))  # 空行，放弃的原因，运行过没有
    with FakeCoze(port=server.server_address[1]) as server:
        done = one.finish(process)
        assert "请求没有发出" in told.decode("utf-8")
        assert "still here: 1 True" in done.stdout
        assert [body for *_, body in server.requests] in ([], [b""])


def test_inside_a_shell_that_goes_on(coze, script):
    """进程不结束，Ctrl-C 的处理恢复原样；别人的窗口里不原地刷新。"""
    server = coze(seconds=0.3)
    one = script(SYNC, server)
    script(ASYNC, server)
    command = [PYTHON, "-c", INSIDE, SYNC, ASYNC, SYNC]
    done = subprocess.run(command, cwd=one.folder, env=one.environment, capture_output=True, check=False)
    text = done.stdout.decode("utf-8")
    assert (done.returncode, done.stderr) == (0, b"")
    assert text.count("still here: 0 True") == 3
    assert not re.search("\r(?!\n)|已等待|秒后查询", text)
    assert len(list(one.folder.glob("*.json"))) == 3
