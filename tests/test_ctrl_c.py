"""Ctrl-C：没有 traceback，由信号结束（$? 是 130），说明运行可能还在继续、怎样找回它。

还有终端上的计数：它从不留在屏幕上。
"""

import io
import os
import re
import runpy
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pexpect
import pyte
import pytest
from conftest import (
    ASYNC,
    BOTH,
    CTRL_C,
    MAYBE,
    MB,
    NOT_RUN,
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
STOPPED = "已按 Ctrl-C 停止"
RESULT = {"run_id": "r1", "status": "completed", "output": "好", **TIMES}
LONG = "x" * MB
HANG = Reply({}, fault="hang")
STARTS = {SYNC: [], ASYNC: [STARTED]}  # 启动的回复，在结果之前


def press(process):
    process.send_signal(signal.SIGINT)


def interrupt(one, process, *words, times=1):
    """按 Ctrl-C；一秒之内必须结束，并且说了这些话。"""
    time.sleep(0.1)
    pressed = time.monotonic()
    for _ in range(times):  # uv run 之类会再转发一次
        press(process)
        time.sleep(0.02)
    done = one.finish(process)
    expect(done, CTRL_C, STOPPED, *words)
    assert time.monotonic() - pressed < 1.5
    assert done.leftovers == []
    return done


NO_REPLY = {
    "sync_hangs": (SYNC, "hang"),
    "async_hangs": (ASYNC, "hang"),
    "sync_stalls": (SYNC, "stall"),
}


@pytest.mark.parametrize("case", NO_REPLY)
def test_request_without_a_reply_may_have_run(coze, script, case):
    """请求发出了，没有回音，或者回复停在半路。"""
    name, fault = NO_REPLY[case]
    reply = Reply({"code": 0, "data": "x"}, fault=fault)
    one = script(name, coze(reply))
    process = one.start(until=1)
    done = interrupt(one, process, "查看运行记录", MAYBE, times=2)
    assert done.names == []
    assert len(done.requests) == 1


def interrupt_before_sending(one):
    """打印了第一行就按：没有发出，以后也不会发出。"""
    process = one.start()
    assert process.stdout.readline()
    done = interrupt(one, process, NOT_RUN)
    assert MAYBE not in done.stderr
    assert done.names == []
    assert one.server.requests == []


def test_run_without_a_connection_never_starts(coze, script):
    nobody = f"http://127.0.0.1:{free_port()}"
    interrupt_before_sending(script(ASYNC, coze(), API_BASE=nobody))


def test_run_whose_inputs_are_being_printed_never_starts(coze, script):
    interrupt_before_sending(script(SYNC, coze(), INPUTS={"a": LONG}))


POLLING = {
    "between_queries": ([STARTED], 60),
    "in_a_query": ([STARTED, HANG], 0.01),
}


@pytest.mark.parametrize("case", POLLING)
def test_polling_stops_and_the_run_goes_on(coze, script, case):
    replies, interval = POLLING[case]
    one = script(ASYNC, coze(*replies), INITIAL_POLL_INTERVAL=interval)
    process = one.start(until=len(replies))
    done = interrupt(one, process, "在 Coze 上继续", times=3)
    assert done.record["status"] == "pending"
    assert done.command[1:] == [ASYNC, done.names[0]]


def is_saved(folder):
    """结果在文件里了。"""
    files = folder.glob("*.json")
    return any(b'"completed"' in path.read_bytes() for path in files)


@BOTH
def test_result_that_is_being_shown_is_saved(coze, script, name):
    """没有人读标准输出，打印卡住了：结果已经保存；隔一会儿再按一次就结束，说出文件。"""
    one = script(name, coze(*success(name, LONG)))
    process = one.start()
    wait_for(lambda: is_saved(one.folder))
    assert process.poll() is None
    press(process)
    time.sleep(0.3)
    done = interrupt(one, process, "结果已保存到文件")
    assert done.record["status"] == "completed"
    assert done.names[0] in done.stderr
    assert "接着等" not in done.stderr


@BOTH
def test_result_that_comes_in_is_kept(coze, script, name):
    """按在回复和文件之间的任何时刻：结果写好，话说完，然后才由信号结束。"""
    *start, end = success(name, LONG)
    one = script(name, coze(*start, Reply(end, delay=0.4)))
    noted = "    PRESSED.append("
    one.rewrite(noted, f"    time.sleep(0.5)\n{noted}")  # 按的时候回复正好到了
    process = one.start(until=1 + len(start))
    press(process)
    done = one.finish(process)
    assert done.status == CTRL_C
    assert done.record["status"] == "completed"
    assert done.stderr == ""
    assert "结果已保存到文件" in done.stdout


@BOTH
def test_unsaved_result_is_printed_whole(coze, script, tmp_path, name):
    """结果写不成文件，正在打印：屏幕上一定有一份完整的。"""
    (tmp_path / "r1_20251028T155840.json").mkdir()
    started = {SYNC: [], ASYNC: [{"run_id": "r1", **TIMES}]}
    replies = [*started[name], {**RESULT, "output": LONG}]
    one = script(name, coze(*replies))
    process = one.start(until=len(replies))
    time.sleep(0.4)
    press(process)
    time.sleep(0.1)
    done = one.finish(process)
    expect(done, CTRL_C, "打印在上面")
    assert f'"outputs": "{LONG}"' in done.stdout
    assert "可能正在运行" not in done.stderr


@BOTH
def test_loop_of_the_shell_stops(coze, script, name):
    """for i in 1 2 3：按一次 Ctrl-C，后面的付费运行不再开始。"""
    replies = [*STARTS[name], HANG]
    one = script(name, coze(*replies, HANG, HANG))
    loop = f"for i in 1 2 3; do '{PYTHON}' {name}; done; echo not reached"
    command = ["bash", "-c", loop]
    process = one.start(command=command, until=len(replies))
    os.killpg(process.pid, signal.SIGINT)
    done = one.finish(process)
    assert "not reached" not in done.stdout
    assert len(done.requests) == len(replies)
    assert done.stderr.count(STOPPED) == 1


MOMENTS = {"at_once": 0, "soon": 0.05, "later": 0.1}


@BOTH
@pytest.mark.parametrize("moment", MOMENTS)
def test_started_run_always_has_a_file(coze, script, name, moment):
    """从屏幕上的第一行起，随便哪个时刻：没有 traceback；没有文件的，一定说了计费没有。"""
    one = script(name, coze(seconds=2))
    process = one.start()
    assert process.stdout.readline()
    time.sleep(MOMENTS[moment])
    press(process)
    done = one.finish(process)
    assert done.status == CTRL_C
    assert done.leftovers == []
    is_told = "计费。" in done.stderr
    assert len(done.names) == 1 - is_told


@pytest.fixture
def terminal():
    """在 80 列的伪终端里启动：terminal(script, 参数, …) -> pexpect.spawn。

    它的 raw 是收到的所有字节。
    """
    children = []

    def start(one, *args):
        child = pexpect.spawn(
            PYTHON,
            list(args),
            cwd=os.fspath(one.folder),
            env=one.environment,
            dimensions=(200, 80),
            echo=False,
            timeout=20,
        )
        child.raw = io.BytesIO()
        child.logfile_read = child.raw
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


def received(child, encoding="utf-8"):
    """终端收到的所有文字，擦掉了的也在。"""
    return child.raw.getvalue().decode(encoding)


def screen(child, encoding="utf-8"):
    """等到结束；最后屏幕上的文字。"""
    child.expect(pexpect.EOF)
    child.close()
    display = pyte.Screen(80, 400)
    pyte.Stream(display).feed(received(child, encoding))
    lines = [line.rstrip() for line in display.display]
    return "\n".join(lines).rstrip("\n") + "\n"


def test_waiting_is_counted_in_place(coze, script, terminal):
    """等完就擦掉；管道里一个字节也没有。"""
    late = Reply(RESULT, delay=1.4)
    one = script(SYNC, coze(late, RESULT), TIMEOUT=300)
    one.environment["PYTHONUNBUFFERED"] = "1"
    child = terminal(one, SYNC)
    text = screen(child)
    assert child.exitstatus == 0
    piped = expect(one.run(), 0)
    assert text == piped.stdout
    counted = re.findall(r"已等待 (\d+) / 300 秒", received(child))
    assert list(dict.fromkeys(counted)) == ["0", "1"]


ENDS = {
    "reset": (Reply(RESULT, fault="reset", delay=0.5), 300, 1),
    "timeout": (HANG, 0.7, 1),
    "ctrl-c": (HANG, 300, None),
}


@pytest.mark.parametrize("case", ENDS)
def test_counter_never_outlives_the_request(coze, script, terminal, case):
    reply, timeout, status = ENDS[case]
    one = script(SYNC, coze(reply), TIMEOUT=timeout)
    one.environment["PYTHONIOENCODING"] = "gbk"
    child = terminal(one, SYNC)
    child.expect("已等待".encode("gbk"))
    wait_for(lambda: one.server.requests)  # 还没有发出的请求，话是另一样
    if case == "ctrl-c":
        child.sendintr()
    text = screen(child, "gbk")
    assert child.exitstatus == status
    assert "已等待" not in text
    assert MAYBE in text


INSIDE = """
import io, runpy, signal, sys, threading, time, _thread

class Shell(io.StringIO):
    def isatty(self):
        return True

def handler(*_):
    pass

def interrupt():
    while signal.getsignal(signal.SIGINT) is handler:  # 脚本还没有接管 Ctrl-C
        time.sleep(0.01)
    _thread.interrupt_main()

signal.signal(signal.SIGINT, handler)
names = sys.argv[1:]
window = sys.stdout
sys.stdout = Shell()
for number, name in enumerate(names, 1):
    sys.argv[0:] = [name]
    if number == 4:  # IDLE 的 Ctrl-C 是这样来的
        threading.Thread(target=interrupt).start()
    try:
        runpy.run_path(name, run_name="__main__")
    except SystemExit as end:
        print("still here:", end.code, signal.getsignal(signal.SIGINT) is handler)
    except KeyboardInterrupt as end:
        print("still here: interrupted", signal.getsignal(signal.SIGINT) is handler)
print(sys.stdout.getvalue(), file=window)
"""


def test_inside_a_shell_that_goes_on(coze, script, terminal):
    """IDLE 的窗口自称终端，而进程另有自己的终端：哪里也不计数。

    进程不结束，Ctrl-C 的处理恢复原样。
    """
    one = script(SYNC, coze({"code": 4100}, seconds=0.3))
    script(ASYNC, one.server)
    child = terminal(one, "-c", INSIDE, SYNC, ASYNC, SYNC, SYNC)
    text = screen(child)
    assert child.exitstatus == 0
    assert re.findall("still here: .*", text) == [
        "still here: 1 True",
        "still here: 0 True",
        "still here: 0 True",
        "still here: interrupted True",
    ]
    assert "已等待" not in received(child)
    assert len(list(one.folder.glob("*.json"))) == 2


@BOTH
def test_another_thread_fails_before_anything_is_sent(coze, script, monkeypatch, name):
    """Python 只让主线程处理 Ctrl-C。"""
    one = script(name, coze())
    for variable, value in one.server.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.chdir(one.folder)
    monkeypatch.setattr(sys, "argv", [name])
    main = runpy.run_path(name)["main"]
    with ThreadPoolExecutor() as pool:
        ended = pool.submit(main)
    assert "signal only works in main thread" in str(ended.exception())
    assert one.server.requests == []
