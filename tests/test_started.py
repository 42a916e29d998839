"""启动了的运行不会丢：文件、命令、接着等、轮询时真实的网络故障。"""

import json
import os
import re
import shutil
import signal
import time

import pytest
from conftest import (
    ASYNC,
    BOTH,
    CTRL_C,
    PYTHON,
    STARTED,
    SYNC,
    TIMES,
    WINDOWS,
    expect,
    history,
    html,
    limit_files,
    success,
    wait_for,
)
from fake_coze import FakeCoze, Reply

import workflow_async as w

SUCCESS = history("Success", output='{"Output": "done"}')
RUNNING = history("Running")
MOVED = history("Running", create_time=1730174063)
HANG = Reply({}, fault="hang")


def goes_on(done, exit_status, *words, **fields):
    """脚本停了，运行还在继续：说出 ID 和命令，记录在命令里的文件中。"""
    expect(done, exit_status, "运行 ID (run_id): 7\n", "继续", "不会重复计费", *words, **fields)
    assert done.command[1:] == [ASYNC, done.names[0]]
    return done


@pytest.mark.posix
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM"])
@pytest.mark.parametrize("replies", [[], [MOVED]])
def test_the_folder_holds_the_run_however_the_script_ends(coze, script, tmp_path, how, replies):
    one = script(ASYNC, coze(STARTED, *replies, HANG), INPUTS={"a": "甲"})
    process = one.start(until=2 + len(replies))
    assert len(list(tmp_path.glob("*.json"))) == 1  # 第一次查询之前就在了
    process.send_signal(getattr(signal, how))
    status = "running" if replies else "pending"
    ended = -getattr(signal, how)
    done = expect(one.finish(process), ended, run_id="7", inputs={"a": "甲"}, status=status)
    assert "20241029" not in done.names[0]  # Coze 的 create_time 不改变文件名


@pytest.mark.parametrize("name", ["7_20251028T155840.json", "mine.json"])
def test_name_of_the_file_never_changes(coze, script, tmp_path, name):
    """从 shell 的历史里取出的命令总能用，无论 Coze 给出什么时间，文件叫什么名字。"""
    started = {**STARTED, "created_at": "2025-10-28T15:58:40Z"}
    one = script(ASYNC, coze(started, RUNNING, MOVED, MOVED), MAX_POLL_ATTEMPTS=2)
    done = expect(one.run(), 3, created_at="2025-10-28T15:58:40Z")
    (tmp_path / done.names[0]).rename(tmp_path / name)
    done = expect(one.run(name), 3, f'"{name}"\n', created_at="2025-10-28T15:58:40Z")
    one.server.replies.extend([Reply(MOVED), Reply(SUCCESS)])
    done = expect(one.run(name), 0, outputs="done", created_at="2025-10-28T15:58:40Z")
    assert (done.names, done.leftovers) == ([name], [])


@pytest.mark.posix
def test_killed_at_any_moment_leaves_one_complete_file(coze, script, tmp_path):
    """每次查询都改变状态和 create_time，于是一直在写 1 MB 的文件和改名；在随机的时刻 kill -9。"""
    for delay in range(4):
        states = [
            history(f"State{i}", create_time=1730174063 + i, output="x" * 1_000_000)
            for i in range(300)
        ]
        one = script(
            ASYNC, coze(STARTED, *states), INITIAL_POLL_INTERVAL=0.000001, MAX_POLL_ATTEMPTS=5000
        )
        process = one.start(until=4)
        time.sleep(delay * 0.006)
        process.kill()
        done = one.finish(process)
        assert (done.record["run_id"], len(done.leftovers) <= 1) == ("7", True)
        for path in tmp_path.glob("*.json*"):
            path.unlink()


@BOTH
@pytest.mark.posix
def test_folder_that_cannot_be_written_costs_nothing(coze, script, name):
    """结果会存不下来，所以什么也不发送；和别的问题一起说。"""
    one = script(name, coze(), INPUTS=5)
    done = expect(one.run(disk=0), 2, "没有发送任何请求", "文件夹不能写", "INPUTS 要像")
    assert (done.requests, done.names, done.leftovers) == ([], [], [])


