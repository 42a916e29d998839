"""把 Coze 的回复变成记录的纯函数，两个脚本各测一遍。"""

import json
import random

import pytest

import workflow_async
import workflow_sync

w = None  # each_script 放进来的模块
NOW = "2026-01-01T00:00:00Z"
START = {"run_id": "", "workflow_id": "w1", "status": "completed", "inputs": {"a": 1}, "created_at": NOW}


@pytest.fixture(autouse=True, params=[workflow_sync, workflow_async], ids=lambda module: module.__name__)
def each_script(request, monkeypatch):
    monkeypatch.setitem(globals(), "w", request.param)


def record(reply, **before):
    return w.next_record({**START, **before}, reply, NOW)


def history(**entry):
    return {"code": 0, "msg": "", "detail": {"logid": "L1"}, "data": [{"execute_id": "7", **entry}]}


def live_output(**nodes):
    return json.dumps({"node_status": "{}", **nodes}, ensure_ascii=False)


def text_answer(text):
    return json.dumps({"content_type": 1, "data": text, "original_result": None, "type_for_model": 2})


# ---------------------------------- 输出 ----------------------------------


@pytest.mark.parametrize(
    ("data", "outputs"),
    [
        ('{"output":"你好"}', {"output": "你好"}),
        ("[1, 2.5, null]", [1, 2.5, None]),
        ("12", 12),
        ('"quoted"', "quoted"),
        ("just text", "just text"),
        ("", ""),
        (" {broken", " {broken"),
        (text_answer("the text"), "the text"),
        (text_answer('{"looks": "like JSON"}'), '{"looks": "like JSON"}'),
        ('{"content_type":1,"data":"t","type_for_model":2}', "t"),
        (
            '{"content_type":1,"data":"t","type_for_model":2,"mine":0}',
            {"content_type": 1, "data": "t", "type_for_model": 2, "mine": 0},
        ),
        ('{"content_type":1,"data":"t"}', {"content_type": 1, "data": "t"}),
        (
            '{"content_type":1,"data":{"x":1},"type_for_model":2}',
            {"content_type": 1, "data": {"x": 1}, "type_for_model": 2},
        ),
        ({"already": "decoded"}, {"already": "decoded"}),
        ([{"row": 1}], [{"row": 1}]),
        ('{"Output":"stays"}', {"Output": "stays"}),
        ('{"x": NaN}', '{"x": NaN}'),
        ("[Infinity]", "[Infinity]"),
        ("[1e999]", "[1e999]"),
        ("[" * 100000 + "]" * 100000, "[" * 100000 + "]" * 100000),
        ("9" * 5000, "9" * 5000),
        ("[" * 401 + "]" * 401, "[" * 401 + "]" * 401),
        ('{"a":' * 401 + "1" + "}" * 401, '{"a":' * 401 + "1" + "}" * 401),
        ('{"\\u0061":' * 399 + "1" + "}" * 399, json.loads('{"a":' * 399 + "1" + "}" * 399)),
        ("[" * 400 + "]" * 400, json.loads("[" * 400 + "]" * 400)),
    ],
)
def test_sync_outputs(data, outputs):
    made = record({"code": 0, "msg": "", "data": data, "execute_id": "7"})
    assert made["status"] == "completed"
    if data == "9" * 5000 and isinstance(made["outputs"], int):
        outputs = int(data)  # 3.8.14 以前的 CPython 没有数字长度的限制
    assert made["outputs"] == outputs
    assert json.loads(w.to_json(made))["outputs"] == outputs


