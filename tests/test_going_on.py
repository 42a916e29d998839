"""承诺：无论怎样停下来，run_id 和接着等的命令在屏幕上；暂时的麻烦接着轮询，别的立刻停下。"""

import json
import os

import pytest
from conftest import (
    ASYNC,
    MAY_HAVE_RUN,
    NOT_RUN,
    PYTHON,
    STARTED,
    SYNC,
    WINDOWS,
    expect,
    history,
    html,
    success,
)
from fake_coze import Reply

import workflow_async as w

RUNNING = history("Running")
DONE = history("Success", output='{"Output":"done"}')
EMPTY = '{"code":0,"msg":"","data":[]}'
NOT_FOUND = '{"code":4314,"msg":"Execution record not found"}'
STUDIO_UNKNOWN = '{"code":777777775,"msg":"user 123 does not have access to space 0"}'

PASSING = [
    EMPTY,
    '{"code":0,"data":null}',
    '{"code":0,"data":[{"execute_id":"7"}]}',
    NOT_FOUND,
    STUDIO_UNKNOWN,
    *[f'{{"code":{code}}}' for code in (4008, 4009, 4011, 4019, '"4020"', 4022)],
    '{"code":720701013,"msg":"server issues"}',
    '{"status":"failed","message":"busy gateway"}',
    Reply('{"code":5000,"msg":"internal"}', 500),
    Reply('{"status":"failed","error":"Internal Server Error"}', 500),
    Reply("no JSON", 200),
    html(200),
    html(408),
    html(425),
    html(429),
    html(502),
    html(503),
    Reply(fault="reset"),
    Reply(fault="close"),
    Reply(DONE, fault="half"),
]


def test_what_passes_is_polled_through(run):
    done = run(ASYNC, STARTED, *PASSING, DONE)
    expect(done, 0, "稍后再查", "Coze 还没有它的记录", status="completed", outputs="done")
    assert len(done.requests) == 2 + len(PASSING)
    assert NOT_RUN not in done.stderr


STOPS = {
    "token": '{"code":4100,"msg":"invalid token"}',
    "permission": '{"code":4101,"msg":"no permission"}',
    "workflow": '{"code":4200,"msg":"no workflow"}',
    "studio_token": '{"code":700012006,"msg":"missing session_key"}',
    "studio_workflow": '{"code":720702004,"msg":"no workflow"}',
    "studio_address": Reply('{"code":401,"msg":"missing session_key"}', 401),
    "other_server": Reply('{"status":"404","error":"Not Found"}', 404),
    "page": html(403),
    "gone": html(410),
    "redirect": html(301, "", Location="/login"),
}
PATH_MATTERS = {"studio_token", "studio_address", "other_server", "page", "gone", "redirect"}


@pytest.mark.parametrize("case", STOPS)
def test_what_does_not_pass_stops_at_once_with_the_way_on(run, case):
    done = run(ASYNC, STARTED, STOPS[case])
    expect(done, 3, "不再查了", "run_id: 7", status="pending")
    assert len(done.requests) == 2
    assert done.command[-1] == "7"
    assert NOT_RUN not in done.stderr
    assert ("RUN_HISTORY_PATH" in done.stderr) == (case in PATH_MATTERS)


def test_attempts_are_used_up(run):
    done = run(ASYNC, STARTED, *[RUNNING] * 5, MAX_POLL_ATTEMPTS=3)
    expect(done, 3, "3 次", "MAX_POLL_ATTEMPTS", status="running")
    assert len(done.requests) == 4
    assert done.command[-1] == "7"


def test_command_that_is_printed_goes_on(coze, script):
    one = script(ASYNC, coze(STARTED, RUNNING, RUNNING, DONE), MAX_POLL_ATTEMPTS=1)
    stopped = expect(one.run(), 3, status="running")
    command = [PYTHON, *stopped.command[1:]]
    if os.name == "posix" and not WINDOWS:  # 整行粘贴
        (line,) = (line for line in stopped.stderr.splitlines() if line.endswith('.py" 7'))
        command = ["sh", "-c", f"PATH='{os.path.dirname(PYTHON)}':$PATH; {line}"]
    assert expect(one.run(command=command), 3, status="running").names == stopped.names
    done = expect(one.run(command=command), 0, status="completed", outputs="done")
    assert done.record["created_at"] == stopped.record["created_at"]
    assert done.runs == 1


WAYS = {"by_id": "7", "by_file": "7_20251028T155840.json", "elsewhere": "other/7_x.json"}


