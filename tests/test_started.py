"""启动了的运行不会丢：文件、接着等、轮询时真实的网络故障。"""

import json
import os
import re
import signal
import time

import pytest
from conftest import ASYNC, STARTED, SYNC, history, no_file_may_grow, posix
from fake_coze import FakeCoze, Reply

import workflow_async

SUCCESS = history("Success", output='{"Output": "done"}')


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def files_may_grow(process):
    import resource

    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


# ---------------------------------- 文件 ----------------------------------


@posix
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("state", ["start", "running"])
def test_the_folder_holds_the_run_however_the_script_ends(coze, script, tmp_path, how, state):
    replies = [history("Running", create_time=1730174063)] if state == "running" else []
    server = coze(STARTED, *replies, Reply({}, fault="hang"))
    one = script(ASYNC, server, INPUTS={"a": "甲"})
    process = one.start()
    wait_for(lambda: len(server.requests) == 2 + len(replies))
    assert len(list(tmp_path.glob("*.json"))) == 1  # 第一次查询之前就在了
    process.send_signal(how)
    done = one.finish(process)
    record = done.record
    assert (record["run_id"], record["inputs"]) == ("7", {"a": "甲"})
    assert record["status"] == ("running" if replies else "pending")
    assert done.names[0].endswith("20241029T035423.json") == bool(replies)
    if how == signal.SIGINT:
        assert done.status == 130
        assert f"python workflow_async.py {done.names[0]}" in done.stderr


def test_file_moves_to_its_final_name(coze, script):
    server = coze(STARTED, history("Running"), history("Running", create_time=1730174063), SUCCESS)
    done = script(ASYNC, server).run()
    assert (done.status, done.names) == (0, ["7_20241029T035423.json"])
    assert done.record["created_at"] == "2024-10-29T03:54:23Z"
    assert done.leftovers == []


@posix
def test_killed_at_any_moment_leaves_one_complete_file(coze, script, tmp_path):
    """每次查询都改变状态和 create_time，于是一直在写文件和改名；在随机的时刻 kill -9。"""
    for delay in range(12):
        replies = [history(f"State{i}", create_time=1730174063 + i) for i in range(2000)]
        server = coze(STARTED, *replies)
        one = script(ASYNC, server, INITIAL_POLL_INTERVAL=0.000001, MAX_POLL_ATTEMPTS=5000)
        process = one.start()
        wait_for(lambda requests=server.requests: len(requests) > 3)
        time.sleep(delay * 0.004)
        process.kill()
        done = one.finish(process)
        assert done.record["run_id"] == "7"
        assert len(done.leftovers) <= 1
        for path in [*tmp_path.glob("*.json"), *tmp_path.glob("*.tmp")]:
            path.unlink()


@posix
@pytest.mark.full_disk
def test_folder_that_cannot_be_written(coze, script, tmp_path):
    """写不了文件：说明，接着轮询；次数用完时打印记录，照说的存下来就能接着等。"""
    server = coze(STARTED, history("Running"), history("Running"))
    one = script(ASYNC, server, MAX_POLL_ATTEMPTS=2, INPUTS={"a": "甲"})
    done = one.run(preexec_fn=no_file_may_grow)
    assert (done.status, done.names, done.leftovers) == (3, [], [])
    assert "文件没有写成" in done.stderr
    name = re.search(r"python workflow_async.py (\S+)", done.stderr).group(1)
    printed = done.stdout[done.stdout.rindex("\n{\n") :]
    assert json.loads(printed)["inputs"] == {"a": "甲"}
    (tmp_path / name).write_text(printed, encoding="utf-16")  # PowerShell 的 > 和旧版记事本都这样存
    server.replies.extend([Reply(SUCCESS)])
    resumed = one.run(name)
    assert (resumed.status, resumed.names, resumed.record["outputs"]) == (0, [name], "done")


@posix
@pytest.mark.full_disk
def test_folder_that_becomes_writable(coze, script):
    server = coze(STARTED, history("Running"), Reply(history("Running"), delay=0.5), SUCCESS)
    one = script(ASYNC, server)
    process = one.start(preexec_fn=no_file_may_grow)
    wait_for(lambda: len(server.requests) == 3)
    files_may_grow(process)
    done = one.finish(process)
    assert (done.status, done.record["outputs"]) == (0, "done")


