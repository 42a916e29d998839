"""承诺：Coze Studio 的方言也是真的。studio_replies.json 是一个真实的 Studio 的回复，逐字抄录。"""

import json
from pathlib import Path

import pytest
from conftest import ASYNC, MAY_HAVE_RUN, NOT_RUN, SYNC, expect
from fake_coze import Reply

STUDIO_PATH = "/v1/workflow/get_run_history?workflow_id={workflow_id}&execute_id={execute_id}"
REPLIES = json.loads(Path(__file__).with_name("studio_replies.json").read_text(encoding="utf-8"))
STARTED_ID = "1795427210771969046"


def sent_by_studio(what):
    """替身原样发出的这个回复。"""
    reply = REPLIES[min(name for name in REPLIES if name.startswith(what))]
    return Reply(reply["body"], reply["status"], {"X-Tt-Logid": None, **reply["headers"]})


FAILED = "request http://127.0.0.1:9000/"
SYNC_RUNS = {
    "a sync run that succeeded": (0, "1795427210409043055", {"answer": "你好", "n": 3}),
    "a sync run whose End node": (0, "1795427210516390358", "You asked: why?"),
    "a sync run that failed in a node": (1, "1795427210558788012", None),
}


@pytest.mark.parametrize("what", SYNC_RUNS)
def test_sync_run(run, what):
    status, run_id, outputs = SYNC_RUNS[what]
    done = run(SYNC, sent_by_studio(what))
    words = ["720701013", FAILED, "计费"] if status else []
    expect(done, status, *words, run_id=run_id, outputs=outputs)


REFUSED = {
    "refused before it ran": (2, "4000"),
    "refused: never published": (2, "6031"),
    "refused: no such workflow": (2, "720702004"),
    "a sync run that stopped at an input node": (4, "6039"),
    "refused: token": (2, "700012006"),
    "refused: body is no JSON": (2, "failed to unmarshal"),
    "run request at a wrong path": (2, "session_key"),
    "refused: the token's user is not in the space": (4, "access to space 999"),
}


@pytest.mark.parametrize("name", [SYNC, ASYNC])
@pytest.mark.parametrize("what", REFUSED)
def test_refusal(run, name, what):
    status, word = REFUSED[what]
    reply = sent_by_studio(what)
    logid = reply.headers.get("X-Log-Id", "")
    done = expect(
        run(name, reply),
        status,
        word,
        logid,
        {2: NOT_RUN, 4: MAY_HAVE_RUN}[status],
    )
    assert done.names == []


QUERIES = {
    "query: success": (0, {"outputs": {"answer": "slow done", "status": 200}}),
    "query: success, End node": (0, {"outputs": {"output": "You asked: why?"}}),
    "query: failed": (1, {"status": "failed"}),
    "query: cancelled": (
        1,
        {"error": {"code": "777777777", "message": "workflow cancel by user"}},
    ),
    "query: the run waits": (3, {"status": "interrupted"}),
}


@pytest.mark.parametrize("what", QUERIES)
def test_async_run(run, what):
    """启动时给的 run_id，之后的回复不能改变它；还查不到的继续查。"""
    status, fields = QUERIES[what]
    replies = map(sent_by_studio, ["async start", "query: running", "query: no such run", what])
    done = run(ASYNC, *replies, RUN_HISTORY_PATH=STUDIO_PATH)
    expect(done, status, "稍后再查", run_id=STARTED_ID, **fields)
    assert "当前状态: running\n更新时间: 2026-11-23T09:46:50Z\n任务正在执行中...\n" in done.stdout
    query = f"workflow_id=7400000000000000001&execute_id={STARTED_ID}"
    paths = {path for _, path, _, _ in done.requests[1:]}
    assert paths == {f"/v1/workflow/get_run_history?{query}"}


def test_live_address_on_studio_names_the_setting(run):
    """最常见的错误：没有改 RUN_HISTORY_PATH。马上停下，不问一个小时。"""
    absent = sent_by_studio("query at an address")
    done = run(ASYNC, sent_by_studio("async start"), absent)
    expect(done, 3, "RUN_HISTORY_PATH", "session_key", status="pending")
    assert len(done.requests) == 2
