"""承诺：usage.md 的状态、字段、文件名和屏幕示例，一个字不差；各种方言的回复，变成同样的记录。"""

import calendar
import json
import re
import time

import pytest
from conftest import ASYNC, BOTH, ROOT, STARTED, SYNC, expect, history, success
from fake_coze import TOKEN, Reply

import workflow_async as w

SAMPLES = (ROOT / "tests/samples.md").read_text(encoding="utf-8")
SYNC_SAMPLE, ASYNC_SAMPLE = re.findall("```\n(.*?)```", SAMPLES, re.DOTALL)
SAMPLE = {"YOUR_ACCESS_TOKEN": TOKEN, "WORKFLOW_ID": "your_workflow_id"}
CREATED = "2025-10-28T15:58:40Z"
RESULT = {"result": "success"}
RECORD = {
    "run_id": "run123",
    "workflow_id": "your_workflow_id",
    "status": "completed",
    "inputs": {"param1": "value1", "param2": "value2"},
    "outputs": RESULT,
    "created_at": CREATED,
}


def test_sync_sample(coze, script):
    end = "2025-10-28T15:59:00Z"
    reply = {"run_id": "run123", "status": "completed", "output": RESULT}
    reply.update(created_at=CREATED, updated_at=end)
    server = coze(reply)
    done = script(SYNC, server, API_BASE=server.url, **SAMPLE).run()
    expect(done, 0, **RECORD, updated_at=end, reply=reply)
    assert done.stdout == SYNC_SAMPLE
    assert done.names == ["run123_20251028T155840.json"]


def test_async_sample(coze, script):
    """两次查询都说等 2 秒，只是在这里不真的等那么久。"""
    start = {"run_id": "run123", "status": "pending", "created_at": CREATED}
    running = {"run_id": "run123", "status": "running", "updated_at": "2025-10-28T15:58:42Z"}
    end = {"run_id": "run123", "status": "completed", "outputs": RESULT}
    end["updated_at"] = "2025-10-28T16:00:00Z"
    server = coze(start, running, end)
    settings = {"API_BASE": server.url, "INITIAL_POLL_INTERVAL": 2, "MAX_POLL_INTERVAL": 30}
    one = script(ASYNC, server, **settings, **SAMPLE)
    one.rewrite("time.sleep(interval)", "time.sleep(interval / 100)")
    done = expect(
        one.run(),
        0,
        **RECORD,
        updated_at=end["updated_at"],
        reply=end,
    )
    assert done.stdout == ASYNC_SAMPLE
    assert done.names == ["run123_20251028T155840.json"]


@BOTH
def test_record_has_the_fields_of_the_document(run, name):
    done = expect(run(name, *success(name)), 0)
    names = "run_id workflow_id status inputs outputs created_at updated_at reply"
    assert sorted(done.record) == sorted(names.split())
    assert list(done.record)[-1] == "reply"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", done.record["created_at"])
    moment = re.sub("[-:Z]", "", done.record["created_at"])
    assert done.names == [f"7_{moment}.json"]


def test_created_at_is_when_the_run_was_sent(run):
    """历史里的 create_time 不算，文件名因此不会变。"""
    done = run(
        ASYNC,
        STARTED,
        history("Success", output="x", create_time=1730174063),
    )
    expect(done, 0)
    assert "2024" not in done.names[0]


FAILURES = {
    SYNC: [{"code": 5000, "msg": "broke", "execute_id": "7"}],
    ASYNC: [STARTED, history("Fail", error_code="5000", error_message="broke")],
}


@BOTH
def test_failed_run_has_an_error_and_costs(run, name):
    done = run(name, *FAILURES[name])
    error = {"code": "5000", "message": "broke"}
    expect(done, 1, "broke", "5000", "计费", status="failed", error=error)
    assert "outputs" not in done.record
    assert "请求成功" not in done.stdout
    assert "状态: failed" in done.stdout


SAID = {
    "pending": ("pending",),
    "running": ("running", "Running", "RUNNING"),
    "interrupted": ("interrupted", "Interrupted", "<UNSET>"),
    "completed": ("completed", "COMPLETED", "Success", "success"),
    "failed": ("failed", "Fail", "Failed", "Cancel", "canceled", "Canceled", "Timeout"),
    "Queued": ("Queued",),
    "": ("", None, 0),
}
STATES = [(said, status) for status, many in SAID.items() for said in many]


@pytest.mark.parametrize(("said", "status"), STATES)
def test_state_is_one_of_the_document_or_as_it_came(said, status):
    assert w.read_status({"execute_status": said}) == status
    assert w.read_status({"status": said}) == status