@posix
@pytest.mark.full_disk
def test_disk_that_fills_up(coze, script):
    """启动时写成了，结果写不下：结果打印出来，原来的文件还在，还能接着等。"""
    server = coze(STARTED, Reply(history("Success", output="x" * 100_000), delay=0.2))
    one = script(ASYNC, server)
    process = one.start()
    wait_for(lambda: len(server.requests) == 2)
    import resource

    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    done = one.finish(process)
    assert (done.status, done.record["status"], done.leftovers) == (1, "pending", [])
    assert "文件没有写成" in done.stderr
    assert f"python workflow_async.py {done.names[0]}" in done.stderr
    assert "结果已保存" not in done.stdout
    start = done.stdout.index("当前状态")
    assert '"x' + "x" * 99_999 in done.stdout[start:]


def test_5xx_that_names_the_run_is_polled(coze, script):
    """网关的 504 带着运行 ID：运行可能还在继续，不能当作失败。"""
    reply = {"code": 504, "msg": "timeout", "debug_url": "https://x/?execute_id=123"}
    server = coze(Reply(reply, 504), SUCCESS)
    done = script(ASYNC, server).run()
    assert (done.status, done.record["run_id"], done.record["outputs"]) == (0, "123", "done")
    server.replies.append(Reply(reply, 500))
    one = script(SYNC, server)
    (one.folder / done.names[0]).unlink()
    done = one.run()
    assert (done.status, done.record["status"], done.record["response"]) == (1, "pending", reply)
    assert f"python workflow_async.py {done.names[0]}" in done.stderr


@pytest.mark.parametrize("status", [400, 404, 500, 502])
def test_http_error_that_names_the_run_does_not_complete_it(coze, script, status):
    done = script(SYNC, coze(Reply({"execute_id": "7"}, status))).run()
    assert (done.status, done.record["status"]) == (1, "pending")


def test_final_name_that_is_taken(coze, script, tmp_path):
    """不能改成正式的名字：结果留在原来的文件里，不算失败。"""
    server = coze(STARTED, history("Success", output="x", create_time=1730174063))
    (tmp_path / "7_20241029T035423.json").mkdir()
    process = script(ASYNC, server).start()
    out, err = process.communicate(timeout=20)
    (path,) = (path for path in tmp_path.glob("*.json") if path.is_file())
    assert (process.returncode, err) == (0, b"")
    assert json.loads(path.read_text(encoding="utf-8"))["outputs"] == "x"
    assert f"结果已保存到文件: {path.name}" in out.decode("utf-8")


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_running_record_that_cannot_be_written_is_printed(coze, script, tmp_path, name):
    times = {"created_at": "2025-10-28T15:58:40Z", "updated_at": "2025-10-28T15:58:40Z"}
    server = coze(*[{"run_id": "r", "status": "running", **times}] * 2)
    (tmp_path / "r_20251028T155840.json").mkdir()
    one = script(name, server, INPUTS={"a": "café 😀"}, **({"MAX_POLL_ATTEMPTS": 1} if name == ASYNC else {}))
    one.environment["PYTHONIOENCODING"] = "gbk"
    process = one.start()
    out, err = (text.decode("gbk") for text in process.communicate(timeout=20))
    assert process.returncode == (3 if name == ASYNC else 1)
    record, _ = json.JSONDecoder().raw_decode(out[out.rindex('{\n  "run_id": "r",\n  "workflow_id"') :])
    assert (record["status"], record["inputs"]) == ("running", {"a": "café 😀"})
    assert "UTF-8" in err
    assert "python workflow_async.py r_20251028T155840.json" in err


# ---------------------------------- 接着等 ----------------------------------


def saved_record(**changes):
    record = {
        "run_id": "77",
        "workflow_id": "w/9",
        "status": "running",
        "inputs": {"from": "file"},
        "created_at": "2025-10-28T15:58:40Z",
        "updated_at": "2025-10-28T15:58:42Z",
        "response": STARTED,
    }
    record.update(changes)
    return {name: value for name, value in record.items() if value is not None}


