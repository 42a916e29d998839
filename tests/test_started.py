"""启动了的运行不会丢：文件、命令、接着等、轮询时真实的网络故障。"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ASYNC, BOTH, PYTHON, STARTED, SYNC, TIMES, WINDOWS, expect, history, html, limit_files, wait_for
from fake_coze import FakeCoze, Reply

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
    done = expect(one.finish(process), -getattr(signal, how), run_id="7", inputs={"a": "甲"}, status=status)
    assert done.names[0].endswith("20241029T035423.json") == bool(replies)


@pytest.mark.parametrize("is_taken", [False, True])
def test_file_moves_to_its_final_name(run, tmp_path, is_taken):
    """不能改成正式的名字时，结果留在原来的文件里，不算失败。"""
    name = "7_20241029T035423.json"
    if is_taken:
        (tmp_path / name).mkdir()
    done = expect(run(ASYNC, STARTED, RUNNING, MOVED, SUCCESS), 0, outputs="done", created_at="2024-10-29T03:54:23Z")
    assert (name in done.names, len(done.names), done.leftovers) == (not is_taken, 1, [])
    assert f"结果已保存到文件: {done.names[0]}" in done.stdout


@pytest.mark.posix
def test_killed_at_any_moment_leaves_one_complete_file(coze, script, tmp_path):
    """每次查询都改变状态和 create_time，于是一直在写 1 MB 的文件和改名；在随机的时刻 kill -9。"""
    for delay in range(6):
        states = [history(f"State{i}", create_time=1730174063 + i, output="x" * 1_000_000) for i in range(300)]
        one = script(ASYNC, coze(STARTED, *states), INITIAL_POLL_INTERVAL=0.000001, MAX_POLL_ATTEMPTS=5000)
        process = one.start(until=4)
        time.sleep(delay * 0.006)
        process.kill()
        done = one.finish(process)
        assert (done.record["run_id"], len(done.leftovers) <= 1) == ("7", True)
        for path in tmp_path.glob("*.json*"):
            path.unlink()


@pytest.mark.posix
def test_folder_that_cannot_be_written(coze, script, tmp_path):
    """记录立刻在屏幕上，状态变了才再说；照说的存下来就能接着等。"""
    one = script(ASYNC, coze(STARTED, RUNNING, RUNNING, RUNNING, HANG), INPUTS={"a": "甲 😀"})
    process = one.start(disk=0, until=5)
    process.kill()  # 终端关了也不要紧：已经在屏幕上了
    done = one.finish(process)
    assert (done.names, done.leftovers, done.stderr.count("文件没有写成")) == ([], [], 2)
    assert [record["status"] for record in done.printed] == ["pending", "running"]
    assert done.stdout.index('"inputs": {\n    "a": "\\u7532 \\ud83d\\ude00"') < done.stdout.index("第 1 次查询")
    name = done.stderr.splitlines()[-1].split()[-1]
    for encoding in ("utf-16", "utf-8-sig"):  # PowerShell 的 > 和旧版记事本这样存
        (tmp_path / name).write_text(json.dumps(done.printed[-1]), encoding=encoding)
        one.server.replies.append(Reply(SUCCESS))
        expect(one.run(name), 0, outputs="done", inputs={"a": "甲 😀"})


@pytest.mark.posix
def test_folder_that_becomes_writable(coze, script):
    one = script(ASYNC, coze(STARTED, RUNNING, Reply(RUNNING, delay=0.5), SUCCESS))
    process = one.start(disk=0, until=3)
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
    assert (done.command[1:], os.listdir(tmp_path / "here")) == ([ASYNC, given], ["r.json"])
    assert json.loads((tmp_path / given).read_text(encoding="utf-8")) == saved_record()


@pytest.mark.parametrize("end", ["attempts", "lasting", pytest.param("ctrl-c", marks=pytest.mark.posix)])
@pytest.mark.parametrize("loss", ["file", "emptied", "folder"])
def test_file_that_disappears_while_polling(coze, script, tmp_path, end, loss):
    """离开之前再写一次；文件夹没有了就打印出来，不另建文件夹。照屏幕上说的，一定能接着等。"""
    folder = tmp_path / "runs here"
    folder.mkdir()
    path = saved(folder / "7_20251028T155840.json", run_id="7")
    server = coze(RUNNING, Reply({"code": 4100} if end == "lasting" else RUNNING, delay=0.5), HANG)
    one = script(ASYNC, server, MAX_POLL_ATTEMPTS=3 if end == "ctrl-c" else 2)
    process = one.start(os.path.join(folder.name, path.name), until=2)
    {"file": path.unlink, "emptied": lambda: path.write_text(""), "folder": lambda: shutil.rmtree(folder)}[loss]()
    if end == "ctrl-c":
        wait_for(lambda: len(server.requests) == 3)
        process.send_signal(signal.SIGINT)
    done = one.finish(process)
    assert done.status == {"attempts": 3, "lasting": 1, "ctrl-c": 130}[end]
    assert folder.exists() == (loss != "folder")
    left = tmp_path / done.command[-1].replace("\\", "/")
    if loss == "folder":
        left.write_text(json.dumps(done.printed[-1]))
    assert json.loads(left.read_text(encoding="utf-8"))["inputs"] == {"from": "file"}
    assert script(ASYNC, coze(SUCCESS)).run(done.command[-1]).status == 0


@BOTH
@pytest.mark.parametrize("status", ["running", "completed"])
@pytest.mark.parametrize("screen", ["stdout", "stderr"])
def test_record_that_cannot_be_written_is_on_the_screen(coze, script, tmp_path, name, status, screen):
    """名字被一个文件夹占了；标准输出没有了就用标准错误。全是 ASCII：GBK 控制台也不会改动它。不留下临时文件。"""
    started = [{"run_id": "r", "status": "running", **TIMES}] * (name == ASYNC)
    (tmp_path / "r_20251028T155840.json").mkdir()
    server = coze(*started, {"run_id": "r", "status": status, "output": [1], **TIMES})
    one = script(name, server, INPUTS={"a": "café 😀"}, **({"MAX_POLL_ATTEMPTS": 1} if name == ASYNC else {}))
    one.environment["PYTHONIOENCODING"] = "gbk"
    process = one.start()
    if screen == "stderr":
        process.stdout.close()
        process.stdout = None
    unfinished = name == ASYNC and status == "running"
    done = expect(one.finish(process), 3 if unfinished else 1, "没有写成", "UTF-8", f"{ASYNC} r_20251028T155840.json\n")
    record = f'"status": "{status}",\n  "inputs": {{\n    "a": "caf\\u00e9 \\ud83d\\ude00"\n  }},\n'
    record += '  "outputs": [\n    1\n  ],\n' if status == "completed" else ""
    assert (record in done.stdout, record in done.stderr) == (screen == "stdout", screen == "stderr")
    assert (done.leftovers, "结果已保存" in done.stdout) == ([], False)


def test_printed_command_works_where_it_is_printed(coze, script, tmp_path):
    """从另一个文件夹运行（编辑器的运行按钮就是这样），脚本改了名字，路径里有空格和 $。"""
    home = tmp_path / "my $cripts"
    home.mkdir()
    one = script(ASYNC, coze(STARTED, RUNNING, SUCCESS), MAX_POLL_ATTEMPTS=1)
    shutil.move(one.path, home / "my run.py")
    given = os.path.join(home.name, "my run.py")
    done = expect(one.run(script=given), 3, "MAX_POLL_ATTEMPTS")
    assert done.command[1:] == [given, done.names[0]]
    line = done.stderr.splitlines()[-1]
    assert not WINDOWS or line == subprocess.list2cmdline(done.command)
    expect(one.run(command=[PYTHON, *done.command[1:]] if WINDOWS else ["sh", "-c", line]), 0, outputs="done")


@pytest.mark.posix
@pytest.mark.parametrize("found", ["this", "another", "none"])
def test_python_of_the_command(coze, script, tmp_path, found):
    """`python` 是正在运行的解释器才写 python，否则写它的路径；同步脚本说的是旁边的异步脚本。"""
    one = script(SYNC, coze({"run_id": "7", "status": "running"}))
    (tmp_path / "bin").mkdir()
    if found == "another":
        (tmp_path / "bin/python").symlink_to(PYTHON)
    one.environment["PATH"] = os.fspath(Path(PYTHON).parent if found == "this" else tmp_path / "bin")
    here = os.path.join("..", tmp_path.name)
    done = expect(one.run(script=os.path.join(here, SYNC)), 1, "运行 ID (run_id): 7")
    assert done.command == ["python" if found == "this" else PYTHON, os.path.join(here, ASYNC), done.names[0]]


def saved_record(**changes):
    record = {"run_id": "77", "workflow_id": "w/9", "status": "running", "inputs": {"from": "file"}}
    record.update(**TIMES, response=STARTED)
    return {name: value for name, value in {**record, **changes}.items() if value is not None}


def saved(path, **changes):
    path.write_text(json.dumps(saved_record(**changes)), encoding="utf-8")
    return path


def test_resume(coze, script, tmp_path):
    """运行 ID、工作流 ID 和输入取自文件，文件留在它的文件夹里，改成正式的名字。"""
    folder = tmp_path / "some(where)"
    folder.mkdir()
    saved(folder / "r.json")
    server = coze(MOVED, RUNNING, SUCCESS)
    one = script(ASYNC, server, WORKFLOW_ID="your_actual_workflow_id", INPUTS=None, MAX_POLL_ATTEMPTS=1)
    done = one.run(os.path.join("some(where)", "r.json"))
    moved = os.path.join("some(where)", "77_20241029T035423.json")
    assert (done.status, done.names, done.command[-1].replace("\\", "/")) == (3, [], moved)
    assert "上次状态: running" in done.stdout
    done = script(ASYNC, server, WORKFLOW_ID="", INPUTS=5).run(moved)
    assert (done.status, [path.name for path in folder.iterdir()]) == (0, ["77_20241029T035423.json"])
    record = json.loads((tmp_path / moved).read_text(encoding="utf-8"))
    kept = saved_record(status="completed", outputs="done", created_at="2024-10-29T03:54:23Z")
    assert {**record, "updated_at": TIMES["updated_at"], "response": STARTED} == kept
    assert {path for _, path, _, _ in server.requests} == {"/v1/workflows/w%2F9/run_histories/77"}
    assert "执行完成！" in done.stdout


def test_resume_checks_the_other_settings(coze, script, tmp_path):
    saved(tmp_path / "r.json")
    done = script(ASYNC, coze(), YOUR_ACCESS_TOKEN="", WORKFLOW_ID="", RUN_HISTORY_PATH="x").run("r.json")
    assert (done.status, done.requests, done.names) == (2, [], ["r.json"])
    assert [name in done.stderr for name in ("YOUR_ACCESS_TOKEN", "RUN_HISTORY_PATH", "WORKFLOW_ID")] == [1, 1, 0]


ENDED = [
    (0, '"a": "甲"', {"status": "completed", "outputs": {"a": "甲"}}),
    (0, "执行完成", {"status": "completed", "outputs": ""}),
    (1, "no money", {"status": "failed", "error": {"code": "4011", "message": "no money"}}),
]


@pytest.mark.parametrize(("status", "shown", "changes"), ENDED)
def test_ended_record_is_shown_again(coze, script, tmp_path, status, shown, changes):
    saved(tmp_path / "r.json", **changes)
    done = script(ASYNC, coze(), YOUR_ACCESS_TOKEN="your_actual_access_token", WORKFLOW_ID="").run("r.json")
    assert (done.status, done.requests, done.names) == (status, [], ["r.json"])
    assert shown in done.stdout + done.stderr
    assert done.record == saved_record(**changes)


FOREIGN = [b"", b"not JSON", b"[1]", b"{}", b'"text"', b"\xff\xfe\xfd", b"[" * 100000, b"null", b"7"]
CHANGES = [{"run_id": 7}, {"run_id": ""}, {"workflow_id": None}, {"inputs": [1]}, {"response": "x"}, {"status": 1}]
CHANGES += [{"status": []}, {"created_at": "../../x"}, {"status": "completed"}, {"status": "failed"}]
CHANGES += [{"status": "failed", "error": error} for error in ("words", {"code": "1", "message": 5})]


def test_foreign_file_is_refused_and_left(coze, script, tmp_path):
    one, processes = script(ASYNC, coze()), {}
    contents = [*FOREIGN, *(json.dumps(saved_record(**changes)).encode() for changes in CHANGES)]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}.txt").write_bytes(content)
        processes[f"{number}.txt"] = one.start(f"{number}.txt")
    for name in "", "missing.json", ".", "no/such/folder.json":
        processes[name] = one.start(name)
    for name, process in processes.items():
        done = expect(one.finish(process), 2, f"不能使用记录文件 {name}: ")
        assert (done.stdout, done.requests, done.names) == ("", [], [])
    assert [(tmp_path / f"{number}.txt").read_bytes() for number in range(len(contents))] == contents


def test_sync_reply_that_is_still_running_can_be_waited_for(coze, script):
    server = coze({"run_id": "7", "status": "running"}, {"run_id": "7", "status": "completed", "output": 5})
    done = goes_on(script(SYNC, server).run(), 1, status="running")
    expect(script(ASYNC, server).run(done.command[-1]), 0, outputs=5)


NAMED = {"debug_url": "https://x/?execute_id=7"}
NAMING = [*[Reply(NAMED, status) for status in (302, 400, 404)], *[Reply({**NAMED, "code": n}, n) for n in (500, 504)]]


@pytest.mark.parametrize("reply", [*NAMING, Reply(b'{"code": 0, "execute_id": "7", "msg": "\xe4\xbd"}')])
def test_reply_that_names_the_run_does_not_end_it(run, tmp_path, reply):
    """网关的错误，断在半个汉字上的回复，带着运行 ID：运行可能还在继续。"""
    if reply.status >= 300:
        done = goes_on(run(SYNC, reply), 1, status="pending", response=reply.body)
        (tmp_path / done.names[0]).unlink()
    expect(run(ASYNC, reply, SUCCESS), 0, run_id="7", outputs="done")


PASSING = [
    *[Reply(SUCCESS, fault=fault) for fault in ("reset", "close", "half", "stall", "hang", "drip")],
    *[html(status, f"<html>{status} from a gateway</html>") for status in (502, 429, 408, 425, 200)],
    html(302, "<html>login to the hotel</html>", Location="http://hotel.example/login"),
    *map(Reply, ("junk", "", "[]", "null", b"\xff\xfe", {})),
    *[Reply({"code": 0, "data": data}) for data in ([None], [{"execute_status": None}], "text")],
    *[Reply({"code": 0, "data": data}, status) for data in (SUCCESS["data"], []) for status in (300, 500)],
    Reply({"error": "temporarily unavailable"}),
    Reply({"message": "upstream gone"}, 503),
    *[Reply({**SUCCESS, "code": 700012006, "msg": "authentication failed"}, status) for status in (200, 401)],
    Reply({"code": 4314, "msg": "no such execution"}, 404),
    Reply({"code": "5000", "msg": "internal"}, 400),
    Reply({"code": 987655, "msg": "unheard of", "data": None}),
]


def test_passing_trouble_is_polled_through(run):
    """每一种故障一次查询，每次只说一行，最后等到结果。"""
    empty = [Reply({"code": 0, "data": []}), Reply({"code": 0, "data": None})]
    done = expect(run(ASYNC, STARTED, *empty, *PASSING, SUCCESS, QUERY_TIMEOUT=0.4), 0, "不受影响", outputs="done")
    assert done.stdout.count("Coze 还没有这次运行的状态") == 2
    assert (len(done.requests), len(done.stderr.splitlines())) == (len(PASSING) + 4, len(PASSING))
    for reply, trouble in zip(PASSING, done.stderr.splitlines()):
        said = reply.body.get("msg", reply.body.get("error", "")) if isinstance(reply.body, dict) else reply.body
        said = reply.headers.get("Location", said if isinstance(said, str) else "")
        assert "运行不受影响" in trouble
        assert reply.fault or (f"HTTP {reply.status}" in trouble and said in trouble)


def test_server_that_goes_away_for_a_while(coze, script):
    """查询途中服务器停了，再回来：连接被拒绝也轮询过去。"""
    one = script(ASYNC, coze(STARTED, RUNNING), INITIAL_POLL_INTERVAL=0.1, MAX_POLL_INTERVAL=0.3, CONNECT_RETRIES=0)
    process = one.start(until=2)
    one.server.__exit__()
    time.sleep(1)
    with FakeCoze(replies=[SUCCESS], port=one.server.server_address[1]) as one.server:
        done = expect(one.finish(process), 0, "ConnectionRefusedError", outputs="done")
    assert len(done.requests) == 1


LASTING = [
    Reply({"code": "4200", "msg": "stop here"}),
    Reply({"code": 4000, "msg": "stop here"}),
    Reply({"code": 4100, "msg": "stop here"}, 503),
    Reply({"code": 4101, "msg": "stop here", "detail": {"logid": "L9"}}),
    Reply({"code": 0, "message": "stop here"}, 401),
    *[html(status, "<html>stop here</html>") for status in (404, 400, 499)],
]


@pytest.mark.parametrize("reply", LASTING, ids=lambda reply: f"{reply.status}-{str(reply.body)[:30]}")
def test_what_does_not_pass_stops_at_once(coze, script, reply):
    one = script(ASYNC, coze(STARTED, reply, SUCCESS))
    done = goes_on(one.run(), 1, "stop here", f"HTTP 状态: {reply.status}", status="pending")
    assert len(done.requests) == 2
    assert ("listRunHistory" in done.stderr) == ("logid: L9" in done.stderr)
    assert ("RUN_HISTORY_PATH" in done.stderr) == (reply.status == 404)
    assert one.run(done.command[-1]).status == 0
