"""终端上等待时的计数：原地刷新，等完擦掉；管道里一个字节也没有。"""

import os
import re
import signal
import threading
import time

import pytest
from conftest import ASYNC, SYNC
from fake_coze import Reply

if os.name == "nt":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

import pty

import pyte

STARTED = {"code": 0, "execute_id": "7"}
TIMES = {"created_at": "2025-10-28T15:58:40Z", "updated_at": "2025-10-28T15:58:40Z"}
RESULT = {"run_id": "r1", "status": "completed", "output": "好", **TIMES}


class Terminal:
    """80 列的终端：raw 是收到的所有字节，screen() 是最后屏幕上的行。"""

    def __init__(self):
        self.master, self.slave = pty.openpty()
        self.raw = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data

    def screen(self):
        os.close(self.slave)
        self.reader.join(5)
        screen = pyte.Screen(80, 200)
        pyte.ByteStream(screen).feed(self.raw)
        return "\n".join(line.rstrip() for line in screen.display).rstrip("\n") + "\n"


def finish(one, terminal, *args):
    process = one.start(*args, stdout=terminal.slave)
    err = process.stderr.read().decode("utf-8")
    assert process.wait(20) is not None
    return process.returncode, err, terminal.screen()


def pipe_output(one, *args):
    return one.run(*args).stdout


def test_sync_counts_the_seconds(coze, script):
    server = coze(Reply(RESULT, delay=2.3), RESULT)
    one = script(SYNC, server, TIMEOUT=300)
    terminal = Terminal()
    status, err, screen = finish(one, terminal)
    text = terminal.raw.decode("utf-8")
    assert (status, err) == (0, "")
    assert re.findall(r"已等待 (\d+) / 300 秒", text) == ["0", "1", "2"]
    assert screen == pipe_output(one)
    assert "已等待" not in screen


def test_async_counts_down(coze, script):
    server = coze(STARTED, RESULT, STARTED, RESULT)
    one = script(ASYNC, server, INITIAL_POLL_INTERVAL=2.2)
    terminal = Terminal()
    status, err, screen = finish(one, terminal)
    assert (status, err) == (0, "")
    assert re.findall(r"(\d+) 秒后查询", terminal.raw.decode("utf-8")) == ["3", "2", "1"]
    assert "秒后查询" not in screen
    assert screen == pipe_output(one)


@pytest.mark.parametrize("end", ["reset", "timeout", "ctrl-c"])
def test_counter_never_outlives_the_request(coze, script, end):
    reply = Reply(RESULT, fault="reset", delay=0.5) if end == "reset" else Reply(RESULT, fault="hang")
    one = script(SYNC, coze(reply), TIMEOUT=0.7 if end == "timeout" else 300)
    terminal = Terminal()
    process = one.start(stdout=terminal.slave, stderr=terminal.slave)
    if end == "ctrl-c":
        while b"\xe5\xb7\xb2\xe7\xad\x89\xe5\xbe\x85" not in terminal.raw:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
    assert process.wait(20) == (130 if end == "ctrl-c" else 1)
    screen = terminal.screen()
    assert "已等待" in terminal.raw.decode("utf-8")
    assert "已等待" not in screen
    assert "可能正在运行" in screen


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_pipe_gets_no_byte_of_it(coze, script, name):
    replies = [STARTED] if name == ASYNC else []
    done = script(name, coze(*replies, Reply(RESULT, delay=1.2))).run()
    assert done.status == 0
    assert "\r" not in done.stdout
    assert "已等待" not in done.stdout
    assert "秒后查询" not in done.stdout


def test_terminal_in_gbk(coze, script):
    one = script(SYNC, coze(Reply(RESULT, delay=0.3)))
    one.environment["PYTHONIOENCODING"] = "gbk"
    terminal = Terminal()
    status, err, _ = finish(one, terminal)
    assert (status, err) == (0, "")
    assert "已等待 0 /".encode("gbk") in terminal.raw
