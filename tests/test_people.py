"""承诺：没有 Traceback；屏幕没有了，运行照样等到、存好；可以导入；每十秒说一声；各种终端都行。"""

import ast
import json
import os
import pickle
import re
import signal
import sys

import pytest
from conftest import (
    ASYNC,
    BOTH,
    MB,
    NOT_RUN,
    PYTHON,
    ROOT,
    SHIPPED,
    SYNC,
    expect,
    history,
    success,
    wait_for,
)
from fake_coze import Reply

import workflow_async as w


@BOTH
def test_without_requests_the_script_says_how_to_install_it(coze, script, name):
    one = script(name, coze())
    (one.folder / "requests.py").write_text("raise ImportError('broken')")
    expect(one.run(), 2, "pip install requests", "broken", "什么也没有发送")


@BOTH
def test_help_says_the_exit_statuses(script, name):
    done = expect(script(name).run("--help"), 0)
    assert all(f"\n  {status} " in done.stdout for status in (0, 1, 2, 3, 4, 130))


@BOTH
def test_unknown_option_runs_nothing(coze, script, name):
    done = expect(script(name, coze()).run("--nonsense"), 2, "--nonsense")
    assert done.requests == []


# 屏幕没有了（shell 的写法）；退出状态写在文件 status 里
GONE = {
    "stdout_closed": "{} >&-; echo $? >status",
    "stderr_closed": "{} 2>&-; echo $? >status",
    "both_closed": "{} >&- 2>&-; echo $? >status",
    "stdout_full": "{} >/dev/full; echo $? >status",
    "nobody_reads": "({}; echo $? >status) | true",
    "somebody_reads_a_little": "({} 2>&1; echo $? >status) | head -c 9",
}


@BOTH
@pytest.mark.posix
@pytest.mark.parametrize("case", GONE)
def test_screen_that_is_gone_ends_nothing(coze, script, name, case):
    if "/dev/full" in GONE[case] and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    replies = success(name, "x" * MB)
    replies[-1] = Reply(replies[-1], delay=0.1)
    one = script(name, coze(*replies))
    done = one.run(command=["sh", "-c", GONE[case].format(f"'{PYTHON}' {name}")])
    assert (one.folder / "status").read_text() == "0\n"
    assert done.record["outputs"] == "x" * MB


@BOTH
@pytest.mark.posix
def test_terminal_that_is_gone_ends_nothing(coze, script, name):
    """nohup：终端的窗口关了，写屏幕都是 EIO。"""
    replies = success(name)
    replies[-1] = Reply(replies[-1], delay=0.5)
    one = script(name, coze(*replies))
    ours, theirs = os.openpty()
    command = ["sh", "-c", f"trap '' HUP; exec '{PYTHON}' {name}"]
    process = one.start(
        command=command,
        stdout=theirs,
        stderr=theirs,
        until=len(replies),
    )
    os.close(theirs)
    os.close(ours)
    assert process.wait(20) == 0
    assert expect(one.finish(process), 0, outputs="done").names


CONSOLES = [
    (SYNC, "gbk"),
    (ASYNC, "gbk"),
    (SYNC, "cp1252:strict"),
    (ASYNC, "utf-8"),
]


@pytest.mark.parametrize(("name", "console"), CONSOLES)
def test_console_that_lacks_a_letter(coze, script, name, console):
    one = script(
        name,
        coze(*success(name, "表情 😀 é")),
        INPUTS={"输入": "😀"},
    )
    one.environment["PYTHONIOENCODING"] = console
    done = expect(one.run(), 0, outputs="表情 😀 é")
    assert "completed" in done.stdout
    assert ("😀" in done.stdout) == (console == "utf-8")


def test_trouble_on_a_gbk_console(coze, script):
    one = script(SYNC, coze('{"code":4100,"msg":"😀 \\ud83d"}'))
    one.environment["PYTHONIOENCODING"] = "gbk"
    assert "\\U0001f600" in expect(one.run(), 2).stderr


