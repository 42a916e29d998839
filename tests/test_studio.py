"""Coze Studio 的方言：每一种真实的回复，都变成正确的记录或者正确的拒绝。"""

import pytest
from conftest import ASYNC, SYNC
from fake_coze import Reply
from studio import REPLIES, STUDIO_PATH

START, RUNNING, SUCCESS = "async start", "query: running", "query: success"
WAITS = "query: the run waits at an input node"


def studio(what):
    status, headers, body = REPLIES[what]
    return Reply(body, status, {"X-Tt-Logid": None, **headers})


@pytest.mark.parametrize(
    ("what", "run_id", "outputs"),
    [
        ("a sync run that succeeded", "1795427210409043055", {"answer": "你好", "n": 3}),
        ("a sync run whose End node answers with text", "1795427210516390358", "You asked: why?"),
    ],
)
def test_sync_success(coze, script, what, run_id, outputs):
    done = script(SYNC, coze(studio(what))).run()
    assert (done.status, done.stderr) == (0, "")
    assert (done.record["run_id"], done.record["status"]) == (run_id, "completed")
    assert (done.record["outputs"], done.record["response"]) == (outputs, REPLIES[what][2])
    assert "请求成功！" in done.stdout
    assert "消耗 Token" not in done.stdout


def test_sync_failed_run_is_recorded(coze, script):
    what = "a sync run that failed in a node: it has an id, in debug_url alone"
    done = script(SYNC, coze(studio(what))).run()
    assert (done.status, done.record["run_id"], done.record["status"]) == (1, "1795427210558788012", "failed")
    assert done.record["error"] == {"code": "720701013", "message": REPLIES[what][2]["msg"]}
    assert "outputs" not in done.record
    assert "执行状态: failed" in done.stdout
    assert [words for words in ("720701013", "节点", "会计费") if words not in done.stderr] == []


@pytest.mark.parametrize(
    ("what", "code", "told", "advice"),
    [
        ("refused before it ran: debug_url carries execute_id=0", "4000", "没有运行，不会计费", "INPUTS"),
        ("refused: never published", "6031", "没有运行，不会计费", "发布"),
        ("refused: no such workflow", "720702004", "没有运行，不会计费", "WORKFLOW_ID"),
        ("a sync run that stopped at an input node", "6039", "可能正在运行并计费", "提问"),
        (
            "refused: token (the same reply while the server's database is down)",
            "700012006",
            "没有运行，不会计费",
            "令牌",
        ),
        ("refused: body is no JSON", "400", "没有运行，不会计费", ""),
    ],
)
def test_refused_run_leaves_no_file(coze, script, what, code, told, advice):
    server = coze(studio(what))
    done = script(ASYNC if code in ("4000", "6031") else SYNC, server).run()
    status, headers, reply = REPLIES[what]
    assert (done.status, done.names, len(server.requests)) == (1, [], 1)
    assert f"HTTP 状态: {status}\n错误码 code: {code}\n错误信息 msg: {reply['msg'].strip()}\n" in done.stderr
    expected = [f"logid: {headers['X-Log-Id']}", told, advice, '"msg": ']
    assert [words for words in expected if words not in done.stderr] == []


@pytest.mark.parametrize(
    ("what", "status", "field", "value"),
    [
        (SUCCESS, 0, "outputs", {"answer": "slow done", "status": 200}),
        ("query: success, End node answers with text", 0, "outputs", {"output": "You asked: why?"}),
        (
            "query: failed",
            1,
            "error",
            {"code": "720701013", "message": REPLIES["query: failed"][2]["data"][0]["error_msg"]},
        ),
    ],
)
def test_async_end(coze, script, what, status, field, value):
    server = coze(studio(START), studio(RUNNING), studio(what))
    done = script(ASYNC, server, RUN_HISTORY_PATH=STUDIO_PATH).run()
    record, entry = done.record, REPLIES[what][2]["data"][0]
    assert (done.status, record["run_id"]) == (status, "1795427210771969046")  # 启动时给的 ID，之后的回复不能改变它
    assert (record[field], record["response"]) == (value, REPLIES[what][2])
    assert done.stdout.count("当前状态: running\n更新时间: 2026-11-23T09:46:50Z\n任务正在执行中...\n") == 1
    assert record["created_at"] == {1795427210: "2026-11-23T09:46:50Z"}.get(entry["create_time"], record["created_at"])
    query = "/v1/workflow/get_run_history?workflow_id=7400000000000000001&execute_id=1795427210771969046"
    assert [path for _, path, _, _ in server.requests[1:]] == [query, query]


def test_run_that_waits_at_an_input_node(coze, script):
    done = script(ASYNC, coze(studio(START), studio(WAITS)), RUN_HISTORY_PATH=STUDIO_PATH).run()
    assert (done.status, done.record["status"]) == (1, "failed")
    message = done.record["error"]["message"]
    assert "等待一个回答" in message
    assert REPLIES[WAITS][2]["data"][0]["debug_url"] in message
    assert message in done.stderr


def test_unknown_run_is_polled_on(coze, script):
    server = coze(studio(START), studio("query: no such run"), studio(SUCCESS))
    done = script(ASYNC, server, RUN_HISTORY_PATH=STUDIO_PATH).run()
    assert (done.status, len(server.requests)) == (0, 3)
    assert "777777775" in done.stderr


def test_live_address_on_studio_names_the_setting(coze, script):
    server = coze(studio(START), studio("query at an address that the server does not have"))
    done = script(ASYNC, server).run()
    assert (done.status, len(server.requests), done.record["status"]) == (1, 2, "pending")
    expected = ["HTTP 状态: 404", "RUN_HISTORY_PATH", "Not Found", done.names[0]]
    assert [words for words in expected if words not in done.stderr] == []