def test_resume(coze, script, tmp_path):
    folder = tmp_path / "some(where)"
    folder.mkdir()
    path = folder / "77_20251028T155840.json"
    path.write_text(json.dumps(saved_record()), encoding="utf-8")
    server = coze(history("Running", create_time=1730174063), history("Running"), SUCCESS)
    one = script(ASYNC, server, WORKFLOW_ID="your_actual_workflow_id", INPUTS=None, MAX_POLL_ATTEMPTS=1)
    done = one.run(os.path.join("some(where)", path.name))
    moved = os.path.join("some(where)", "77_20241029T035423.json")
    assert (done.status, done.names) == (3, [])
    assert f'python workflow_async.py "{moved}"' in done.stderr
    one = script(ASYNC, server, WORKFLOW_ID="", INPUTS=5)
    done = one.run(moved)
    assert (done.status, done.names) == (0, [])
    assert [name.name for name in folder.iterdir()] == ["77_20241029T035423.json"]
    record = json.loads((tmp_path / moved).read_text(encoding="utf-8"))
    assert (record["run_id"], record["workflow_id"], record["outputs"]) == ("77", "w/9", "done")
    assert record["inputs"] == {"from": "file"}
    assert {path for _, path, _, _ in server.requests} == {"/v1/workflows/w%2F9/run_histories/77"}
    assert "执行完成！" in done.stdout


def test_resume_checks_the_other_settings(coze, script, tmp_path):
    (tmp_path / "r.json").write_text(json.dumps(saved_record()))
    server = coze()
    done = script(ASYNC, server, YOUR_ACCESS_TOKEN="", WORKFLOW_ID="", RUN_HISTORY_PATH="x").run("r.json")
    assert (done.status, server.requests) == (2, [])
    assert "YOUR_ACCESS_TOKEN" in done.stderr
    assert "RUN_HISTORY_PATH" in done.stderr
    assert "WORKFLOW_ID" not in done.stderr