@BOTH
@pytest.mark.posix
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc")
def test_folder_that_cannot_be_written_is_named(coze, script, name):
    one = script(name, coze())
    one.environment.pop("COVERAGE_PROCESS_START", None)  # 它自己也要一个文件夹
    there = ["sh", "-c", f"cd /proc && exec '{PYTHON}' '{one.path}'"]
    assert expect(one.run(command=there), 2, "文件夹不能写", "/proc/").requests == []
    gone = ["sh", "-c", f"mkdir gone && cd gone && rmdir ../gone && exec '{PYTHON}' '{one.path}'"]
    assert expect(one.run(command=gone), 2, "文件夹不能写").requests == []


@BOTH
@pytest.mark.posix
def test_disk_without_fsync(coze, script, tmp_path, name):
    """有的磁盘、同步盘没有 fsync：文件照样写好，不算失败。"""
    (tmp_path / "sitecustomize.py").write_text(
        "import os\ndef fsync(number):\n    raise OSError(22, 'no fsync here')\nos.fsync = fsync\n"
    )
    one = script(name, coze(*success(name, "x")))
    one.environment["PYTHONPATH"] = os.fspath(tmp_path)
    expect(one.run(), 0, outputs="x")


HELD = """
import os
held, replace = [1] * {times}, os.replace
def busy(old, new):
    if held:
        held.pop()
        raise PermissionError(13, "a scanner holds it")
    return replace(old, new)
os.replace = busy
"""


