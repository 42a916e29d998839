"""python workflow_async.py 运行ID：没有记录文件，也能接着等一次运行；不会启动新的。"""

import json
import signal

import pytest
from conftest import ASYNC, CTRL_C, STARTED, SYNC, Reply, expect, free_port, history
from fake_coze import WORKFLOW_ID

import workflow_async as w

RUN_ID = "7424823131288400001"
CREATED = 1730174063  # 2024-10-29T03:54:23Z
NAME = f"{RUN_ID}_20241029T035423.json"
BY_ID = f'workflow_async.py" "{RUN_ID}"'  # 打印出来的命令里
NO_HISTORY = {"code": 0, "data": []}
ENDED = history("Success", output="{}")
RUNNING = history("Running", create_time=CREATED)


@pytest.fixture
def run_by_id(coze, script):
    """run_by_id(reply, …, MAX_POLL_ATTEMPTS=1) -> Finished。"""

    def run_by_id(*replies, **settings):
        one = script(ASYNC, coze(*replies), **settings)
        return one.run(RUN_ID)

    return run_by_id


def paths(done):
    """收到的请求的地址。"""
    return [path for _, path, _, _ in done.requests]


def test_ended_run_is_fetched(run_by_id):
    ended = history("Success", create_time=CREATED, output='{"Output":"{\\"a\\":1}"}')
    done = run_by_id(ended)
    expect(done, 0, run_id=RUN_ID, workflow_id=WORKFLOW_ID)
    assert done.record["inputs"] == {}
    assert done.record["outputs"] == {"a": 1}
    assert done.record["created_at"] == "2024-10-29T03:54:23Z"
    assert done.names == [NAME]
    (request,) = done.requests
    query = f"/v1/workflows/{WORKFLOW_ID}/run_histories/{RUN_ID}"
    assert request[:2] == ("GET", query)
    assert f"任务 ID (run_id): {RUN_ID}\n" in done.stdout
    assert f"结果已保存到文件: {NAME}" in done.stdout


def test_running_run_is_waited_for(run_by_id):
    """第一次查到状态就有了文件；以后它的名字不变。"""
    moved = history("Success", create_time=CREATED + 5000, output="{}")
    done = run_by_id(NO_HISTORY, RUNNING, moved)
    expect(done, 0)
    assert done.names == [NAME]
    assert len(done.requests) == 3


def test_time_of_the_clock_when_coze_says_none():
    run = {"run_id": RUN_ID, "workflow_id": WORKFLOW_ID, "inputs": {}}
    reply = w.read_history(ENDED, w.Answer(200, {}, ""))
    record = w.make_record(run, reply, reply.status, "2026-01-01T00:00:00Z")
    assert record["created_at"] == "2026-01-01T00:00:00Z"
    assert w.file_name(record) == f"{RUN_ID}_20260101T000000.json"


def test_ids_of_other_servers(coze, script):
    done = script(ASYNC, coze(ENDED)).run("Run_2-a")
    expect(done, 0)
    assert paths(done)[0].endswith("/run_histories/Run_2-a")
    assert done.names[0].startswith("Run_2-a_20")


SAVED = {
    "run_id": "7",
    "workflow_id": "8",
    "status": "running",
    "inputs": {"a": 1},
    "created_at": "2025-10-28T15:58:40Z",
    "response": STARTED,
}


def test_record_in_the_folder_is_taken_up(coze, script, tmp_path):
    """同样开头的别的运行、别的文件和文件夹，都不是它的记录。"""
    of_another = {**SAVED, "run_id": "7_2"}
    its_own = tmp_path / "7_20251028T155840.json"
    (tmp_path / "7_0.json").mkdir()
    (tmp_path / "7_1.json").write_text("[]")
    (tmp_path / "7_2_x.json").write_text(json.dumps(of_another))
    its_own.write_text(json.dumps(SAVED))
    done = script(ASYNC, coze(ENDED), WORKFLOW_ID="9").run("7")
    assert done.status == 0
    assert paths(done)[0] == "/v1/workflows/8/run_histories/7"
    saved = json.loads(its_own.read_text())
    assert saved["status"] == "completed"
    assert saved["inputs"] == {"a": 1}


@pytest.mark.parametrize("given", ["7", "7_20251028T155840"])
def test_record_is_known_by_its_name(monkeypatch, given):
    """别的运行的、用户自己的、同步软件的副本，名字都不一样。"""
    folder = ["7_2_20251028T155840.json", "7_notes.json", "7_20251028T155840 (1).json"]
    monkeypatch.setattr(w, "find_files", lambda pattern: folder)
    assert w.find_record(given) is None
    folder.append("7_20251028T155840.json")
    assert w.find_record(given) == "7_20251028T155840.json"