@pytest.mark.parametrize(
    ("changes", "status", "shown"),
    [
        ({"status": "completed", "outputs": {"a": "甲"}}, 0, '"a": "甲"'),
        ({"status": "completed", "outputs": None}, 2, "不是脚本保存的"),
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


FOREIGN = [
    b"",
    b"not JSON",
    b"[1]",
    b"{}",
    b'"text"',
    b"\xff\xfe\xfd",
    b"[" * 100000,
    json.dumps(saved_record(run_id=7)).encode(),
    json.dumps(saved_record(run_id="")).encode(),
    json.dumps(saved_record(workflow_id=None)).encode(),
    json.dumps(saved_record(inputs=[1])).encode(),
    json.dumps(saved_record(status=1)).encode(),
    json.dumps(saved_record(created_at="../../x")).encode(),
    json.dumps(saved_record(status="failed")).encode(),
    json.dumps(saved_record(status="failed", error={"message": 5})).encode(),
]


@pytest.mark.parametrize("content", FOREIGN)
def test_foreign_content(tmp_path, content):
    path = tmp_path / "foreign.json"
    path.write_bytes(content)
    with pytest.raises((ValueError, RecursionError)):
        workflow_async.load_record(os.fspath(path))


@pytest.mark.parametrize("content", [FOREIGN[1], FOREIGN[6], FOREIGN[-1]])
def test_foreign_file_is_refused_and_left(coze, script, tmp_path, content):
    (tmp_path / "foreign.json").write_bytes(content)
    server = coze()
    process = script(ASYNC, server).start("foreign.json")
    _, err = process.communicate(timeout=20)
    assert (process.returncode, server.requests) == (2, [])
    assert b"foreign.json" in err
    assert b"Traceback" not in err
    assert (tmp_path / "foreign.json").read_bytes() == content
    assert [path.name for path in tmp_path.glob("*json*")] == ["foreign.json"]


@pytest.mark.parametrize("path", ["", "missing.json", ".", "no/such/folder.json"])
def test_missing_file_is_refused(coze, script, path):
    server = coze()
    done = script(ASYNC, server).run(path)
    assert (done.status, server.requests) == (2, [])
    assert path in done.stderr


def test_help_explains_resuming(script):
    done = script(ASYNC).run("--help")
    assert done.status == 0
    assert "python workflow_async.py <run_id>_<created_at>.json" in done.stdout
    assert "接着等" in done.stdout


def test_sync_reply_that_is_still_running_can_be_waited_for(coze, script):
    server = coze({"run_id": "r1", "status": "running"})
    done = script(SYNC, server).run()
    assert (done.status, done.record["status"]) == (1, "running")
    assert f"python workflow_async.py {done.names[0]}" in done.stderr
    server.replies.append(Reply({"run_id": "r1", "status": "completed", "output": 5}))
    done = script(ASYNC, server).run(done.names[0])
    assert (done.status, done.record["outputs"]) == (0, 5)


# ------------------------------- 轮询时的故障 -------------------------------

PASSING = [
    Reply({}, fault="reset"),
    Reply({}, fault="close"),
    Reply(SUCCESS, fault="half"),
    Reply(SUCCESS, fault="stall"),
    Reply({}, fault="hang"),
    Reply("<html>502 from a gateway</html>", 502),
    Reply("<html>busy</html>", 429),
    Reply("<html>late</html>", 408),
    Reply("<html>early</html>", 425),
    Reply({"message": "upstream gone"}, 503),
    Reply("<html>login to the hotel</html>", 302, {"Location": "http://hotel.example/login"}),
    Reply("<html>welcome</html>", 200),
    Reply("junk"),
    Reply(""),
    Reply("[]"),
    Reply("null"),
    Reply(b"\xff\xfe"),
    Reply({}),
    Reply({"code": 0, "data": []}),
    Reply({"code": 0, "data": None}),
    Reply({"code": 0, "data": [None]}),
    Reply({"code": 0, "data": [{"execute_status": None}]}),
    Reply({"code": 0, "data": "text"}),
    Reply({"error": "temporarily unavailable"}),
    Reply({"code": 700012006, "msg": "authentication failed"}),
    Reply({"code": 700012006, "msg": "authentication failed"}, 401),
    Reply({"code": 4314, "msg": "no such execution"}, 404),
    Reply({"code": "5000", "msg": "internal"}, 400),
    Reply({"code": 987654, "msg": "unheard of"}),
]


def test_passing_trouble_is_polled_through(coze, script):
    """每一种故障一次查询，每次只说一行，最后等到结果。"""
    server = coze(STARTED, *PASSING, SUCCESS)
    done = script(ASYNC, server, QUERY_TIMEOUT=0.4).run()
    assert (done.status, done.record["outputs"], len(server.requests)) == (0, "done", len(PASSING) + 2)
    troubles = done.stderr.splitlines()
    assert len(troubles) == len(PASSING)
    for reply, trouble in zip(PASSING, troubles):
        assert "运行不受影响" in trouble
        if reply.fault or reply.status == 200:
            continue
        assert f"HTTP {reply.status}" in trouble
        beginning = reply.headers.get("Location", reply.body)
        assert (beginning if isinstance(beginning, str) else next(iter(beginning))) in trouble
    assert "<html>welcome</html>" in done.stderr
    assert "authentication failed" in done.stderr


def test_server_that_goes_away_for_a_while(coze, script):
    """查询途中服务器停了，再回来：连接被拒绝也轮询过去。"""
    first = coze(STARTED, history("Running"))
    port = first.server_address[1]
    one = script(ASYNC, first, INITIAL_POLL_INTERVAL=0.1, MAX_POLL_INTERVAL=0.3, CONNECT_RETRIES=0)
    process = one.start()
    wait_for(lambda: len(first.requests) == 2)
    first.__exit__()
    time.sleep(1)
    with FakeCoze(replies=[SUCCESS], port=port) as second:
        done = one.finish(process)
        assert len(second.requests) == 1
    assert (done.status, done.record["outputs"]) == (0, "done")
    assert "ConnectionRefusedError" in done.stderr


def lasting(status, code=""):
    return workflow_async.is_lasting(workflow_async.RunError("", status, code))


def test_what_passes_and_what_does_not():
    assert [code for code in workflow_async.HINTS if lasting(200, code)] == ["4000", "4100", "4101", "4200"]
    assert lasting(503, "4100")
    assert not lasting(401, "700012006")
    passing = [status for status in range(400, 500) if not lasting(status)]
    assert passing == [408, 425, 429]
    assert not any(lasting(status) for status in (0, 200, 302, 399, 500, 502, 504))


@pytest.mark.parametrize(
    "reply",
    [
        Reply({"code": "4200", "msg": "stop here"}),
        Reply({"code": 4100, "msg": "stop here"}, 503),
        Reply("<html>stop here</html>", 404),
        Reply("<html>stop here</html>", 403),
        Reply({"code": 0, "message": "stop here"}, 401),
    ],
    ids=lambda reply: f"{reply.status}-{str(reply.body)[:30]}",
)
def test_what_does_not_pass_stops_at_once(coze, script, reply):
    server = coze(STARTED, reply)
    one = script(ASYNC, server)
    done = one.run()
    assert (done.status, len(server.requests), done.record["status"]) == (1, 2, "pending")
    assert "stop here" in done.stderr
    assert str(reply.status) in done.stderr
    assert "运行 ID (run_id): 7" in done.stderr
    assert f"python workflow_async.py {done.names[0]}" in done.stderr
    assert ("RUN_HISTORY_PATH" in done.stderr) == (reply.status == 404)
    server.replies.append(Reply(SUCCESS))
    assert one.run(done.names[0]).status == 0