@pytest.mark.parametrize(
    ("output", "outputs"),
    [
        (live_output(Output='{"output":"x"}'), {"output": "x"}),
        (live_output(Output="plain"), "plain"),
        (live_output(Output=text_answer("the text")), "the text"),
        (live_output(Output='{"Output":"mine"}'), {"Output": "mine"}),
        (live_output(Output={"decoded": True}), {"decoded": True}),
        ('{"Output":"{\\"a\\":1}"}', {"a": 1}),
        (
            live_output(Output='{"a":1}', 进度="[1]", 消息="hi"),
            {"Output": {"a": 1}, "进度": [1], "消息": "hi"},
        ),
        (live_output(Output=text_answer("t"), Msg="m"), {"Output": "t", "Msg": "m"}),
        ("not JSON at all", "not JSON at all"),
        ('{"plain":"object"}', {"plain": "object"}),
        ({"Output": "decoded already"}, "decoded already"),
        (live_output(进度="[1]"), {"进度": [1]}),
    ],
)
def test_live_history_is_unwrapped(output, outputs):
    assert record(history(execute_status="Success", output=output))["outputs"] == outputs
    only_detail = {"detail": {"logid": "L"}, "data": [{"execute_status": "Success", "output": output}]}
    assert record(only_detail)["outputs"] == outputs


@pytest.mark.parametrize("output", [{"Output": "stays"}, {"output": "the text"}, {"node_status": "{}", "Output": "1"}])
def test_studio_history_is_not_unwrapped(output):
    reply = {"data": [{"execute_status": "Success", "output": json.dumps(output)}], "BaseResp": None}
    assert record(reply)["outputs"] == output
    assert record({**reply, "code": None, "detail": None})["outputs"] == output


@pytest.mark.parametrize("end", ['{"output":"x","n":[1,2]}', "plain text", text_answer("text answer")])
def test_sync_and_async_give_the_same(end):
    sync = record({"code": 0, "data": end, "execute_id": "7"})
    polled = record(history(execute_status="Success", output=live_output(Output=end)), run_id="7")
    assert sync["outputs"] == polled["outputs"]


@pytest.mark.parametrize(
    ("fields", "outputs"),
    [({"output": {"a": 1}}, {"a": 1}), ({"outputs": '{"a": 1}'}, {"a": 1}), ({"outputs": None, "output": "t"}, "t")],
)
def test_gateway_outputs(fields, outputs):
    assert record({"run_id": "r", "status": "completed", **fields})["outputs"] == outputs


# ---------------------------------- 状态 ----------------------------------


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("Running", "running"),
        ("Success", "completed"),
        ("Fail", "failed"),
        ("Cancel", "failed"),
        ("Interrupted", "failed"),
        ("<UNSET>", "failed"),
        ("pending", "pending"),
        ("Queueing", "Queueing"),
        (5, "5"),
        (None, "pending"),
        ("", "pending"),
    ],
)
def test_status(state, status):
    assert record(history(execute_status=state), status="pending")["status"] == status
    assert record({"run_id": "r", "status": state}, status="pending")["status"] == status


def test_status_of_a_run_request():
    assert record({"code": 0, "execute_id": "7"})["status"] == "completed"
    assert record({"execute_id": "7"}, status="pending")["status"] == "pending"
    assert record({"code": 4000, "msg": "no"})["status"] == "failed"
    assert record({"code": "4000", "msg": "no"})["status"] == "failed"
    assert record({"code": "0", "data": "x"})["status"] == "completed"
    assert record({"code": 0.0, "data": "x"})["status"] == "completed"
    assert record({"error": "no"})["status"] == "failed"
    assert record({"error": "", "data": "x"})["status"] == "completed"


# ----------------------------------- ID -----------------------------------


@pytest.mark.parametrize(
    ("reply", "run_id"),
    [
        ({"execute_id": "7413"}, "7413"),
        ({"execute_id": 1795427210771969046}, "1795427210771969046"),
        ({"run_id": "run123"}, "run123"),
        ({"run_id": 0, "execute_id": "8"}, "8"),
        ({"run_id": None, "execute_id": None, "debug_url": "https://x/w?execute_id=9&space_id=1"}, "9"),
        ({"debug_url": "https://x/w?execute_id=0&space_id=0"}, ""),
        ({"debug_url": "https://[broken"}, ""),
        ({"debug_url": 5}, ""),
        ({"execute_id": 0}, ""),
        ({"execute_id": "0"}, ""),
        ({"execute_id": ""}, ""),
        ({"execute_id": True}, ""),
        ({"execute_id": ["7"]}, ""),
        ({"data": [{"execute_id": 12, "execute_status": "Running"}]}, "12"),
    ],
)
def test_run_id(reply, run_id):
    assert record(reply)["run_id"] == run_id