def write_record(one, **fields):
    """文件夹里已经有的一份记录，和它的副本 other/7_x.json；返回它的路径。"""
    record = {"run_id": "7", "workflow_id": "w7", "status": "running", "inputs": {"a": 1}}
    record.update(created_at="2025-10-28T15:58:40Z", updated_at="2025-10-28T15:58:42Z", **fields)
    (one.folder / "other").mkdir()
    path = one.folder / "7_20251028T155840.json"
    for place in (path, one.folder / "other/7_x.json"):
        place.write_text(json.dumps(record, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.mark.parametrize("way", WAYS)
def test_going_on_keeps_what_the_file_knows(coze, script, way):
    one = script(ASYNC, coze(DONE))
    write_record(one)
    done = expect(
        one.run(WAYS[way]),
        0,
        status="completed",
        inputs={"a": 1},
        workflow_id="w7",
    )
    assert done.runs == 0
    assert done.requests[0][1] == "/v1/workflows/w7/run_histories/7"
    assert done.names == ["7_20251028T155840.json"]
    assert "不重新运行" in done.stdout


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("state", ["completed", "failed"])
def test_ended_run_is_shown_without_a_request_or_settings(script, way, state):
    outcome = {"outputs": {"答": 1}}
    if state == "failed":
        outcome = {"error": {"code": "5000", "message": "node broke"}}
    one = script(ASYNC)
    path = write_record(one, **outcome, status=state)
    before = path.read_bytes()
    done = one.run(WAYS[way])
    assert done.status == (state == "failed")
    assert f"最终状态: {state}" in done.stdout
    assert WAYS[way].split("_")[0] in done.stdout
    assert "结果已保存" not in done.stdout
    assert ("node broke" in done.stderr) == (state == "failed")
    assert path.read_bytes() == before


def test_run_without_a_file_is_asked_for(coze, script):
    entry = {"create_time": 1761667120, "update_time": 1761667200, "input": '{"q":"你好"}'}
    running = history("Running", **entry)
    done = script(ASYNC, coze(running, DONE)).run("7")
    expect(done, 0, created_at="2025-10-28T15:58:40Z", inputs={"q": "你好"}, outputs="done")
    assert done.names == ["7_20251028T155840.json"]
    assert done.runs == 0


NO_NUMBER = '{"code":720701013,"msg":"strconv.ParseInt: parsing \\"999\\""}'
UNKNOWN = {"live": NOT_FOUND, "empty": EMPTY, "studio": STUDIO_UNKNOWN, "id": NO_NUMBER}


@pytest.mark.parametrize("case", UNKNOWN)
def test_id_that_coze_does_not_know_ends_at_once(coze, script, case):
    done = expect(
        script(ASYNC, coze(UNKNOWN[case], DONE)).run("999"),
        3,
        "999",
        "WORKFLOW_ID",
    )
    assert len(done.requests) == 1
    assert done.command == []
    assert done.names == []
    assert NOT_RUN not in done.stderr


def test_id_without_a_file_is_asked_for_again_when_there_is_no_network(coze, script):
    replies = [Reply(fault="reset"), html(502), '{"code":5000}', '{"code":4009}', DONE]
    expect(
        script(ASYNC, coze(*replies)).run("7"),
        0,
        "稍后再查",
        status="completed",
    )


NO_RUN = {"nothing": "", "no_file": "nowhere_1.json", "other_file": ASYNC, "path": "../7"}


@pytest.mark.parametrize("case", NO_RUN)
def test_what_is_no_run_sends_nothing(coze, script, case):
    done = expect(
        script(ASYNC, coze()).run(NO_RUN[case]),
        2,
        "run_id",
    )
    assert done.requests == []
    assert MAY_HAVE_RUN not in done.stderr


def test_going_on_asks_for_the_settings_it_needs_alone(script):
    one = script(ASYNC, API_BASE="ftp://x", MAX_POLL_INTERVAL=0, INPUTS=5)
    write_record(one)
    done = expect(one.run("7"), 2, "YOUR_ACCESS_TOKEN", "API_BASE", "MAX_POLL_INTERVAL")
    assert "INPUTS" not in done.stderr
    assert NOT_RUN not in done.stderr


QUESTION = {"event_id": "1/2", "type": 2, "data": '{"content_type":"text","content":"叫什么？"}'}
FORM = {"event_id": "1/2", "type": 5, "data": '{"content":"[{\\"name\\":\\"年龄\\"}]"}'}


@pytest.mark.parametrize("question", [QUESTION, FORM], ids=["question", "input_node"])
def test_run_that_waits_at_a_question_goes_on_after_the_answer(coze, script, question):
    waiting = history("Interrupted", interrupt_data=question)
    one = script(ASYNC, coze(STARTED, waiting, RUNNING, DONE))
    text = json.loads(question["data"])["content"]
    done = expect(one.run(), 3, text, "回答", status="interrupted")
    assert done.command[-1] == "7"
    expect(one.run("7"), 0, status="completed", outputs="done")


def test_sync_run_that_waits_at_a_question_is_gone_on_by_the_async_script(coze, script):
    reply = {"code": 0, "msg": "", "execute_id": "7", "interrupt_data": QUESTION}
    one = script(SYNC, coze(reply, DONE))
    done = expect(one.run(), 3, "叫什么？", "计费", status="interrupted")
    assert done.command == ["python", ASYNC, "7"]
    expect(
        script(ASYNC, one.server).run("7"),
        0,
        status="completed",
        inputs=done.record["inputs"],
    )


def test_sync_run_without_an_id_has_no_command(run):
    done = run(SYNC, {"code": 0, "msg": "", "interrupt_data": QUESTION})
    expect(done, 3, "叫什么？", status="interrupted")
    assert done.command == []


@pytest.mark.parametrize("data", ["", "{}", '{"content_type":"","content":""}'])
def test_all_empty_interrupt_is_no_question(run, data):
    empty = {"event_id": "", "type": 0, "data": data}
    expect(run(SYNC, *success(SYNC, interrupt_data=empty)), 0, status="completed")


def test_interval_grows_and_falls_back_when_the_state_changes(tmp_path, monkeypatch):
    states = ["", "running", "running", "running", *["running"] * 6, "completed"]
    slept = []

    def query(_):
        status = states.pop(0)
        return {"run_id": "7", "status": status} if status else {}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(w, "query", query)
    monkeypatch.setattr(w.time, "sleep", slept.append)
    w.poll({"run_id": "7", "status": "pending", "created_at": "2025-10-28T15:58:40Z"})
    growing = [2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30]
    assert slept == [2, 3, *growing]
