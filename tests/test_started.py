"""启动了的运行不会丢：文件、命令、接着等、轮询时真实的网络故障。"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ASYNC, BOTH, PYTHON, STARTED, SYNC, TIMES, WINDOWS, history, html, limit_files, wait_for
from fake_coze import FakeCoze, Reply

SUCCESS = history("Success", output='{"Output": "done"}')
RUNNING = history("Running")
HANG = Reply({}, fault="hang")


def goes_on(done, status=1):
    """脚本停了，运行还在继续：说出 ID 和命令，记录在命令里的文件中。"""
    assert done.status == status
    assert "运行 ID (run_id): 7\n" in done.stderr
    assert "继续" in done.stderr
    assert "不会重复计费" in done.stderr
    assert done.command[1:] == [ASYNC, done.names[0]]
    return done.record


# ---------------------------------- 文件 ----------------------------------


@pytest.mark.posix
@pytest.mark.parametrize("how", ["SIGKILL", "SIGTERM", "SIGINT"])
@pytest.mark.parametrize("state", ["pending", "running"])
def test_the_folder_holds_the_run_however_the_script_ends(coze, script, tmp_path, how, state):
    replies = [history("Running", create_time=1730174063)] if state == "running" else []
    server = coze(STARTED, *replies, HANG)
    one = script(ASYNC, server, INPUTS={"a": "甲"})
    process = one.start()
    wait_for(lambda: len(server.requests) == 2 + len(replies))
    assert len(list(tmp_path.glob("*.json"))) == 1  # 第一次查询之前就在了
    process.send_signal(getattr(signal, how))
    done = one.finish(process)
    assert (done.record["run_id"], done.record["inputs"], done.record["status"]) == ("7", {"a": "甲"}, state)
    assert done.names[0].endswith("20241029T035423.json") == bool(replies)
    if how == "SIGINT":
        goes_on(done, 130)


def test_file_moves_to_its_final_name(coze, script):
    server = coze(STARTED, RUNNING, history("Running", create_time=1730174063), SUCCESS)
    done = script(ASYNC, server).run()
    assert (done.status, done.names, done.leftovers) == (0, ["7_20241029T035423.json"], [])
    assert done.record["created_at"] == "2024-10-29T03:54:23Z"


@pytest.mark.posix
def test_killed_at_any_moment_leaves_one_complete_file(coze, script, tmp_path):
    """每次查询都改变状态和 create_time，于是一直在写文件和改名；在随机的时刻 kill -9。"""
    for delay in range(6):
        server = coze(STARTED, *[history(f"State{i}", create_time=1730174063 + i) for i in range(2000)])
        one = script(ASYNC, server, INITIAL_POLL_INTERVAL=0.000001, MAX_POLL_ATTEMPTS=5000)
        process = one.start()
        wait_for(lambda requests=server.requests: len(requests) > 3)
        time.sleep(delay * 0.006)
        process.kill()
        done = one.finish(process)
        assert done.record["run_id"] == "7"
        assert len(done.leftovers) <= 1
        for path in [*tmp_path.glob("*.json"), *tmp_path.glob("*.tmp")]:
            path.unlink()


@pytest.mark.posix
def test_folder_that_cannot_be_written(coze, script, tmp_path):
    """记录立刻在屏幕上，状态变了才再说；照说的存下来就能接着等。"""
    server = coze(STARTED, RUNNING, RUNNING, RUNNING, HANG)
    one = script(ASYNC, server, INPUTS={"a": "甲 😀"})
    process = one.start(disk=0, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for(lambda: len(server.requests) == 5)
    process.kill()  # 终端关了也不要紧：已经在屏幕上了
    done = one.finish(process)
    assert (done.names, done.leftovers) == ([], [])
    assert [record["status"] for record in done.printed] == ["pending", "running"]
    assert done.stdout.index('"inputs": {\n    "a": "\\u7532 \\ud83d\\ude00"') < done.stdout.index("第 1 次查询")
    assert done.stderr.count("文件没有写成") == 2
    line = done.stderr.splitlines()[-1]
    name = line.split()[-1]
    for encoding in ("utf-16", "utf-8-sig"):  # PowerShell 的 > 和旧版记事本这样存
        (tmp_path / name).write_text(json.dumps(done.printed[-1]), encoding=encoding)
        server.replies.append(Reply(SUCCESS))
        resumed = one.run(name)
        assert (resumed.status, resumed.record["outputs"], resumed.record["inputs"]) == (0, "done", {"a": "甲 😀"})


@pytest.mark.posix
def test_folder_that_becomes_writable(coze, script):
    server = coze(STARTED, RUNNING, Reply(RUNNING, delay=0.5), SUCCESS)
    one = script(ASYNC, server)
    process = one.start(disk=0)
    wait_for(lambda: len(server.requests) == 3)
    limit_files(process.pid, -1)
    done = one.finish(process)
    assert (done.status, done.record["outputs"]) == (0, "done")


@pytest.mark.posix
def test_disk_that_fills_up(coze, script):
    """启动时写成了，结果写不下：结果打印出来，原来的文件还在，还能接着等。"""
    server = coze(STARTED, Reply(history("Success", output="x" * 100_000), delay=0.3))
    one = script(ASYNC, server)
    process = one.start(disk=50_000)
    done = one.finish(process)
    assert (done.status, done.record["status"], done.leftovers) == (1, "pending", [])
    assert done.printed[0]["outputs"] == "x" * 100_000
    assert done.command[1:] == [ASYNC, done.names[0]]
    assert "结果已保存" not in done.stdout


@pytest.mark.parametrize("end", ["attempts", "lasting", pytest.param("ctrl-c", marks=pytest.mark.posix)])
@pytest.mark.parametrize("loss", ["file", "emptied", "folder"])
def test_file_that_disappears_while_polling(coze, script, tmp_path, end, loss):
    """离开之前再写一次；文件夹没有了就打印出来，不另建文件夹。照屏幕上说的，一定能接着等。"""
    folder = tmp_path / "runs here"
    folder.mkdir()
    path = folder / "7_20251028T155840.json"
    path.write_text(json.dumps(saved_record(run_id="7")), encoding="utf-8")
    last = {"attempts": RUNNING, "lasting": {"code": 4100, "msg": "expired"}, "ctrl-c": RUNNING}[end]
    server = coze(RUNNING, Reply(last, delay=0.5), HANG)
    one = script(ASYNC, server, MAX_POLL_ATTEMPTS=3 if end == "ctrl-c" else 2)
    process = one.start(os.path.join(folder.name, path.name))
    wait_for(lambda: len(server.requests) == 2)
    if loss == "file":
        path.unlink()
    elif loss == "emptied":
        path.write_text("")
    else:
        shutil.rmtree(folder)
    if end == "ctrl-c":
        wait_for(lambda: len(server.requests) == 3)
        process.send_signal(signal.SIGINT)
    done = one.finish(process)
    assert done.status == {"attempts": 3, "lasting": 1, "ctrl-c": 130}[end]
    assert folder.exists() == (loss != "folder")
    saved = tmp_path / done.command[-1].replace("\\", "/")
    if loss == "folder":
        saved.write_text(json.dumps(done.printed[-1]))
    assert json.loads(saved.read_text(encoding="utf-8"))["inputs"] == {"from": "file"}
    one = script(ASYNC, coze(SUCCESS))
    assert one.run(done.command[-1]).status == 0


def test_final_name_that_is_taken(coze, script, tmp_path):
    """不能改成正式的名字：结果留在原来的文件里，不算失败。"""
    server = coze(STARTED, history("Success", output="x", create_time=1730174063))
    (tmp_path / "7_20241029T035423.json").mkdir()
    done = script(ASYNC, server).run()
    assert (done.status, done.stderr, done.record["outputs"]) == (0, "", "x")
    assert f"结果已保存到文件: {done.names[0]}" in done.stdout


@BOTH
def test_running_record_that_cannot_be_written_is_printed(coze, script, tmp_path, name):
    """打印的记录全是 ASCII：GBK 控制台也不会改动它。"""
    server = coze(*[{"run_id": "r", "status": "running", **TIMES}] * 2)
    (tmp_path / "r_20251028T155840.json").mkdir()
    one = script(name, server, INPUTS={"a": "café 😀"}, **({"MAX_POLL_ATTEMPTS": 1} if name == ASYNC else {}))
    one.environment["PYTHONIOENCODING"] = "gbk"
    done = one.finish(one.start(), encoding="gbk")
    assert done.status == (3 if name == ASYNC else 1)
    assert (done.printed[-1]["status"], done.printed[-1]["inputs"]) == ("running", {"a": "café 😀"})
    assert "UTF-8" in done.stderr
    assert done.stderr.splitlines()[-1].endswith(f"{ASYNC} r_20251028T155840.json")


# ---------------------------------- 命令 ----------------------------------


def test_printed_command_works_where_it_is_printed(coze, script, tmp_path):
    """从另一个文件夹运行（编辑器的运行按钮就是这样），脚本改了名字，路径里有空格。"""
    home = tmp_path / "my scripts"
    home.mkdir()
    server = coze(STARTED, RUNNING, SUCCESS)
    one = script(ASYNC, server, MAX_POLL_ATTEMPTS=1)
    shutil.move(one.path, home / "my run.py")
    given = os.path.join("my scripts", "my run.py")
    done = one.run(script=given)
    assert done.command == [done.command[0], given, done.names[0]]
    assert "MAX_POLL_ATTEMPTS" in done.stderr
    line = done.stderr.splitlines()[-1]
    if WINDOWS:
        assert line == subprocess.list2cmdline(done.command)
        resumed = one.run(*done.command[2:], script=done.command[1])
    else:
        resumed = one.finish(
            subprocess.Popen(line, shell=True, cwd=tmp_path, env=one.environment, stdout=-1, stderr=-1)
        )
    assert (resumed.status, resumed.record["outputs"]) == (0, "done")


@pytest.mark.posix
@pytest.mark.parametrize("found", ["this", "another", "none"])
def test_python_of_the_command(coze, script, tmp_path, found):
    """`python` 是正在运行的解释器才写 python，否则写它的路径；同步脚本说的是旁边的异步脚本。"""
    one = script(SYNC, coze({"run_id": "7", "status": "running"}))
    (tmp_path / "bin").mkdir()
    if found == "another":
        (tmp_path / "bin/python").symlink_to(PYTHON)
    one.environment["PATH"] = os.fspath(Path(PYTHON).parent if found == "this" else tmp_path / "bin")
    done = one.run(script=os.path.join("..", tmp_path.name, SYNC))
    assert done.command == [
        "python" if found == "this" else PYTHON,
        os.path.join("..", tmp_path.name, ASYNC),
        done.names[0],
    ]
    assert "运行 ID (run_id): 7" in done.stderr


# ---------------------------------- 接着等 ----------------------------------


def saved_record(**changes):
    record = {"run_id": "77", "workflow_id": "w/9", "status": "running", "inputs": {"from": "file"}}
    record.update(**TIMES, response=STARTED)
    record.update(changes)
    return {name: value for name, value in record.items() if value is not None}


def test_resume(coze, script, tmp_path):
    """运行 ID、工作流 ID 和输入取自文件，文件留在它的文件夹里，改成正式的名字。"""
    folder = tmp_path / "some(where)"
    folder.mkdir()
    (folder / "r.json").write_text(json.dumps(saved_record()), encoding="utf-8")
    server = coze(history("Running", create_time=1730174063), RUNNING, SUCCESS)
    one = script(ASYNC, server, WORKFLOW_ID="your_actual_workflow_id", INPUTS=None, MAX_POLL_ATTEMPTS=1)
    done = one.run(os.path.join("some(where)", "r.json"))
    moved = os.path.join("some(where)", "77_20241029T035423.json")
    assert (done.status, done.names, done.command[-1].replace("\\", "/")) == (3, [], moved)
    assert "上次状态: running" in done.stdout
    done = script(ASYNC, server, WORKFLOW_ID="", INPUTS=5).run(moved)
    assert (done.status, [path.name for path in folder.iterdir()]) == (0, ["77_20241029T035423.json"])
    record = json.loads((tmp_path / moved).read_text(encoding="utf-8"))
    assert (record["run_id"], record["workflow_id"], record["outputs"]) == ("77", "w/9", "done")
    assert record["inputs"] == {"from": "file"}
    assert {path for _, path, _, _ in server.requests} == {"/v1/workflows/w%2F9/run_histories/77"}
    assert "执行完成！" in done.stdout


def test_resume_checks_the_other_settings(coze, script, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(saved_record()))
    server = coze()
    done = script(ASYNC, server, YOUR_ACCESS_TOKEN="", WORKFLOW_ID="", RUN_HISTORY_PATH="x").run("r.json")
    assert (done.status, server.requests, done.names) == (2, [], ["r.json"])
    assert [name in done.stderr for name in ("YOUR_ACCESS_TOKEN", "RUN_HISTORY_PATH", "WORKFLOW_ID")] == [1, 1, 0]


@pytest.mark.parametrize(
    ("changes", "status", "shown"),
    [
        ({"status": "completed", "outputs": {"a": "甲"}}, 0, '"a": "甲"'),
        ({"status": "completed", "outputs": ""}, 0, "执行完成"),
        ({"status": "failed", "error": {"code": "4011", "message": "no money"}}, 1, "no money"),
    ],
)
def test_ended_record_is_shown_again(coze, script, tmp_path, changes, status, shown):
    text = json.dumps(saved_record(**changes))
    (tmp_path / "r.json").write_text(text)
    server = coze()
    done = script(ASYNC, server, YOUR_ACCESS_TOKEN="your_actual_access_token", WORKFLOW_ID="").run("r.json")
    assert (done.status, server.requests, done.names) == (status, [], ["r.json"])
    assert shown in done.stdout + done.stderr
    assert (tmp_path / "r.json").read_text() == text


FOREIGN = [b"", b"not JSON", b"[1]", b"{}", b'"text"', b"\xff\xfe\xfd", b"[" * 100000, b"null", b"7"]
FOREIGN += [
    json.dumps(saved_record(**changes)).encode()
    for changes in (
        {"run_id": 7},
        {"run_id": ""},
        {"workflow_id": None},
        {"inputs": [1]},
        {"response": "x"},
        {"status": 1},
        {"status": []},
        {"created_at": "../../x"},
        {"status": "completed"},
        {"status": "failed"},
        {"status": "failed", "error": "words"},
        {"status": "failed", "error": {"code": "1", "message": 5}},
    )
]


def test_foreign_file_is_refused_and_left(coze, script, tmp_path):
    server = coze()
    one = script(ASYNC, server)
    started = []
    for number, content in enumerate(FOREIGN):
        (tmp_path / f"{number}.txt").write_bytes(content)
        started.append(one.start(f"{number}.txt", stdout=subprocess.DEVNULL))
    for number, process in enumerate(started):
        done = one.finish(process)
        assert (done.status, number, server.requests) == (2, number, [])
        assert done.stderr.startswith(f"\n不能使用记录文件 {number}.txt: ")
        assert (tmp_path / f"{number}.txt").read_bytes() == FOREIGN[number]
    assert done.names == []


@pytest.mark.parametrize("path", ["", "missing.json", ".", "no/such/folder.json"])
def test_missing_file_is_refused(coze, script, path):
    server = coze()
    done = script(ASYNC, server).run(path)
    assert (done.status, server.requests) == (2, [])
    assert path in done.stderr


def test_sync_reply_that_is_still_running_can_be_waited_for(coze, script):
    server = coze({"run_id": "7", "status": "running"}, {"run_id": "7", "status": "completed", "output": 5})
    done = script(SYNC, server).run()
    assert goes_on(done)["status"] == "running"
    done = script(ASYNC, server).run(done.command[-1])
    assert (done.status, done.record["outputs"]) == (0, 5)


@pytest.mark.parametrize("status", [302, 400, 404, 500, 504])
def test_http_error_that_names_the_run_does_not_end_it(coze, script, status):
    """网关的错误带着运行 ID：运行可能还在继续。"""
    reply = {"debug_url": "https://x/?execute_id=7", **({"code": status} if status >= 500 else {})}
    server = coze(Reply(reply, status), Reply(reply, status), SUCCESS)
    done = script(SYNC, server).run()
    assert goes_on(done)["status"] == "pending"
    assert done.record["response"] == reply
    (script(SYNC, server).folder / done.names[0]).unlink()
    done = script(ASYNC, server).run()
    assert (done.status, done.record["run_id"], done.record["outputs"]) == (0, "7", "done")


def test_run_named_in_a_body_with_bad_bytes_is_recorded(coze, script):
    """断在半个汉字上的回复，说出了运行 ID：这次运行启动了，要接着等。"""
    server = coze(Reply(b'{"code": 0, "execute_id": "7", "msg": "\xe4\xbd"}'), SUCCESS)
    done = script(ASYNC, server).run()
    assert (done.status, done.record["run_id"], done.record["outputs"]) == (0, "7", "done")


# ------------------------------- 轮询时的故障 -------------------------------

PASSING = [
    *[Reply(SUCCESS, fault=fault) for fault in ("reset", "close", "half", "stall", "hang", "drip")],
    html(502, "<html>502 from a gateway</html>"),
    html(429, "<html>busy</html>"),
    html(408, "<html>late</html>"),
    html(425, "<html>early</html>"),
    Reply({"message": "upstream gone"}, 503),
    html(302, "<html>login to the hotel</html>", Location="http://hotel.example/login"),
    html(200, "<html>welcome</html>"),
    *map(Reply, ("junk", "", "[]", "null", b"\xff\xfe", {})),
    Reply({"code": 0, "data": [None]}),
    Reply({"code": 0, "data": [{"execute_status": None}]}),
    Reply({"code": 0, "data": "text"}),
    Reply({"error": "temporarily unavailable"}),
    Reply({"code": 700012006, "msg": "authentication failed"}),
    Reply({"code": 700012006, "msg": "authentication failed"}, 401),
    Reply({"code": 4314, "msg": "no such execution"}, 404),
    Reply({"code": "5000", "msg": "internal"}, 400),
    Reply({"code": 987654, "msg": "unheard of"}),
    Reply({"code": 0, "data": SUCCESS["data"]}, 500),
    Reply({"code": 0, "data": []}, 500),
    Reply({"code": 987655, "msg": "no data", "data": None}),
]


def test_passing_trouble_is_polled_through(coze, script):
    """每一种故障一次查询，每次只说一行，最后等到结果。"""
    empty = [Reply({"code": 0, "data": []}), Reply({"code": 0, "data": None})]
    server = coze(STARTED, *empty, *PASSING, SUCCESS)
    done = script(ASYNC, server, QUERY_TIMEOUT=0.4).run()
    assert (done.status, done.record["outputs"], len(server.requests)) == (0, "done", len(PASSING) + 4)
    assert done.stdout.count("Coze 还没有这次运行的状态") == 2
    troubles = done.stderr.splitlines()
    assert len(troubles) == len(PASSING)
    for reply, trouble in zip(PASSING, troubles):
        assert "运行不受影响" in trouble
        beginning = reply.headers.get("Location", reply.body)
        if not reply.fault:
            assert f"HTTP {reply.status}" in trouble
            assert isinstance(beginning, bytes) or (beginning if isinstance(beginning, str) else "") in trouble
    assert [
        word for word in ["unheard of", "temporarily unavailable", "upstream gone"] if word not in done.stderr
    ] == []


def test_server_that_goes_away_for_a_while(coze, script):
    """查询途中服务器停了，再回来：连接被拒绝也轮询过去。"""
    first = coze(STARTED, RUNNING)
    one = script(ASYNC, first, INITIAL_POLL_INTERVAL=0.1, MAX_POLL_INTERVAL=0.3, CONNECT_RETRIES=0)
    process = one.start()
    wait_for(lambda: len(first.requests) == 2)
    first.__exit__()
    time.sleep(1)
    with FakeCoze(replies=[SUCCESS], port=first.server_address[1]) as second:
        done = one.finish(process)
        assert len(second.requests) == 1
    assert (done.status, done.record["outputs"]) == (0, "done")
    assert "ConnectionRefusedError" in done.stderr


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"code": "4200", "msg": "stop here"}),
        Reply({"code": 4000, "msg": "stop here"}),
        Reply({"code": 4100, "msg": "stop here"}, 503),
        Reply({"code": 4101, "msg": "stop here", "detail": {"logid": "L9"}}),
        html(404, "<html>stop here</html>"),
        html(400, "<html>stop here</html>"),
        html(499, "<html>stop here</html>"),
        Reply({"code": 0, "message": "stop here"}, 401),
    ],
    ids=lambda reply: f"{reply.status}-{str(reply.body)[:30]}",
)
def test_what_does_not_pass_stops_at_once(coze, script, reply):
    server = coze(STARTED, reply, SUCCESS)
    one = script(ASYNC, server)
    done = one.run()
    assert goes_on(done)["status"] == "pending"
    assert len(server.requests) == 2
    assert "stop here" in done.stderr
    assert f"HTTP 状态: {reply.status}" in done.stderr
    assert ("listRunHistory" in done.stderr) == ("logid: L9" in done.stderr)
    assert ("RUN_HISTORY_PATH" in done.stderr) == (reply.status == 404)
    assert one.run(done.command[-1]).status == 0