def test_known_run_id_stays():
    assert record(history(execute_status="Running", execute_id=99), run_id="7")["run_id"] == "7"


# ----------------------------------- 错误 -----------------------------------


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"code": 5000, "msg": "boom"}, {"code": "5000", "message": "boom"}),
        (
            history(execute_status="Fail", error_code="720", error_message="m"),
            {"code": "720", "message": "m"},
        ),
        (history(execute_status="Fail", error_code=720, error_msg="m"), {"code": "720", "message": "m"}),
        ({"status": "failed", "error": "words"}, {"code": "", "message": "words"}),
        ({"status": "failed", "error": {"code": 1, "message": "m"}}, {"code": "1", "message": "m"}),
        ({"status": "failed", "error": {"code": "E", "msg": "m"}}, {"code": "E", "message": "m"}),
        ({"status": "failed", "error": {"why": "x"}}, {"code": "", "message": '{"why": "x"}'}),
        ({"status": "failed", "error": ["x"]}, {"code": "", "message": '["x"]'}),
    ],
)
def test_error(reply, error):
    assert record(reply)["error"] == error


@pytest.mark.parametrize("state", ["Fail", "Cancel", "Interrupted", "<UNSET>"])
def test_error_without_words_gets_ours(state):
    error = record(history(execute_status=state, error_code="", error_message=None))["error"]
    assert set(error) == {"code", "message"}
    assert error["code"] == ""
    assert ("取消" in error["message"]) == (state == "Cancel")
    assert error["message"]


@pytest.mark.parametrize("state", ["Interrupted", "<UNSET>"])
def test_waiting_run(state):
    entry = {"execute_status": state, "debug_url": "https://x/d", "error_message": "paused"}
    message = record(history(**entry))["error"]["message"]
    assert "等待一个回答" in message
    assert "https://x/d" in message
    assert "paused" in message


@pytest.mark.parametrize(
    "reply",
    [
        {"code": 0, "data": "", "execute_id": "7", "interrupt_data": {"data": "几岁？", "type": 2, "event_id": "e"}},
        history(execute_status="Running", interrupt_data={"data": "几岁？", "type": 2}),
        history(interrupt_data={"data": {"content": "几岁？"}}),
        history(execute_status="Success", interrupt_data='{"data": "几岁？"}'),
    ],
)
def test_question_fails_the_run_wherever_it_comes(reply):
    made = record(reply)
    assert made["status"] == "failed"
    assert "等待一个回答" in made["error"]["message"]
    assert "几岁？" in made["error"]["message"]


# ----------------------------------- 时间 -----------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1730174063, "2024-10-29T03:54:23Z"),
        ("1730174063", "2024-10-29T03:54:23Z"),
        (1730174063.9, "2024-10-29T03:54:23Z"),
        ("2025-10-28T15:58:40Z", "2025-10-28T15:58:40Z"),
        ("2025-10-28T15:58:40.123456789Z", "2025-10-28T15:58:40Z"),
        ("2025-10-28 15:58:40", "2025-10-28T15:58:40Z"),
        ("2025-10-28T23:58:40+08:00", "2025-10-28T15:58:40Z"),
        ("2025-10-28T10:58:40-0500", "2025-10-28T15:58:40Z"),
        ("2025-10-28T23:58:40+08", "2025-10-28T15:58:40Z"),
        ("2025-13-28T15:58:40Z", ""),
        ("0001-01-01T00:00:00+08:00", ""),
        ("../../etc", ""),
        ("nan", ""),
        (10**30, ""),
        (-(10**30), ""),
        (0, ""),
        (None, ""),
        (True, ""),
        ([1], ""),
    ],
)
def test_iso_time(value, text):
    assert w.iso_time(value) == text