@pytest.mark.parametrize(("times", "status"), [(5, 0), (10_000, 2)])
def test_file_that_another_program_holds(coze, script, tmp_path, times, status):
    """Windows 上的杀毒、同步程序占着文件：再试两秒；一直占着的，启动之前就说。"""
    (tmp_path / "sitecustomize.py").write_text(HELD.format(times=times))
    one = script(SYNC, coze(*success(SYNC, "x")))
    one.environment["PYTHONPATH"] = os.fspath(tmp_path)
    started = time.monotonic()
    done = expect(one.run(), status, *["a scanner holds it"] * (status == 2))
    assert (len(done.requests), done.leftovers) == (1 - status // 2, [])
    assert 0.4 < time.monotonic() - started < 12


def start_without_disk(one, replies):
    """启动以后磁盘才满；还没有收到启动的回复。"""
    one.server.replies.extendleft(reversed([Reply(STARTED, delay=0.4), *map(Reply, replies)]))
    process = one.start(until=1)
    limit_files(process.pid, 0)
    return process


@pytest.mark.posix
def test_disk_that_is_full_after_the_start(coze, script, tmp_path):
    """记录立刻在屏幕上，状态变了才再说；照说的存下来就能接着等。"""
    one = script(ASYNC, coze(HANG), INPUTS={"a": "甲 😀"})
    one.environment.pop("COVERAGE_PROCESS_START", None)
    process = start_without_disk(one, [RUNNING, RUNNING, RUNNING])
    wait_for(lambda: len(one.server.requests) >= 5)
    process.kill()  # 终端关了也不要紧：已经在屏幕上了
    done = one.finish(process)
    assert (done.names, done.leftovers, done.stderr.count("文件没有写成")) == ([], [], 2)
    assert [record["status"] for record in done.printed] == ["pending", "running"]
    inputs = '"inputs": {\n    "a": "\\u7532 \\ud83d\\ude00"'
    assert done.stdout.index(inputs) < done.stdout.index("第 1 次查询")
    (name,) = set(re.findall("保存为 (.*?)（UTF-8 编码）", done.stderr))
    for encoding in ("utf-16", "utf-8-sig"):  # PowerShell 的 > 和旧版记事本这样存
        (tmp_path / name).write_text(json.dumps(done.printed[-1]), encoding=encoding)
        one.server.replies.append(Reply(SUCCESS))
        expect(one.run(name), 0, outputs="done", inputs={"a": "甲 😀"})


@pytest.mark.posix
def test_disk_that_becomes_writable(coze, script):
    one = script(ASYNC, coze(Reply(RUNNING, delay=0.5), SUCCESS))
    one.environment.pop("COVERAGE_PROCESS_START", None)
    process = start_without_disk(one, [RUNNING])
    wait_for(lambda: len(one.server.requests) >= 3)
    limit_files(process.pid, -1)
    expect(one.finish(process), 0, "没有写成", outputs="done")


@pytest.mark.posix
def test_disk_that_fills_up(coze, script, tmp_path):
    """结果写不下：结果打印出来，原来的文件还在它的文件夹里，还能接着等。"""
    given = os.path.join("here", "r.json")
    (tmp_path / "here").mkdir()
    saved(tmp_path / given)
    done = script(ASYNC, coze(history("Success", output="x" * 100_000))).run(given, disk=50_000)
    expect(done, 1, "没有写成")
    assert (done.printed[0]["outputs"], "结果已保存" in done.stdout) == ("x" * 100_000, False)
    assert f"保存为 {given}（" in done.stderr
    assert os.listdir(tmp_path / "here") == ["r.json"]
    assert json.loads((tmp_path / given).read_text(encoding="utf-8")) == saved_record()


@pytest.mark.parametrize(
    "end", ["attempts", "lasting", pytest.param("ctrl-c", marks=pytest.mark.posix)]
)
@pytest.mark.parametrize("loss", ["file", "emptied", "folder"])
def test_file_that_disappears_while_polling(coze, script, tmp_path, end, loss):
    """离开之前再写一次；文件夹没有了就打印出来，不另建文件夹。照屏幕上说的，一定能接着等。"""
    folder = tmp_path / "runs here"
    folder.mkdir()
    path = saved(folder / "7_20251028T155840.json", run_id="7")
    server = coze(RUNNING, Reply({"code": 4100} if end == "lasting" else RUNNING, delay=0.5), HANG)
    one = script(ASYNC, server, MAX_POLL_ATTEMPTS=3 if end == "ctrl-c" else 2)
    process = one.start(os.path.join(folder.name, path.name), until=2)
    {
        "file": path.unlink,
        "emptied": lambda: path.write_text(""),
        "folder": lambda: shutil.rmtree(folder),
    }[loss]()
    if end == "ctrl-c":
        wait_for(lambda: len(server.requests) == 3)
        process.send_signal(signal.SIGINT)
    done = one.finish(process)
    assert done.status == {"attempts": 3, "lasting": 1, "ctrl-c": CTRL_C}[end]
    assert folder.exists() == (loss != "folder")
    left = tmp_path / done.command[-1].replace("\\", "/")
    if loss == "folder":
        folder.mkdir()
        left.write_text(json.dumps(done.printed[-1]))
    assert json.loads(left.read_text(encoding="utf-8"))["inputs"] == {"from": "file"}
    assert script(ASYNC, coze(SUCCESS)).run(done.command[-1]).status == 0


@BOTH
@pytest.mark.parametrize("status", ["running", "completed"])
@pytest.mark.parametrize("screen", ["stdout", "stderr", "none"])
def test_record_that_cannot_be_written_is_on_the_screen(
    coze, script, tmp_path, name, status, screen
):
    """名字被一个文件夹占了；标准输出没有了就用标准错误。全是 ASCII：GBK 控制台也不会改动它。"""
    started = [{"run_id": "r", "status": "running", **TIMES}] * (name == ASYNC)
    (tmp_path / "r_20251028T155840.json").mkdir()
    server = coze(*started, {"run_id": "r", "status": status, "output": [1], **TIMES})
    settings = {"MAX_POLL_ATTEMPTS": 1} if name == ASYNC else {}
    one = script(name, server, INPUTS={"a": "café 😀"}, **settings)
    one.rewrite("range(20)", "range(2)")
    one.environment["PYTHONIOENCODING"] = "gbk"
    process = one.start()
    for stream in {"stdout": [], "stderr": ["stdout"], "none": ["stdout", "stderr"]}[screen]:
        getattr(process, stream).close()
        setattr(process, stream, None)
    unfinished = name == ASYNC and status == "running"
    done = one.finish(process)
    assert (done.status, done.leftovers) == (3 if unfinished else 1, [])
    if screen == "none":
        return
    expect(done, done.status, "没有写成", "保存为 r_20251028T155840.json（UTF-8")
    record = f'"status": "{status}",\n  "inputs": {{\n    "a": "caf\\u00e9 \\ud83d\\ude00"\n  }},\n'
    record += '  "outputs": [\n    1\n  ],\n' if status == "completed" else ""
    assert (record in done.stdout, record in done.stderr) == (
        screen == "stdout",
        screen == "stderr",
    )
    assert "结果已保存" not in done.stdout
    assert ("接着等" in done.stderr) == (status == "running")  # 已经结束的，不叫人接着等


def test_record_that_is_not_kept_has_no_place(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(w, "SCRIPT", os.path.join(os.sep, "elsewhere", "x.py"))
    assert w.keep(saved_record(), "r.json").startswith("结果已保存到文件: r.json\n所在的文件夹: ")
    assert w.keep(saved_record(), "gone/r.json") == ""
    assert json.loads(capsys.readouterr().out) == saved_record()


def test_command_and_folder_when_run_from_elsewhere(coze, script, tmp_path):
    """从另一个文件夹运行（编辑器的运行按钮就是这样），脚本改了名字，路径里有空格。"""
    home = tmp_path / "my scripts"
    home.mkdir()
    one = script(ASYNC, coze(STARTED, RUNNING, SUCCESS), MAX_POLL_ATTEMPTS=1)
    shutil.move(one.path, home / "my run.py")
    given = os.path.join(home.name, "my run.py")
    done = expect(one.run(script=given), 3, "MAX_POLL_ATTEMPTS")
    line = done.stderr.splitlines()[-1]
    assert line == f'{"python" if WINDOWS else "python3"} "{given}" "{done.names[0]}"'
    done = expect(one.run(done.names[0], script=given), 0, outputs="done")
    assert f"文件: {done.names[0]}\n所在的文件夹: {tmp_path}\n" in done.stdout.replace(
        "Z:", ""
    ).replace("\\", "/")


def test_sync_script_names_the_async_script_beside_it(coze, script, tmp_path):
    one = script(SYNC, coze({"run_id": "7", "status": "running"}))
    here = os.path.join("..", tmp_path.name)
    done = expect(one.run(script=os.path.join(here, SYNC)), 1, "运行 ID (run_id): 7")
    command = [part.replace("\\", "/") for part in done.command[1:]]
    assert command == [f"../{tmp_path.name}/{ASYNC}", done.names[0]]


def saved_record(**changes):
    record = {"run_id": "77", "workflow_id": "w/9", "status": "running", "inputs": {"from": "file"}}
    record.update(**TIMES, response=STARTED)
    return {name: value for name, value in {**record, **changes}.items() if value is not None}


def saved(path, **changes):
    path.write_text(json.dumps(saved_record(**changes)), encoding="utf-8")
    return path


def test_resume(coze, script, tmp_path):
    """运行 ID、工作流 ID 和输入取自文件，文件留在它的文件夹里。"""
    folder = tmp_path / "some(where)"
    folder.mkdir()
    saved(folder / "r.json")
    given = os.path.join("some(where)", "r.json")
    server = coze(MOVED, RUNNING, SUCCESS)
    settings = {"WORKFLOW_ID": "your_actual_workflow_id", "INPUTS": None}
    done = script(ASYNC, server, MAX_POLL_ATTEMPTS=1, **settings).run(given)
    assert (done.status, done.names, done.command[-1]) == (3, [], given)
    done = script(ASYNC, server, WORKFLOW_ID="", INPUTS=5).run(given)
    assert (done.status, [path.name for path in folder.iterdir()]) == (0, ["r.json"])
    record = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    kept = saved_record(status="completed", outputs="done")
    assert {**record, "updated_at": TIMES["updated_at"], "response": STARTED} == kept
    paths = {path for _, path, _, _ in server.requests}
    assert paths == {"/v1/workflows/w%2F9/run_histories/77"}
    assert "执行完成！" in done.stdout


def test_resume_checks_the_other_settings(coze, script, tmp_path):
    saved(tmp_path / "r.json")
    done = script(ASYNC, coze(), YOUR_ACCESS_TOKEN="", WORKFLOW_ID="", RUN_HISTORY_PATH="x").run(
        "r.json"
    )
    assert (done.status, done.requests, done.names) == (2, [], ["r.json"])
    assert [
        name in done.stderr for name in ("YOUR_ACCESS_TOKEN", "RUN_HISTORY_PATH", "WORKFLOW_ID")
    ] == [1, 1, 0]


ENDED = [
    (0, '"a": "甲"', {"status": "completed", "outputs": {"a": "甲"}}),
    (0, "执行完成", {"status": "completed", "outputs": ""}),
    (1, "no money", {"status": "failed", "error": {"code": "4011", "message": "no money"}}),
]


@pytest.mark.parametrize(("status", "shown", "changes"), ENDED)
def test_ended_record_is_shown_again(coze, script, tmp_path, status, shown, changes):
    saved(tmp_path / "r.json", **changes)
    done = script(ASYNC, coze(), YOUR_ACCESS_TOKEN="your_actual_access_token", WORKFLOW_ID="").run(
        "r.json"
    )
    assert (done.status, done.requests, done.names) == (status, [], ["r.json"])
    assert shown in done.stdout + done.stderr
    assert done.record == saved_record(**changes)


FOREIGN = [
    b"",
    b"not JSON",
    b"[1]",
    b"{}",
    b'"text"',
    b"\xff\xfe\xfd",
    b"[" * 100000,
    b"null",
    b"7",
]
CHANGES = [{"run_id": None}, {"inputs": None}, {"response": None}, {"status": None}]


def test_foreign_file_is_refused_and_left(coze, script, tmp_path):
    one, processes = script(ASYNC, coze()), {}
    changed = [json.dumps(saved_record(**changes)).encode() for changes in CHANGES]
    contents = [*FOREIGN, *changed]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.txt").write_bytes(content)
        processes[f"{number}.txt"] = one.start(f"{number}.txt")
    for name in "", "missing.json", ".", "no/such/folder.json":
        processes[name] = one.start(name)
    for name, process in processes.items():
        done = expect(one.finish(process), 2, f"不能使用记录文件 {name}: ", "没有发送任何请求")
        assert (done.stdout, done.requests, done.names) == ("", [], [])
        assert "没有运行" not in done.stderr  # 文件里的运行，也许正在进行
    assert [
        (tmp_path / f"{number}.txt").read_bytes() for number in range(len(contents))
    ] == contents


def test_edited_file_is_no_traceback(coze, script, tmp_path):
    """用户改过的记录：不出 Traceback。"""
    changes = [{"run_id": 7}, {"workflow_id": 9}, {"status": 1}, {"response": "x"}, {"status": []}]
    changes += [{"status": "completed"}, {"status": "failed"}, {"status": "failed", "error": "x"}]
    one = script(ASYNC, coze(), MAX_POLL_ATTEMPTS=1)
    for number, change in enumerate(changes):
        saved(tmp_path / f"{number}.txt", **change)
    processes = [one.start(f"{number}.txt") for number in range(len(changes))]
    assert {one.finish(process).status for process in processes} <= {0, 1, 2, 3}


def test_sync_reply_that_is_still_running_can_be_waited_for(coze, script):
    server = coze(
        {"run_id": "7", "status": "running"}, {"run_id": "7", "status": "completed", "output": 5}
    )
    done = goes_on(script(SYNC, server).run(), 1, status="running")
    expect(script(ASYNC, server).run(done.command[-1]), 0, outputs=5)


NAMED = {"debug_url": "https://x/?execute_id=7"}
NAMING = [
    *[Reply(NAMED, status) for status in (302, 400, 404)],
    *[Reply({**NAMED, "code": n}, n) for n in (500, 504)],
]


@pytest.mark.parametrize(
    "reply", [*NAMING, Reply(b'{"code": 0, "execute_id": "7", "msg": "\xe4\xbd"}')]
)
def test_reply_that_names_the_run_does_not_end_it(run, tmp_path, reply):
    """网关的错误，断在半个汉字上的回复，带着运行 ID：运行可能还在继续。"""
    if reply.status >= 300:
        done = goes_on(run(SYNC, reply), 1, status="pending", response=reply.body)
        (tmp_path / done.names[0]).unlink()
    expect(run(ASYNC, reply, SUCCESS), 0, run_id="7", outputs="done")


PASSING = [
    *[Reply(SUCCESS, fault=fault) for fault in ("reset", "close", "half", "stall", "hang", "drip")],
    *[
        html(status, f"<html>{status} from a gateway</html>")
        for status in (502, 429, 408, 425, 200)
    ],
    *map(Reply, ("junk", "", "[]", "null", b"\xff\xfe", {})),
    *[Reply({"code": 0, "data": data}) for data in ([None], [{"execute_status": None}], "text")],
    *[
        Reply({"code": 0, "data": data}, status)
        for data in (SUCCESS["data"], [])
        for status in (500, 502)
    ],
    Reply({"error": "temporarily unavailable"}),
    Reply({"message": "upstream gone"}, 503),
    Reply({**SUCCESS, "code": 720701013, "msg": "server issues"}),
    Reply({"code": 429, "msg": "a gateway's words"}, 429),
    Reply({"error_code": "5000", "error_message": "no entry"}),
    Reply({"code": 4314, "msg": "no such execution"}, 404),
    Reply({"code": "5000", "msg": "internal"}, 400),
    Reply({"code": 987655, "msg": "unheard of", "data": None}),
]


def test_passing_trouble_is_polled_through(run):
    """每一种故障一次查询，每次只说一行，最后等到结果。"""
    empty = [Reply({"code": 0, "data": []}), Reply({"code": 0, "data": None})]
    done = expect(
        run(ASYNC, STARTED, *empty, *PASSING, SUCCESS, QUERY_TIMEOUT=0.4),
        0,
        "不受影响",
        outputs="done",
    )
    assert done.stdout.count("Coze 还没有这次运行的状态") == 2
    assert (len(done.requests), len(done.stderr.splitlines())) == (len(PASSING) + 4, len(PASSING))
    for reply, trouble in zip(PASSING, done.stderr.splitlines()):
        body = reply.body if isinstance(reply.body, dict) else {"msg": reply.body}
        said = body.get("msg", body.get("error", ""))
        assert "这次没有查到，运行不受影响，稍后再查: " in trouble
        is_whole = isinstance(said, str) and said in trouble and f"HTTP {reply.status}" in trouble
        assert is_whole or reply.fault or isinstance(said, bytes)
        assert "RUN_HISTORY_PATH" not in trouble


def test_server_that_goes_away_for_a_while(coze, script):
    """查询途中服务器停了，再回来：连接被拒绝也轮询过去。"""
    one = script(
        ASYNC,
        coze(STARTED, RUNNING),
        INITIAL_POLL_INTERVAL=0.1,
        MAX_POLL_INTERVAL=0.3,
    )
    process = one.start(until=2)
    one.server.__exit__()
    time.sleep(1)
    with FakeCoze(replies=[SUCCESS], port=one.server.server_address[1]) as one.server:
        done = expect(one.finish(process), 0, "运行不受影响", outputs="done")
    assert len(done.requests) == 1


LASTING = [
    Reply({"code": "4200", "msg": "stop here"}),
    Reply({"code": 4000, "msg": "stop here"}),
    Reply({"code": 4100, "msg": "stop here"}, 503),
    Reply({"code": 4101, "msg": "stop here", "detail": {"logid": "L9"}}),
    Reply({"code": 0, "message": "stop here"}, 401),
    Reply({"code": 700012006, "msg": "stop here: access token invalid"}),
    Reply({"code": 700012006, "msg": "stop here: missing session_key in cookie"}),
    Reply({"code": 401, "msg": "stop here: missing session_key in cookie"}, 401),
    Reply({"code": 404, "msg": "stop here"}, 404),
    Reply({"code": 403, "msg": "stop here"}, 403),
    html(302, "<html>stop here</html>", Location="http://hotel.example/login"),
    *[html(status, "<html>stop here</html>") for status in (404, 400, 401, 403, 499)],
]


@pytest.mark.parametrize(
    "reply", LASTING, ids=lambda reply: f"{reply.status}-{str(reply.body)[:30]}"
)
def test_what_does_not_pass_stops_at_once(coze, script, reply):
    one = script(ASYNC, coze(STARTED, reply, SUCCESS))
    done = goes_on(one.run(), 1, "stop here", f"HTTP 状态: {reply.status}", status="pending")
    assert len(done.requests) == 2
    assert ("listRunHistory" in done.stderr) == ("L9" in done.stderr)
    is_absent = reply.status == 404 or "session_key" in str(reply.body)
    assert ("RUN_HISTORY_PATH" in done.stderr) == is_absent  # 过期的令牌不说地址
    has_code = isinstance(reply.body, dict) and reply.body["code"] not in (0, reply.status)
    assert ("API_BASE" in done.stderr) or (has_code and "4000" in done.stderr)