NO_RECORD_YET = {
    "unknown_run_of_studio": ({"code": 777777775, "msg": "no access"}, 1, "no access"),
    "attempts": (NO_HISTORY, 3, "查询次数用完"),
    "unknown_run": ({"code": 4314, "msg": "not found"}, 1, "检查运行 ID 和 WORKFLOW_ID"),
}


@pytest.mark.parametrize("case", NO_RECORD_YET)
def test_before_there_is_a_record_the_id_is_the_way_on(run_by_id, tmp_path, case):
    reply, status, words = NO_RECORD_YET[case]
    done = run_by_id(reply, MAX_POLL_ATTEMPTS=1)
    expect(done, status, words, RUN_ID, BY_ID)
    assert [path.name for path in tmp_path.iterdir()] == [ASYNC]
    assert len(done.requests) == 1


HOPELESS = {
    "token": (200, '{"code": 4100, "msg": "bad"}', "令牌无效"),
    "absent_address": (404, "<html>a page</html>", "RUN_HISTORY_PATH"),
}


@pytest.mark.parametrize("case", HOPELESS)
def test_hopeless_query_is_not_repeated(case):
    status, text, words = HOPELESS[case]
    answer = w.Answer(status, {}, text)
    reply = w.read_history(w.decode(text), answer)
    assert reply.status == ""
    assert w.is_hopeless(reply)
    assert words in w.describe_hopeless(reply)


def test_no_network_is_no_end(script):
    """地址上没有人在听：每次查询都没有查到，直到次数用完。"""
    url = f"http://127.0.0.1:{free_port()}"
    one = script(ASYNC, None, MAX_POLL_ATTEMPTS=1, API_BASE=url)
    one.rewrite("connect=3", "connect=0")
    one.environment["COZE_API_TOKEN"] = "t"
    one.environment["COZE_WORKFLOW_ID"] = "1"
    expect(one.run(RUN_ID), 3, "这次没有查到", BY_ID)


@pytest.mark.posix
def test_ctrl_c_before_there_is_a_record(coze, script):
    hang = Reply(fault="hang")
    one = script(ASYNC, coze(hang))
    process = one.start(RUN_ID, until=1)
    process.send_signal(signal.SIGINT)
    done = one.finish(process)
    expect(done, CTRL_C, BY_ID)
    assert done.names == []
    assert "没有运行" not in done.stderr


def test_once_there_is_a_record_the_file_is_the_way_on(run_by_id):
    done = run_by_id(RUNNING, MAX_POLL_ATTEMPTS=1)
    expect(done, 3, status="running")
    assert done.command[-1] == NAME


def test_run_that_waits_at_a_question(run_by_id):
    question = {"event_id": "1/2", "type": 2, "data": '{"content":"您的姓名？"}'}
    asked = history("Interrupted", create_time=CREATED, interrupt_data=question)
    done = run_by_id(asked)
    expect(done, 3, "您的姓名？")
    assert done.command[-1] == NAME


def test_settings_are_checked(run_by_id):
    """INPUTS 这里不用。"""
    done = run_by_id(WORKFLOW_ID="", MAX_POLL_ATTEMPTS=0, INPUTS=[])
    expect(done, 2, "没有发送任何请求", "WORKFLOW_ID", "MAX_POLL_ATTEMPTS")
    assert done.requests == []
    assert "INPUTS" not in done.stderr


NO_IDS = {
    "file": NAME,
    "chinese": "一次",
    "folder": "a/b",
    "nothing": "",
}
TOLD = ["没有发送任何请求", "workflow_async.py 运行ID", "运行记录", "_ 之前"]


@pytest.mark.parametrize("case", NO_IDS)
def test_what_is_no_id_is_a_file(monkeypatch, tmp_path, case):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(w.Stop) as stop:
        w.load(NO_IDS[case])
    words, status = stop.value.args
    assert status == 2
    assert [part for part in TOLD if part not in words] == []


def test_empty_argument_starts_nothing(coze, script):
    """python workflow_async.py "$FILE"，而 FILE 没有设置。"""
    done = script(ASYNC, coze()).run("")
    expect(done, 2, *TOLD)
    assert done.requests == []


def test_sync_run_that_the_gateway_cut_off_names_the_id(run):
    done = run(SYNC, Reply(fault="close"))
    expect(done, 1, "试试", "python workflow_async.py 运行ID")


def test_sync_run_is_fetched_from_the_stand_in(coze, script):
    """同步的运行被切断以后，用平台上的运行 ID 取回它的结果。"""
    server = coze(seconds=0.6)
    first = script(SYNC, server, TIMEOUT=0.3).run()
    expect(first, 1, "可能正在运行")
    (run_id,) = server.runs
    done = script(ASYNC, server).run(run_id)
    expect(done, 0)
    assert done.record["outputs"]["output"] == "来自本地替身的回答"


def test_busy_server_is_asked_again(run_by_id):
    done = expect(run_by_id({"code": 4009, "msg": "busy"}, ENDED), 0, "这次没有查到")
    assert len(done.requests) == 2
