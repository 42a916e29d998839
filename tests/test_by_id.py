"""python workflow_async.py 运行ID：没有记录文件，也能接着等一次运行；不会启动新的。"""

import json

import pytest
from conftest import ASYNC, CTRL_C, STARTED, SYNC, Reply, expect, free_port, history, html

RUN_ID = "7424823131288400001"
ENDED = history("Success", create_time=1730174063, output='{"Output":"{\\"a\\":1}"}')
NAME = f"{RUN_ID}_20241029T035423.json"
COMMAND = f'workflow_async.py" "{RUN_ID}"'


def test_ended_run_is_fetched(coze, script):
    server = coze(ENDED)
    done = expect(script(ASYNC, server).run(RUN_ID), 0)
    fields = {"run_id": RUN_ID, "workflow_id": "7400000000000000001", "inputs": {}}
    assert {name: done.record[name] for name in fields} == fields
    assert (done.record["outputs"], done.record["created_at"]) == ({"a": 1}, "2024-10-29T03:54:23Z")
    assert done.names == [NAME]
    ((method, path, _, _),) = server.requests
    assert (method, path) == ("GET", f"/v1/workflows/7400000000000000001/run_histories/{RUN_ID}")
    assert f"结果已保存到文件: {NAME}" in done.stdout


def test_running_run_is_waited_for(run_by_id):
    """第一次查到状态就有了文件；以后它的名字不变。"""
    running = history("Running", create_time=1730174063)
    moved = history("Success", create_time=1730179999, output="{}")
    done = expect(run_by_id({"code": 0, "data": []}, running, moved), 0)
    assert (done.names, len(done.requests)) == ([NAME], 3)


def test_time_of_the_clock_when_coze_says_none(run_by_id):
    done = expect(run_by_id(history("Success", output="{}")), 0)
    assert done.record["created_at"].startswith("20")
    assert done.names[0].startswith(f"{RUN_ID}_20")


def test_ids_of_other_servers(coze, script):
    server = coze(history("Success", output="{}"))
    expect(script(ASYNC, server).run("Run_2-a"), 0)
    assert server.requests[0][1].endswith("/run_histories/Run_2-a")


def test_record_in_the_folder_is_taken_up(coze, script, tmp_path):
    """同样开头的别的运行、别的文件和文件夹，都不是它的记录。"""
    record = {"run_id": "7", "workflow_id": "8", "status": "running", "inputs": {"a": 1}}
    record.update(created_at="2025-10-28T15:58:40Z", response=STARTED)
    (tmp_path / "7_0.json").mkdir()
    (tmp_path / "7_1.json").write_text("[]")
    (tmp_path / "7_2_x.json").write_text(json.dumps({**record, "run_id": "7_2"}))
    (tmp_path / "7_20251028T155840.json").write_text(json.dumps(record))
    server = coze(history("Success", create_time=1730174063, output="{}"))
    done = script(ASYNC, server, WORKFLOW_ID="9").run("7")
    assert done.status == 0
    assert server.requests[0][1] == "/v1/workflows/8/run_histories/7"
    saved = json.loads((tmp_path / "7_20251028T155840.json").read_text())
    assert (saved["status"], saved["inputs"]) == ("completed", {"a": 1})


@pytest.fixture
def run_by_id(coze, script):
    """run_by_id(reply, …, MAX_POLL_ATTEMPTS=1) -> Finished。"""
    return lambda *replies, **settings: script(ASYNC, coze(*replies), **settings).run(RUN_ID)


STOPS = {
    "attempts": ({"code": 0, "data": []}, 3, "查询次数用完"),
    "token": ({"code": 4100, "msg": "bad"}, 1, "令牌无效"),
    "unknown_run": ({"code": 4314, "msg": "not found"}, 1, "检查运行 ID 和 WORKFLOW_ID"),
    "absent_address": (html(404), 1, "RUN_HISTORY_PATH"),
}


@pytest.mark.parametrize("kind", STOPS)
def test_before_there_is_a_record_the_id_is_the_way_on(run_by_id, kind):
    reply, status, words = STOPS[kind]
    done = expect(run_by_id(reply, MAX_POLL_ATTEMPTS=1), status, words, RUN_ID, COMMAND)
    assert (done.names, len(done.requests)) == ([], 1)


def test_no_network_is_no_end(script):
    """地址上没有人在听：每次查询都没有查到，直到次数用完。"""
    url = f"http://127.0.0.1:{free_port()}"
    one = script(ASYNC, None, MAX_POLL_ATTEMPTS=1, API_BASE=url)
    one.rewrite("connect=3", "connect=0")
    one.environment.update(COZE_API_TOKEN="t", COZE_WORKFLOW_ID="1")
    expect(one.run(RUN_ID), 3, "这次没有查到", COMMAND)


@pytest.mark.posix
def test_ctrl_c_before_there_is_a_record(coze, script):
    one = script(ASYNC, coze(Reply(fault="hang")))
    process = one.start(RUN_ID, until=1)
    process.send_signal(2)
    done = expect(one.finish(process), CTRL_C, COMMAND)
    assert (done.names, "没有运行" in done.stderr) == ([], False)


def test_once_there_is_a_record_the_file_is_the_way_on(run_by_id):
    done = run_by_id(history("Running", create_time=1730174063), MAX_POLL_ATTEMPTS=1)
    assert expect(done, 3).command[-1] == NAME
    assert done.record["status"] == "running"


def test_run_that_waits_at_a_question(run_by_id):
    asked = {"event_id": "1/2", "type": 2, "data": '{"content":"您的姓名？"}'}
    done = run_by_id(history("Interrupted", create_time=1730174063, interrupt_data=asked))
    assert expect(done, 3, "您的姓名？").command[-1] == NAME


def test_settings_are_checked(coze, script):
    done = script(ASYNC, coze(), WORKFLOW_ID="", MAX_POLL_ATTEMPTS=0, INPUTS=[]).run(RUN_ID)
    expect(done, 2, "没有发送任何请求", "WORKFLOW_ID", "MAX_POLL_ATTEMPTS")
    assert (done.requests, "INPUTS" in done.stderr) == ([], False)  # INPUTS 这里不用


@pytest.mark.parametrize("given", [f"{RUN_ID}_20241029T035423.json", "一次", "a/b", ""])
def test_what_is_no_id_is_a_file(coze, script, given):
    done = script(ASYNC, coze()).run(given)
    expect(done, 2, "没有发送任何请求", "workflow_async.py 运行ID", "运行记录", "_ 之前")
    assert done.requests == []


def test_sync_run_that_the_gateway_cut_off_names_the_id(run):
    done = run(SYNC, Reply(fault="close"))
    expect(done, 1, "试试", "python workflow_async.py 运行ID")


def test_sync_run_is_fetched_from_the_stand_in(coze, script):
    """同步的运行被切断以后，用平台上的运行 ID 取回它的结果。"""
    server = coze(seconds=0.2)
    first = script(SYNC, server, TIMEOUT=0.1).run()
    expect(first, 1, "可能正在运行")
    (run_id,) = server.runs
    done = expect(script(ASYNC, server).run(run_id), 0)
    assert done.record["outputs"]["output"] == "来自本地替身的回答"