def test_times_come_from_coze_else_from_the_clock():
    made = record(history(execute_status="Running", create_time=1730174063, update_time=1730174065))
    assert (made["created_at"], made["updated_at"]) == ("2024-10-29T03:54:23Z", "2024-10-29T03:54:25Z")
    made = record({"code": 0, "execute_id": "7"}, created_at="2025-01-01T00:00:00Z")
    assert (made["created_at"], made["updated_at"]) == ("2025-01-01T00:00:00Z", NOW)


# ---------------------------------- 其他 ----------------------------------


def test_order_of_the_record():
    names = ["run_id", "workflow_id", "status", "inputs", "outputs", "created_at", "updated_at", "response"]
    assert list(record({"code": 0, "data": "x", "execute_id": "7"})) == names
    names[4] = "error"
    assert list(record({"code": 1, "execute_id": "7"})) == names


@pytest.mark.parametrize(
    ("reply", "logid"),
    [
        ({"detail": {"logid": "A"}}, "A"),
        ({"data": [{"logid": "B", "execute_status": "x"}]}, "B"),
        ({"data": [{"log_id": "C", "execute_status": "x"}]}, "C"),
        ({"detail": None}, ""),
        ({}, ""),
    ],
)
def test_logid(reply, logid):
    assert w.logid_of(reply) == logid


def test_details_of_the_run():
    page = "运行详情页面（7 天内有效）: https://x/d"
    reply = {"code": 0, "data": "x", "execute_id": "7", "debug_url": "https://x/d", "usage": {"token_count": 150}}
    assert w.run_details(record(reply)) == [page, "消耗 Token 数: 150"]
    assert w.run_details(record({**reply, "usage": None, "token": "12"})) == [page, "消耗 Token 数: 12"]
    assert w.run_details(record({**reply, "usage": None, "token": 0})) == [page]
    assert w.run_details(record({"run_id": "r", "status": "completed", "output": 1})) == []


def test_any_reply_makes_a_record():
    """随机拼出的回复：不抛出任何异常，记录总能写成 JSON。"""
    dice = random.Random(0)
    names = "code msg data execute_id run_id status execute_status output outputs error debug_url detail create_time"
    names = [*names.split(), "interrupt_data", "usage", "token", "error_code", "logid", "Output", "created_at"]
    leaves = [None, 0, 1, -1, 1.5, True, "", "0", "x", "7", "Success", "Fail", "<UNSET>", "[", '{"Output":"1"}', 10**20]
    leaves += ["\ud800", "http://[", "https://x/?execute_id=5", text_answer("t"), "2025-10-28T15:58:40Z", "nan", "inf"]

    def value(depth):
        kind = dice.random()
        if depth == 0 or kind < 0.5:
            return dice.choice(leaves)
        if kind < 0.7:
            return [value(depth - 1) for _ in range(dice.randrange(3))]
        return {dice.choice(names): value(depth - 1) for _ in range(dice.randrange(6))}

    for _ in range(3000):
        reply = {dice.choice(names): value(3) for _ in range(dice.randrange(8))}
        made = record(reply, status=dice.choice(["completed", "pending"]))
        assert json.loads(w.to_json(made)) == made
        assert isinstance(made["run_id"], str)
        assert isinstance(made["status"], str)
        if made["status"] == "failed":
            assert all(isinstance(made["error"][name], str) for name in ("code", "message"))
            assert made["error"]["message"]
        w.run_details(made)
        w.report(w.Answer(200, "", reply))
        w.file_name({**made, "run_id": made["run_id"] or "x"})
