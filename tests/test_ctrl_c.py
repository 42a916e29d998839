"""承诺：一次 Ctrl-C 就停，也结束循环，说可能运行过没有、怎样接着等；要忽略它的，总是忽略。"""

import os
import signal
import socket
import time
from contextlib import ExitStack

import pytest
from conftest import (
    ASYNC,
    BOTH,
    CTRL_C,
    HANG,
    MAY_HAVE_RUN,
    NOT_RUN,
    PYTHON,
    STARTED,
    SYNC,
    expect,
    history,
    success,
    wait_for,
)
from fake_coze import Reply

pytestmark = pytest.mark.posix
RUNNING = history("Running")


def press(process):
    process.send_signal(signal.SIGINT)


@BOTH
def test_request_without_a_reply_may_have_run(coze, script, name):
    one = script(name, coze(HANG))
    process = one.start(until=1)
    press(process)
    done = expect(one.finish(process), CTRL_C, MAY_HAVE_RUN, "Ctrl-C")
    assert NOT_RUN not in done.stderr
    assert done.names == []


@pytest.fixture
def full_queue():
    """队列已满的监听套接字的地址：连接得不到回答。"""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@BOTH
def test_request_that_is_not_connected_did_not_run(coze, script, full_queue, name):
    one = script(name, coze(), API_BASE=full_queue)
    process = one.start()
    while b"..." not in process.stdout.readline():
        pass
    time.sleep(0.3)
    press(process)
    done = expect(one.finish(process), CTRL_C, NOT_RUN)
    assert MAY_HAVE_RUN not in done.stderr


# {名字: (回复, 收到几个请求以后按 Ctrl-C, 最长的间隔)}；间隔从 0.01 秒起
MOMENTS = {
    "before_the_first_query": ([STARTED], 1, 0.01),
    "in_a_query": ([STARTED, HANG], 2, 0.01),
    "between_queries": ([STARTED, *[RUNNING] * 99], 3, 30),
}


@pytest.mark.parametrize("case", MOMENTS)
def test_polling_stops_with_the_id_and_the_way_on(coze, script, case):
    replies, until, longest = MOMENTS[case]
    one = script(ASYNC, coze(*replies), INITIAL_POLL_INTERVAL=0.01, MAX_POLL_INTERVAL=longest)
    if case == "before_the_first_query":
        one.rewrite("time.sleep(interval)", "time.sleep(30)")
    process = one.start(until=until)
    wait_for(lambda: list(one.folder.glob("7_*.json")))
    press(process)
    done = expect(one.finish(process), CTRL_C, "run_id: 7", "不会重新运行", run_id="7")
    assert done.command[-1] == "7"
    assert NOT_RUN not in done.stderr


@BOTH
def test_loop_of_the_shell_ends(coze, script, name):
    """for i in 1 2 3：按一次 Ctrl-C，后面的付费运行不再开始。"""
    one = script(name, coze(HANG))
    loop = f"for i in 1 2 3; do '{PYTHON}' {name}; done; echo not reached"
    process = one.start(command=["bash", "-c", loop], until=1)
    os.killpg(process.pid, signal.SIGINT)
    done = one.finish(process)
    assert "not reached" not in done.stdout
    assert done.runs == 1


@BOTH
def test_ignored_interrupt_stays_ignored(coze, script, name):
    """trap '' INT，或者在后台（&）运行：调用的人要它忽略 Ctrl-C。"""
    replies = success(name)
    replies[-1] = Reply(replies[-1], delay=0.5)
    one = script(name, coze(*replies))
    command = ["sh", "-c", f"trap '' INT; exec '{PYTHON}' {name}"]
    process = one.start(command=command, until=len(replies))
    press(process)
    expect(one.finish(process), 0, status="completed")


def test_upload_that_is_interrupted_did_not_run(coze, script):
    one = script(SYNC, coze(HANG), FILES={"image": SYNC})
    process = one.start(until=1)
    press(process)
    done = expect(one.finish(process), CTRL_C, NOT_RUN)
    assert done.runs == 0