# 服务器说的怪话，和退出状态
ODD = {
    "numbers": ('{"code":1.5,"msg":5,"detail":5,"debug_url":7,"data":3,"execute_id":true}', 1),
    "lists": ('{"code":[],"msg":[1],"detail":[],"debug_url":[],"data":[],"status":[1]}', 4),
    "objects": ('{"code":{"a":1},"msg":{},"data":{},"interrupt_data":5,"usage":[]}', 4),
    "nested": ('{"data":[[1]],"interrupt_data":{"data":"[1]"},"error":[],"execute_id":[7]}', 3),
    "no_times": ('{"execute_id":"7","status":5,"created_at":5,"updated_at":{}}', 3),
    "text": ('"just text"', 4),
    "null": ("null", 4),
    "half": ('{"code":0,"data":', 4),
    "huge_number": ('{"code":' + "9" * 5000 + "}", 4),
    "deep": ("[" * 99999, 4),
    "bytes": (Reply(b"\xff\xfe\x00"), 4),
    "bom": (Reply(b"\xef\xbb\xbf" + b'{"code":4100,"msg":"m"}'), 2),
    "no_gzip": (Reply(b"no gzip", headers={"Content-Encoding": "gzip"}), 4),
    "bad_location": (Reply("", 302, {"Location": "http://[::1"}), 4),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_reply_is_no_traceback(run, case):
    """conftest 断言没有 Traceback。"""
    reply, status = ODD[case]
    assert expect(run(SYNC, reply), status).runs == 1


def test_odd_start_and_history_are_no_traceback(run):
    odd = [ODD[case][0] for case in ODD if case not in ("nested", "bom")]
    done = run(ASYNC, ODD["no_times"][0], *odd, history("Fail"))
    expect(done, 1, run_id="7", status="failed")
    assert len(done.requests) == 2 + len(odd)


def test_waiting_is_told_every_ten_seconds(coze, script):
    (reply,) = success(SYNC)
    done = expect(
        script(SYNC, coze(Reply(reply, delay=10.6))).run(),
        0,
    )
    assert re.findall("已等待 (.*) 秒", done.stdout) == ["10"]


PROGRAM = """
import {module} as w
records = [w.run({{"n": n}}) for n in range(2)]
print("RECORDS", [(record["status"], record["outputs"]) for record in records])
try:
    w.run({{"n": 3}})
except w.CozeError as error:
    print("ERROR", error.status, error)
"""


@BOTH
def test_imported_run_returns_the_record_and_raises_what_a_person_would_read(coze, script, name):
    refusal = {"code": 4100, "msg": "bad token"}
    one = script(
        name,
        coze(*success(name, "1"), *success(name, "[2]"), refusal),
    )
    program = PROGRAM.format(module=name.replace(".py", ""))
    done = expect(one.run(command=[PYTHON, "-c", program]), 0)
    assert "RECORDS [('completed', '1'), ('completed', [2])]" in done.stdout
    error = done.stdout.partition("ERROR 2 ")[2]
    assert all(word in error for word in ("bad token", "换一个", NOT_RUN))
    assert done.runs == 3


def test_batch_of_readme_skips_what_is_done(coze, script):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (batch,) = re.findall("```python\n(import csv.*?)```", readme, re.DOTALL)
    one = script(SYNC, coze())
    (one.folder / "batch.py").write_text(batch, encoding="utf-8")
    (one.folder / "rows.csv").write_text("q,n\n甲,1\n,\n乙,2\n甲,1\n", encoding="utf-8")
    for _ in range(2):
        done = expect(one.run(command=[PYTHON, "batch.py"]), 0)
        sent = [json.loads(body)["parameters"] for *_, body in done.requests]
        assert sent == [{"q": "甲", "n": "1"}, {"q": "乙", "n": "2"}]


@BOTH
def test_stand_in_refuses_a_script_that_is_filled_in(script, name):
    one = script(name, YOUR_ACCESS_TOKEN="pat_real")
    stand_in = os.fspath(ROOT / "tests/fake_coze.py")
    done = expect(one.run(command=[sys.executable, stand_in, name]), 2, "已经填写")
    assert done.stdout == ""


def test_error_survives_another_process():
    error = pickle.loads(pickle.dumps(w.CozeError("told", 4)))
    assert (str(error), error.status) == ("told", 4)


def test_imported_run_that_has_not_ended_raises(coze, script):
    one = script(ASYNC, coze(*success(ASYNC)[:1]), MAX_POLL_ATTEMPTS=1)
    program = "import workflow_async as w\ntry:\n  w.run({})\n"
    program += "except w.CozeError as error:\n  print('ERROR', error.status, error)"
    done = one.run(command=[PYTHON, "-c", program])
    assert re.search(r'(?s)ERROR 3 .*workflow_async.py" 7\n', done.stdout)


@pytest.mark.posix
def test_output_to_a_pipe_comes_line_by_line(coze, script):
    one = script(SYNC, coze(Reply(fault="hang")))
    process = one.start(until=1)
    os.set_blocking(process.stdout.fileno(), False)
    wait_for(lambda: "正在发送请求" in (process.stdout.read() or b"").decode())
    process.send_signal(signal.SIGKILL)


def test_same_name_is_the_same_code():
    """同名的函数和常量，两个脚本里逐字相同，main 和 run 除外。"""
    parts = []
    for name in (SYNC, ASYNC):
        source = (ROOT / name).read_text(encoding="utf-8")
        nodes = {}
        for node in ast.parse(source).body:
            names = [getattr(target, "id", "") for target in getattr(node, "targets", [])]
            for key in [getattr(node, "name", None), *names]:
                nodes.setdefault(key, []).append(ast.get_source_segment(source, node))
        parts.append(nodes)
    shared = (parts[0].keys() & parts[1].keys()) - {None, "main", "run", *SHIPPED}
    assert len(shared) > 20
    assert [key for key in shared if parts[0][key] != parts[1][key]] == []


def test_requests_is_all_that_is_needed():
    needed = (ROOT / "requirements.txt").read_text().split()
    assert needed == ["requests>=2.31"]
    for name in (SYNC, ASYNC):
        source = (ROOT / name).read_text(encoding="utf-8")
        (metadata,) = re.findall("(?m)^# /// script\n((?:#.*\n)+?)# ///$", source)
        assert re.findall('"(.*?)"', metadata) == [">=3.8", *needed]
