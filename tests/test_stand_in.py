"""没有账号，也能对着本地替身的命令行把脚本运行一遍。"""

import os
import signal
import sys

import pytest
from conftest import ASYNC, PYTHON, ROOT, SYNC, expect

import workflow_async as w

STAND_IN = [
    sys.executable,
    "-u",
    os.fspath(ROOT / "tests/fake_coze.py"),
]


def read_line(process):
    line = process.stdout.readline()
    return line.decode("utf-8").strip()


def test_stand_in_runs_a_script(script):
    """系统代理（这里是一个关着的端口）不能拦截发往本机的请求。"""
    one = script(ASYNC)
    one.environment["HTTP_PROXY"] = "http://127.0.0.1:9"
    command = [*STAND_IN, "--at-once", ASYNC]
    done = one.run(command=command)
    expect(done, 0, status="completed")


def test_stand_in_passes_arguments_and_exit_status(script):
    command = [*STAND_IN, SYNC, "--nonsense"]
    done = script(SYNC).run(command=command)
    expect(done, 2, "--nonsense")
    assert done.stdout == ""


@pytest.mark.posix
def test_stand_in_serves_until_ctrl_c(script):
    """打印出来的每一行，都可以粘贴到另一个终端里。"""
    one = script(SYNC)
    server = one.start(command=[*STAND_IN, "--at-once"])
    read_line(server)  # 说明
    pasted = [read_line(server) for _ in range(5)]
    pasted.append(f"exec '{PYTHON}' {SYNC}")
    commands = "\n".join(pasted)
    done = one.run(command=["sh", "-c", commands])
    expect(done, 0, status="completed")
    server.send_signal(signal.SIGINT)
    assert server.wait(10) == 0


def test_wrong_token_is_told_where_the_right_one_is(coze, monkeypatch):
    monkeypatch.setattr(w, "BASE", coze().url)
    monkeypatch.setattr(w, "TOKEN", "pat_wrong")
    answer = w.post_run(w.RunBody(b"{}"), 10)
    reply = w.read_reply(w.decode(answer.text), answer)
    assert reply.code == "4100"
    assert "COZE_API_TOKEN" in reply.error["message"]
