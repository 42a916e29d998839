"""Coze Studio 的方言：每一种真实的回复，都变成正确的记录或者正确的拒绝。"""

import json

import pytest
from conftest import ASYNC, SYNC, expect
from fake_coze import Reply
from studio import REPLIES, STUDIO_PATH

NOT_RUN, MAYBE = "没有运行，不会计费", "可能正在运行并计费"
START, RUNNING, SUCCESS, UNKNOWN = (
    "async start",
    "query: running",
    "query: success",
    "query: no such run",
)
TEXT, FAILED = "query: success, End node answers with text", "query: failed"
WAITS = "query: the run waits at an input node"
NODE_FAILED = "a sync run that failed in a node: it has an id, in debug_url alone"
NODE_ERROR = REPLIES[NODE_FAILED][2]["msg"]
CANCELLED = "query: cancelled on the page while it waited at a question"
NO_TOKEN = "refused: token (the same reply while the server's database is down)"


def studio(what):
    status, headers, body = REPLIES[what]
    return Reply(body, status, {"X-Tt-Logid": None, **headers})


@pytest.mark.parametrize(
    ("what", "run_id", "fields"),
    [
        (
            "a sync run that succeeded",
            "1795427210409043055",
            {"outputs": {"answer": "你好", "n": 3}},
        ),
        (
            "a sync run whose End node answers with text",
            "1795427210516390358",
            {"outputs": "You asked: why?"},
        ),
        (
            NODE_FAILED,
            "1795427210558788012",
            {"error": {"code": "720701013", "message": NODE_ERROR}},
        ),
    ],
)
def test_sync_run(run, what, run_id, fields):
    done, failed = run(SYNC, studio(what)), what == NODE_FAILED
    expect(
        done,
        failed,
        *["720701013", "节点", "会计费"] * failed,
        run_id=run_id,
        response=REPLIES[what][2],
        **fields,
    )
    assert f"执行状态: {done.record['status']}" in done.stdout
    assert ("请求成功！" in done.stdout, "消耗 Token" in done.stdout) == (not failed, False)


@pytest.mark.parametrize(
    ("what", "fields"),
    [
        (
            SUCCESS,
            {"outputs": {"answer": "slow done", "status": 200}},
        ),
        (TEXT, {"outputs": {"output": "You asked: why?"}}),
        (
            FAILED,
            {"error": {"code": "720701013", "message": REPLIES[FAILED][2]["data"][0]["error_msg"]}},
        ),
    ],
)
def test_async_run(run, what, fields):
    """启动时给的 ID，之后的回复不能改变它；查不到的运行继续轮询。"""
    run_id = "1795427210771969046"
    done = run(ASYNC, *map(studio, [START, RUNNING, UNKNOWN, what]), RUN_HISTORY_PATH=STUDIO_PATH)
    expect(done, what == FAILED, "777777775", run_id=run_id, response=REPLIES[what][2], **fields)
    assert f"最终状态: {done.record['status']}" in done.stdout
    assert (
        done.stdout.count("当前状态: running\n更新时间: 2026-11-23T09:46:50Z\n任务正在执行中...\n")
        == 1
    )
    query = f"/v1/workflow/get_run_history?workflow_id=7400000000000000001&execute_id={run_id}"
    assert [path for _, path, _, _ in done.requests[1:]] == [query] * 3


@pytest.mark.parametrize(
    ("name", "what", "code", "words"),
    [
        (
            ASYNC,
            "refused before it ran: debug_url carries execute_id=0",
            "4000",
            [NOT_RUN, "INPUTS"],
        ),
        (ASYNC, "refused: never published", "6031", [NOT_RUN, "发布"]),
        (SYNC, "refused: no such workflow", "720702004", [NOT_RUN, "WORKFLOW_ID"]),
        (SYNC, "a sync run that stopped at an input node", "6039", [MAYBE, "提问"]),
        (SYNC, NO_TOKEN, "700012006", [NOT_RUN, "令牌"]),
        (SYNC, "refused: body is no JSON", "400", [NOT_RUN]),
    ],
)
def test_refused_run_leaves_no_file(run, name, what, code, words):
    status, headers, reply = REPLIES[what]
    whole = json.dumps(reply, ensure_ascii=False, indent=2)
    done = expect(run(name, studio(what)), 1, f"HTTP 状态: {status}\n", whole, *words)
    assert f"logid: {headers['X-Log-Id']}" in done.stderr
    assert (done.names, len(done.requests)) == ([], 1)


def test_run_that_waits_at_an_input_node(run):
    """Studio 不说问题；运行没有失败，它停在那里。"""
    done = run(ASYNC, studio(START), studio(WAITS), RUN_HISTORY_PATH=STUDIO_PATH)
    expect(done, 3, "等待一个回答", REPLIES[WAITS][2]["data"][0]["debug_url"], status="interrupted")


def test_run_that_was_cancelled_while_it_waited(run):
    done = run(ASYNC, studio(START), studio(CANCELLED), RUN_HISTORY_PATH=STUDIO_PATH)
    expect(done, 1, "workflow cancel by user", "777777777", status="failed")


def test_live_address_on_studio_names_the_setting(run):
    """最常见的错误：没有改 RUN_HISTORY_PATH。马上停下，不问一个小时。"""
    done = run(ASYNC, studio(START), studio("query at an address that the server does not have"))
    words = "HTTP 状态: 401", "RUN_HISTORY_PATH", "API_BASE", "session_key", done.names[0]
    expect(done, 1, *words, status="pending")
    assert (len(done.requests), "换一个" in done.stderr) == (2, False)


def test_api_base_with_a_path_names_the_setting(run):
    done = run(SYNC, studio("run request at a wrong path (API_BASE that ends in /v1)"))
    expect(done, 1, "API_BASE", NOT_RUN)


def test_space_of_somebody_else(run):
    """错误码说不准，所以说可能运行过；没有 ID，没有文件。"""
    done = run(SYNC, studio("refused: the token's user is not in the space"))
    expect(done, 1, MAYBE, "720701013", "access to space 999")
    assert done.names == []
