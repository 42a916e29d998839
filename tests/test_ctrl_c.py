"""Ctrl-C：没有 traceback，由信号结束（$? 是 130），说明运行可能还在继续、怎样找回它。终端上的计数。"""

import io
import os
import re
import signal
import time

import pexpect
import pyte
import pytest
from conftest import (
    ASYNC,
    BOTH,
    CTRL_C,
    MB,
    PYTHON,
    STARTED,
    SYNC,
    TIMES,
    expect,
    free_port,
    success,
    wait_for,
)
from fake_coze import Reply

pytestmark = pytest.mark.posix
RESULT = {"run_id": "r1", "status": "completed", "output": "好", **TIMES}


def interrupt(one, process, *words, times=1):
    """按 Ctrl-C；一秒之内必须结束，并且说了这些话。"""
    time.sleep(0.1)
    pressed = time.monotonic()
    for _ in range(times):  # uv run 之类会再转发一次
        process.send_signal(signal.SIGINT)
        time.sleep(0.02)
    done = expect(one.finish(process), CTRL_C, "已按 Ctrl-C 停止", *words)
    assert (time.monotonic() - pressed < 1.5, done.leftovers) == (True, [])
    return done


@BOTH
@pytest.mark.parametrize("moment", ["hang", "stall", "connecting", "printing"])
def test_before_the_reply(coze, script, name, moment):
    """请求发出了，没有回音；连接还没有建立，或者长的输入还没有打印完：没有发出，以后也不会发出。"""
    settings = {
        "connecting": {"API_BASE": f"http://127.0.0.1:{free_port()}"},
        "printing": {"INPUTS": {"a": "x" * MB}},
    }
    is_sent = moment in ("hang", "stall")
    one = script(
        name, coze(Reply({"code": 0, "data": "x"}, fault=moment)), **settings.get(moment, {})
    )
    process = one.start(until=is_sent)
    assert is_sent or process.stdout.readline()
    done = interrupt(
        one, process, "查看运行记录" if is_sent else "没有运行，不会计费", times=1 + is_sent
    )
    assert (done.names, len(done.requests), "可能正在运行并计费" in done.stderr) == (
        [],
        is_sent,
        is_sent,
    )


@pytest.mark.parametrize("replies", [[], [Reply({}, fault="hang")]])
def test_while_polling(coze, script, replies):
    """等待下一次查询时，和查询没有回音时。"""
    one = script(ASYNC, coze(STARTED, *replies), INITIAL_POLL_INTERVAL=0.01 if replies else 60)
    done = interrupt(one, one.start(until=1 + len(replies)), "在 Coze 上继续", times=3)
    assert (done.record["status"], done.command[1:]) == ("pending", [ASYNC, done.names[0]])


@BOTH
def test_while_the_result_is_being_shown(coze, script, name):
    """没有人读标准输出，打印卡住了：结果已经保存；隔一会儿再按一次就结束，说出文件。"""
    one = script(name, coze(*success(name, "x" * MB)))
    process = one.start()
    wait_for(lambda: any(b'"completed"' in path.read_bytes() for path in one.folder.glob("*.json")))
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    done = interrupt(one, process, "结果已保存到文件")
    assert (done.record["status"], done.names[0] in done.stderr) == ("completed", True)
    assert "接着等" not in done.stderr


@BOTH
def test_pressed_while_the_result_comes_in(coze, script, name):
    """按在回复和文件之间的任何时刻：结果写好，话说完，然后才由信号结束。"""
    *start, end = success(name, "x" * MB)
    one = script(name, coze(*start, Reply(end, delay=0.4)))
    one.rewrite(
        "    def note(*_):\n", "    def note(*_):\n        time.sleep(0.5)\n"
    )  # 按的时候回复正好到了
    process = one.start(until=1 + len(start))
    process.send_signal(signal.SIGINT)
    done = one.finish(process)
    assert (done.status, done.record["status"], done.stderr) == (CTRL_C, "completed", "")
    assert "结果已保存到文件" in done.stdout


@BOTH
def test_loop_of_the_shell_stops(coze, script, tmp_path, name):
    """for i in 1 2 3：按一次 Ctrl-C，后面的付费运行不再开始；在 IDLE 之外，别的程序照常。"""
    server = coze(*[STARTED] * (name == ASYNC), *[Reply({}, fault="hang")] * 3)
    one = script(name, server)
    loop = f"for i in 1 2 3; do '{PYTHON}' {name}; done; echo not reached"
    process = one.start(command=["bash", "-c", loop], until=1 + (name == ASYNC))
    os.killpg(process.pid, signal.SIGINT)
    done = one.finish(process)
    assert ("not reached" in done.stdout, len(done.requests)) == (False, 1 + (name == ASYNC))
    assert done.stderr.count("已按 Ctrl-C 停止") == 1


@BOTH
def test_while_an_unsaved_result_is_being_printed(coze, script, tmp_path, name):
    """结果写不成文件，正在打印：屏幕上一定有一份完整的。"""
    (tmp_path / "r1_20251028T155840.json").mkdir()
    started = [{"run_id": "r1", **TIMES}] if name == ASYNC else []
    one = script(name, coze(*started, {**RESULT, "output": "x" * MB}))
    process = one.start(until=1 + len(started))
    time.sleep(0.4)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    done = expect(one.finish(process), CTRL_C, "打印在上面")
    assert (f'"outputs": "{"x" * MB}"' in done.stdout, "可能正在运行" in done.stderr) == (
        True,
        False,
    )