def test_unknown_state_is_shown_and_polled_on(run):
    done = run(
        ASYNC,
        STARTED,
        history("Queued"),
        history("Success", output='{"Output":"x"}'),
    )
    expect(done, 0, status="completed")
    assert "当前状态: Queued\n" in done.stdout


def wrapped(text, **extra):
    """End 节点以文字回答时的包装。"""
    fields = {"content_type": 1, "data": text, "original_result": None, "type_for_model": 2}
    return json.dumps({**fields, **extra})


# End 节点的值 -> 输出；同步的和查询到的一样
OUTPUTS = {
    "object": ('{"output":"你好"}', {"output": "你好"}),
    "list": ("[1, 2.5, null]", [1, 2.5, None]),
    "null": ("null", None),
    "text": ("text", "text"),
    "empty": ("", ""),
    "number": ("1.10", "1.10"),
    "boolean": ("true", "true"),
    "quoted": ('"quoted"', '"quoted"'),
    "broken": ("{broken", "{broken"),
    "decoded": ({"a": 1}, {"a": 1}),
    "name_of_a_node": ('{"Output": "stays"}', {"Output": "stays"}),
    "text_answer": (wrapped("the text"), "the text"),
    "text_answer_like_json": (wrapped('["x"]'), '["x"]'),
    "text_answer_without_original": (
        '{"content_type":1,"data":"t","type_for_model":2}',
        "t",
    ),
    "text_answer_and_more": (
        wrapped("t", mine=0),
        json.loads(wrapped("t", mine=0)),
    ),
}


@pytest.fixture
def asked(monkeypatch, response):
    """查询得到这个回复的记录：asked(reply)。"""

    def asked(reply, http_status=200):
        record = {"run_id": "7", "workflow_id": "w", "status": "pending", "created_at": CREATED}
        monkeypatch.setattr(w, "send", lambda *_: (response(http_status), w.fields_of(reply)))
        w.update_from_history(record, w.query(record))
        return record

    return asked


@pytest.mark.parametrize("case", OUTPUTS)
def test_outputs_are_the_same_sync_and_async(asked, case):
    value, outputs = OUTPUTS[case]
    record = {"created_at": CREATED}
    w.update_record(record, "completed", {"data": value}, {})
    assert record["outputs"] == outputs
    nodes = {"Output": value, "node_status": "{}"}
    assert asked(history("Success", output=json.dumps(nodes)))["outputs"] == outputs


LIVE = {
    "without_node_status": ('{"Output":"{\\"a\\":1}"}', {"a": 1}),
    "output_nodes": (
        json.dumps({"Output": '{"a":1}', "进度": "[1]", "node_status": "{}"}),
        {"Output": {"a": 1}, "进度": [1]},
    ),
    "only_an_output_node": ('{"Msg":"hi","node_status":"{}"}', {"Msg": "hi"}),
    "no_nodes": ('{"plain":"object"}', {"plain": "object"}),
    "no_json": ("not JSON at all", "not JSON at all"),
}


@pytest.mark.parametrize("case", LIVE)
def test_live_history_is_unwrapped(asked, case):
    output, outputs = LIVE[case]
    reply = history("Success", output=output)
    assert asked(reply)["outputs"] == outputs
    del reply["code"]
    assert asked({**reply, "detail": {"logid": "L"}})["outputs"] == outputs


def test_studio_history_is_not_unwrapped(asked):
    """它没有 code 和 detail，output 就是 End 节点的值。"""
    reply = history("Success", output='{"Output":"{\\"a\\":1}"}')
    del reply["code"]
    assert asked(reply)["outputs"] == {"Output": '{"a":1}'}


TIMES = {
    "seconds": ("1730174063", "2024-10-29T03:54:23Z"),
    "document": (CREATED, CREATED),
    "with_a_zone": ("2025-10-28T23:58:40+08:00", "2025-10-28T23:58:40+08:00"),
}


@pytest.mark.parametrize("case", TIMES)
def test_time_is_that_of_the_document(case):
    said, moment = TIMES[case]
    assert w.read_time(said) == moment


@pytest.mark.parametrize("said", ["", "yesterday", "99999999999999"])
def test_time_that_is_not_said_is_now(said):
    now = time.time()
    read = calendar.timegm(time.strptime(w.read_time(said), "%Y-%m-%dT%H:%M:%SZ"))
    assert now - 2 < read < now + 2


