"""Coze Studio 的方言：每一种真实的回复，都变成正确的记录或者正确的拒绝。

studio_replies.json 是一个真实的 Coze Studio 的回复，逐字抄录。
"""

import json
from pathlib import Path

import pytest
from conftest import ASYNC, MAYBE, NOT_RUN, SYNC, expect
from fake_coze import Reply

import workflow_async as w
import workflow_sync

STUDIO_PATH = "/v1/workflow/get_run_history?workflow_id={workflow_id}&execute_id={execute_id}"
REPLIES_FILE = Path(__file__).with_name("studio_replies.json")
REPLIES = json.loads(REPLIES_FILE.read_text(encoding="utf-8"))

# 正文里用到几次的回复
NODE_FAILED = "a sync run that failed in a node: it has an id, in debug_url alone"
START = "async start"
RUNNING = "query: running"
NO_SUCH_RUN = "query: no such run"
QUERY_SUCCESS = "query: success"
QUERY_FAILED = "query: failed"
WAITS = "query: the run waits at an input node"
REFUSED_INPUTS = "refused before it ran: debug_url carries execute_id=0"
NO_TOKEN = "refused: token (the same reply while the server's database is down)"

STARTED_ID = "1795427210771969046"
NOW = "2026-01-01T00:00:00Z"
RUN = {"run_id": STARTED_ID, "workflow_id": "w1", "inputs": {}}


def body_of(what):
    return REPLIES[what]["body"]


def sent_by_studio(what):
    """替身原样发出的这个回复。"""
    reply = REPLIES[what]
    headers = {"X-Tt-Logid": None, **reply["headers"]}
    return Reply(reply["body"], reply["status"], headers)


def answer_of(what):
    """脚本收完的这个回复。"""
    reply = REPLIES[what]
    text = json.dumps(reply["body"], ensure_ascii=False)
    return w.Answer(reply["status"], reply["headers"], text)


def reply_to_run(what):
    answer = answer_of(what)
    return w.read_reply(w.decode(answer.text), answer)


def reply_to_query(what):
    answer = answer_of(what)
    return w.read_history(w.decode(answer.text), answer)


def missing(words, text):
    return [word for word in words if word not in text]


NODE_ERROR = {"code": "720701013", "message": body_of(NODE_FAILED)["msg"]}
SYNC_RUNS = {
    "object": (
        "a sync run that succeeded",
        "1795427210409043055",
        {"outputs": {"answer": "你好", "n": 3}},
    ),
    "text": (
        "a sync run whose End node answers with text",
        "1795427210516390358",
        {"outputs": "You asked: why?"},
    ),
    "failed": (NODE_FAILED, "1795427210558788012", {"error": NODE_ERROR}),
}


@pytest.mark.parametrize("case", SYNC_RUNS)
def test_sync_run_becomes_a_record(case):
    what, run_id, fields = SYNC_RUNS[case]
    reply = reply_to_run(what)
    record = workflow_sync.sync_record(reply, {}, NOW)
    assert record["run_id"] == run_id
    assert record["response"] == body_of(what)
    assert {name: record[name] for name in fields} == fields
    shown = workflow_sync.describe_result(record, "", workflow_sync.describe_cost(reply))
    is_failed = case == "failed"
    assert f"执行状态: {record['status']}" in shown
    assert ("请求成功！" in shown) == (not is_failed)
    assert "消耗 Token" not in shown


def test_sync_run_that_failed_in_a_node(run):
    done = run(SYNC, sent_by_studio(NODE_FAILED))
    expect(done, 1, "720701013", "节点", "会计费", status="failed", error=NODE_ERROR)
    assert done.record["run_id"] == "1795427210558788012"
    assert done.record["response"] == body_of(NODE_FAILED)
    assert "执行状态: failed" in done.stdout


QUERY_ERROR = {"code": "720701013", "message": body_of(QUERY_FAILED)["data"][0]["error_msg"]}
CANCELLED_ERROR = {"code": "777777777", "message": "workflow cancel by user"}
QUERIES = {
    "object": (QUERY_SUCCESS, {"outputs": {"answer": "slow done", "status": 200}}),
    "text": (
        "query: success, End node answers with text",
        {"outputs": {"output": "You asked: why?"}},
    ),
    "failed": (QUERY_FAILED, {"status": "failed", "error": QUERY_ERROR}),
    "cancelled": (
        "query: cancelled on the page while it waited at a question",
        {"status": "failed", "error": CANCELLED_ERROR},
    ),
}