@BOTH
def test_at_any_moment_of_the_run(coze, script, tmp_path, name):
    """从屏幕上的第一行起，随机的时刻：没有 traceback，启动了的运行总有一个文件。"""
    statuses = []
    for delay in range(4):
        one = script(name, coze(seconds=2))
        process = one.start()
        assert process.stdout.readline()
        time.sleep(delay * 0.04)
        process.send_signal(signal.SIGINT)
        done = one.finish(process)
        statuses.append(done.status)
        assert (done.leftovers, len(done.names)) == ([], 0 if "计费。" in done.stderr else 1)
        for path in tmp_path.glob("*.json"):
            path.unlink()
    assert set(statuses) == {CTRL_C}


@pytest.fixture
def terminal():
    """在 80 列的伪终端里启动：terminal(script, 参数, …) -> pexpect.spawn，raw 是收到的所有字节。"""
    children = []

    def start(one, *args):
        size = {"dimensions": (200, 80), "echo": False, "timeout": 20}
        children.append(
            pexpect.spawn(PYTHON, [*args], cwd=os.fspath(one.folder), env=one.environment, **size)
        )
        children[-1].logfile_read = children[-1].raw = io.BytesIO()
        return children[-1]

    yield start
    for child in children:
        child.close(force=True)


def screen(child, encoding="utf-8"):
    """等到结束；(退出状态, 最后屏幕上的文字)。"""
    child.expect(pexpect.EOF)
    child.close()
    display = pyte.Screen(80, 200)
    pyte.Stream(display).feed(child.raw.getvalue().decode(encoding))
    return child.exitstatus, "\n".join(line.rstrip() for line in display.display).rstrip(
        "\n"
    ) + "\n"


def test_waiting_is_counted_in_place(coze, script, terminal):
    one = script(SYNC, coze(Reply(RESULT, delay=2.3), RESULT), TIMEOUT=300)
    one.environment["PYTHONUNBUFFERED"] = "1"
    child = terminal(one, SYNC)
    assert screen(child) == (0, expect(one.run(), 0).stdout)  # 等完就擦掉；管道里一个字节也没有
    counted = re.findall(r"已等待 (\d+) / 300 秒", child.raw.getvalue().decode("utf-8"))
    assert list(dict.fromkeys(counted)) == ["0", "1", "2"]


@pytest.mark.parametrize("end", ["reset", "timeout", "ctrl-c"])
def test_counter_never_outlives_the_request(coze, script, terminal, end):
    reply = (
        Reply(RESULT, fault="reset", delay=0.5) if end == "reset" else Reply(RESULT, fault="hang")
    )
    one = script(SYNC, coze(reply), TIMEOUT=0.7 if end == "timeout" else 300)
    one.environment["PYTHONIOENCODING"] = "gbk"
    child = terminal(one, SYNC)
    child.expect("已等待".encode("gbk"))
    wait_for(lambda: one.server.requests)  # 还没有发出的请求，话是另一样
    if end == "ctrl-c":
        child.sendintr()
    status, text = screen(child, "gbk")
    assert (status, "已等待" in text, "可能正在运行并计费" in text) == (
        None if end == "ctrl-c" else 1,
        False,
        True,
    )


INSIDE = """
import io, runpy, signal, sys, threading, time, _thread

class Shell(io.StringIO):
    def isatty(self):
        return True

signal.signal(signal.SIGINT, handler := lambda *_: None)
window, sys.stdout, names = sys.stdout, Shell(), sys.argv[1:]
for number, name in enumerate(names, 1):
    sys.argv[0:] = [name]
    if number == 4:  # IDLE 的 Ctrl-C 是这样来的
        threading.Timer(0.1, _thread.interrupt_main).start()
    try:
        runpy.run_path(name, run_name="__main__")
    except SystemExit as end:
        print("still here:", end.code, signal.getsignal(signal.SIGINT) is handler)
    except KeyboardInterrupt as end:
        print("still here: interrupted", signal.getsignal(signal.SIGINT) is handler)
print(sys.stdout.getvalue(), file=window)
"""


def test_inside_a_shell_that_goes_on(coze, script, terminal):
    """IDLE 的窗口自称终端，而进程另有自己的终端：哪里也不计数。进程不结束，Ctrl-C 的处理恢复原样。"""
    one = script(SYNC, coze({"code": 4100}, seconds=0.3))
    script(ASYNC, one.server)
    child = terminal(one, "-c", INSIDE, SYNC, ASYNC, SYNC, SYNC)
    status, text = screen(child)
    left = [f"still here: {end} True" for end in (1, 0, 0, "interrupted")]
    assert (status, re.findall("still here: .*", text)) == (0, left)
    assert not re.search("已等待", child.raw.getvalue().decode("utf-8"))
    assert len(list(one.folder.glob("*.json"))) == 2


THREAD = """
import sys, threading, runpy
main = runpy.run_path(sys.argv[1])["main"]
sys.argv[0:] = [sys.argv[1]]
thread = threading.Thread(target=main)
thread.start()
thread.join()
"""


@BOTH
def test_another_thread_fails_before_anything_is_sent(coze, script, name):
    one = script(name, coze())
    process = one.start(command=[PYTHON, "-c", THREAD, name])
    _, errors = process.communicate(timeout=20)
    assert (b"signal only works in main thread" in errors, one.server.requests) == (True, [])