def test_name_of_the_file_is_one_that_windows_takes():
    record = {"run_id": 'a/b\\c:d*"<>|?', "created_at": "2025-10-28T15:58:40.123+08:00"}
    assert w.file_name(record) == "a_b_c_d_______20251028T155840.json"


IDS = {
    "text": ({"execute_id": "7"}, "7"),
    "number": ({"execute_id": 2**63}, str(2**63)),
    "document": ({"run_id": "run123"}, "run123"),
    "in_debug_url": ({"debug_url": "https://x/?execute_id=7&workflow_id=8"}, "7"),
    "last_in_debug_url": ({"debug_url": "https://x/?workflow_id=8&execute_id=7"}, "7"),
    "zero": ({"execute_id": 0, "debug_url": "https://x/?execute_id=0&workflow_id=8"}, ""),
    "zero_text": ({"execute_id": "0"}, ""),
    "none": ({"execute_id": None, "debug_url": 5}, ""),
}


@pytest.mark.parametrize("case", IDS)
def test_run_id(case):
    fields, run_id = IDS[case]
    assert w.read_run_id(fields) == run_id


ERRORS = {
    "sync": ({"code": 5000, "msg": "m"}, "5000", "m"),
    "gateway": ({"code": 5000, "message": "m"}, "5000", "m"),
    "history": ({"error_code": "1", "error_message": "m"}, "1", "m"),
    "studio": ({"error_code": "1", "error_msg": "m"}, "1", "m"),
    "text": ({"error": "m"}, "", "m"),
    "object": (
        {"error": {"code": 1, "message": "m"}},
        "1",
        "m",
    ),
    "state": ({"execute_status": "Timeout", "error_code": ""}, "", "Timeout"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error(case):
    fields, code, message = ERRORS[case]
    assert w.read_error(fields) == {"code": code, "message": message}


@BOTH
def test_options_go_into_the_request_as_they_are(run, name):
    options = {"bot_id": "b", "ext": {"user_id": "u"}, "tomorrow": [1], "workflow_id": "no"}
    done = expect(
        run(name, *success(name), OPTIONS=options, INPUTS={"a": "你"}),
        0,
    )
    method, path, headers, body = done.requests[0]
    assert (method, path) == ("POST", "/v1/workflow/run")
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        **options,
        "workflow_id": "7400000000000000001",
        "parameters": {"a": "你"},
        "is_async": name == ASYNC,
    }


UPLOADED = {"code": 0, "data": {"id": "739", "file_name": "a"}}


@BOTH
def test_files_are_uploaded_first_and_become_inputs(coze, script, name):
    """扣子官网要 file_id，Coze Studio 要网址。"""
    studio = {"code": 0, "data": {"id": "740", "url": "http://x/照片.png"}}
    one = script(
        name,
        coze(UPLOADED, studio, *success(name)),
        INPUTS={"q": 1},
    )
    (one.folder / "照片.png").write_bytes(b"\x89PNG")
    (one.folder / "b.pdf").write_bytes(b"%PDF")
    one.rewrite("FILES = {}", 'FILES = {"image": "照片.png", "docs": ["b.pdf"]}')
    done = expect(one.run(), 0)
    inputs = {"q": 1, "image": '{"file_id": "739"}', "docs": ["http://x/照片.png"]}
    assert json.loads(done.requests[2][3])["parameters"] == inputs
    assert done.record["inputs"] == inputs
    assert [path for _, path, _, _ in done.requests[:2]] == ["/v1/files/upload"] * 2
    assert 'name="file"; filename="照片.png"'.encode() in done.requests[0][3]


NO_UPLOAD = {
    "refused": {"code": 4303, "msg": "type not supported"},
    "no_id": {"code": 0, "data": {}},
    "page": Reply("<html>", 413),
    "reset": Reply(fault="reset"),
}


@BOTH
@pytest.mark.parametrize("case", NO_UPLOAD)
def test_upload_that_fails_runs_nothing(run, name, case):
    done = run(
        name,
        NO_UPLOAD[case],
        FILES={"docs": [name]},
    )
    expect(done, 2, "没有传上去", "没有运行，不会计费")
    assert done.runs == 0


@BOTH
def test_page_of_the_run_is_shown(run, name):
    page = "https://www.coze.cn/work_flow?execute_id=7"
    assert page in expect(run(name, *success(name, debug_url=page)), 0).stdout


def test_output_that_was_trimmed_is_told(run):
    expect(run(ASYNC, *success(ASYNC, is_output_trimmed=True)), 0, "截断")