@pytest.mark.parametrize("case", QUERIES)
def test_query_becomes_a_record(case):
    """启动时给的 ID，之后的回复不能改变它。"""
    what, fields = QUERIES[case]
    reply = reply_to_query(what)
    record = w.make_record(RUN, reply, reply.status, NOW)
    assert record["run_id"] == STARTED_ID
    assert record["response"] == body_of(what)
    assert {name: record[name] for name in fields} == fields
    shown = w.describe_outcome(record, "", w.describe_cost(reply))
    assert f"最终状态: {record['status']}" in shown


def test_reason_of_a_failed_run_is_told():
    told = w.describe_failure(CANCELLED_ERROR)
    assert missing(["workflow cancel by user", "777777777"], told) == []


def test_async_run_from_start_to_end(run):
    """查不到的运行继续轮询。"""
    replies = map(sent_by_studio, [START, RUNNING, NO_SUCH_RUN, QUERY_FAILED])
    done = run(ASYNC, *replies, RUN_HISTORY_PATH=STUDIO_PATH)
    expect(done, 1, "777777775", run_id=STARTED_ID, error=QUERY_ERROR)
    assert done.record["response"] == body_of(QUERY_FAILED)
    assert "最终状态: failed" in done.stdout
    progress = "当前状态: running\n更新时间: 2026-11-23T09:46:50Z\n任务正在执行中...\n"
    assert done.stdout.count(progress) == 1
    page = "/v1/workflow/get_run_history"
    query = f"{page}?workflow_id=7400000000000000001&execute_id={STARTED_ID}"
    assert [path for _, path, _, _ in done.requests[1:]] == [query] * 3


REFUSED = {
    "inputs": (REFUSED_INPUTS, "4000", False, ["INPUTS"]),
    "unpublished": ("refused: never published", "6031", False, ["发布"]),
    "no_workflow": ("refused: no such workflow", "720702004", False, ["WORKFLOW_ID"]),
    "input_node": ("a sync run that stopped at an input node", "6039", True, ["提问"]),
    "token": (NO_TOKEN, "700012006", False, ["令牌"]),
    "no_json": ("refused: body is no JSON", "400", False, []),
    "wrong_path": (
        "run request at a wrong path (API_BASE that ends in /v1)",
        "401",
        False,
        ["API_BASE"],
    ),
    "space_of_somebody_else": (  # 错误码说不准，所以说可能运行过
        "refused: the token's user is not in the space",
        "720701013",
        True,
        ["access to space 999"],
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_is_told_whole(case):
    """没有 ID，也没有结果，所以不会有文件。"""
    what, code, may_have_run, words = REFUSED[case]
    reply = reply_to_run(what)
    assert reply.run_id == ""
    assert not workflow_sync.has_result(reply)
    assert w.may_have_run(reply) == may_have_run
    told = w.describe_reply(reply)
    whole = json.dumps(body_of(what), ensure_ascii=False, indent=2)
    status = f"HTTP 状态: {REPLIES[what]['status']}\n"
    assert missing([status, whole, code, *words], told) == []
    logid = REPLIES[what]["headers"].get("X-Log-Id")
    assert logid is None or f"logid: {logid}" in told


END_TO_END = {
    "sync": (SYNC, NO_TOKEN, NOT_RUN, "令牌"),
    "async": (ASYNC, REFUSED_INPUTS, NOT_RUN, "INPUTS"),
    "maybe": (SYNC, "refused: the token's user is not in the space", MAYBE, "720701013"),
}


@pytest.mark.parametrize("case", END_TO_END)
def test_refused_run_leaves_no_file(run, case):
    name, what, chance, word = END_TO_END[case]
    whole = json.dumps(body_of(what), ensure_ascii=False, indent=2)
    done = expect(run(name, sent_by_studio(what)), 1, whole, chance, word)
    logid = REPLIES[what]["headers"].get("X-Log-Id")
    assert logid is None or f"logid: {logid}" in done.stderr
    assert done.names == []
    assert len(done.requests) == 1


def test_run_that_waits_at_an_input_node(run):
    """Studio 不说问题；运行没有失败，它停在那里。"""
    replies = map(sent_by_studio, [START, WAITS])
    done = run(ASYNC, *replies, RUN_HISTORY_PATH=STUDIO_PATH)
    page = body_of(WAITS)["data"][0]["debug_url"]
    expect(done, 3, "等待一个回答", page, status="interrupted")


def test_live_address_on_studio_names_the_setting(run):
    """最常见的错误：没有改 RUN_HISTORY_PATH。马上停下，不问一个小时。"""
    absent = "query at an address that the server does not have"
    done = run(ASYNC, *map(sent_by_studio, [START, absent]))
    words = ["RUN_HISTORY_PATH", "API_BASE", "session_key", done.names[0]]
    expect(done, 1, "HTTP 状态: 401", *words, status="pending")
    assert len(done.requests) == 2
    assert "换一个" not in done.stderr
