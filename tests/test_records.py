"""把 Coze 的回复变成记录的纯函数。两个脚本里的逐字相同（test_project），所以只测一遍。"""

import json
import random
import re

import pytest
from conftest import history

import workflow_async as w

NOW = "2026-01-01T00:00:00Z"
BEFORE = {"run_id": "7", "workflow_id": "w1", "status": "completed", "inputs": {"a": 1}, "created_at": NOW}


def record(reply, **before):
    return w.next_record({**BEFORE, **before}, reply, NOW)


def live_output(**nodes):
    return json.dumps({"node_status": "{}", **nodes}, ensure_ascii=False)


def text_answer(text, **extra):
    return json.dumps({"content_type": 1, "data": text, "original_result": None, "type_for_model": 2, **extra})


def nested(depth, opening="[", closing="]"):
    return opening * depth + (closing and "1") + closing * depth


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
        (None, None),
        (" {broken", " {broken"),
        (text_answer("the text"), "the text"),
        (text_answer('{"looks": "like JSON"}'), '{"looks": "like JSON"}'),
        ('{"content_type":1,"data":"t","type_for_model":2}', "t"),
        ('{"content_type":1,"data":"t"}', {"content_type": 1, "data": "t"}),
        (text_answer("t", mine=0), json.loads(text_answer("t", mine=0))),
        (text_answer({"x": 1}), json.loads(text_answer({"x": 1}))),
        ({"already": "decoded"}, {"already": "decoded"}),
        ([{"row": 1}], [{"row": 1}]),
        ('{"Output":"stays"}', {"Output": "stays"}),
        ('{"x": NaN}', '{"x": NaN}'),
        ("[-Infinity]", "[-Infinity]"),
        (nested(400), json.loads(nested(400))),
        (nested(700, '{"a":', "}"), json.loads(nested(700, '{"a":', "}"))),
        (nested(100_000), nested(100_000)),
    ],
)
def test_sync_outputs(data, outputs):
    made = record({"code": 0, "msg": "", "data": data, "execute_id": "7"})
    assert made["status"] == "completed"
    assert made["outputs"] == outputs
    assert json.loads(w.as_text(made))["outputs"] == outputs


@pytest.mark.parametrize("depth", [*range(960, 1010, 3), *range(1480, 1510, 5), *range(9960, 10010, 10)])
def test_what_can_be_read_can_be_written(depth):
    """嵌套的极限因 CPython 的版本而不同：读得出的就写得进记录，读不出的是文本。"""
    made = record({"code": 0, "data": nested(depth), "x": json.loads(nested(300))})
    assert json.loads(w.as_text({"one": {"more": made}}))["one"]["more"]["response"]["data"] == nested(depth)


def test_what_is_too_deep_to_be_indented_is_written_without():
    """CPython 3.12 能写 1497 层，缩进只到 994 层。"""
    value = []
    for depth in range(1, 1481):
        value = [value]
        if depth % 20 == 0 and w.is_writable(value):
            assert "".join(w.as_text(value).split()) == "[" * depth + "[]" + "]" * depth


@pytest.mark.parametrize(
    ("output", "outputs"),
    [
        (live_output(Output='{"output":"x"}'), {"output": "x"}),
        (live_output(Output="plain"), "plain"),
        (live_output(Output=text_answer("the text")), "the text"),
        (live_output(Output='{"Output":"mine"}'), {"Output": "mine"}),
        (live_output(Output={"decoded": True}), {"decoded": True}),
        (live_output(Output=None), None),
        ('{"Output":"{\\"a\\":1}"}', {"a": 1}),
        (live_output(Output='{"a":1}', 进度="[1]", 消息="hi"), {"Output": {"a": 1}, "进度": [1], "消息": "hi"}),
        (live_output(Output=text_answer("t"), Msg="m"), {"Output": "t", "Msg": "m"}),
        (live_output(进度="[1]"), {"进度": [1]}),
        ("not JSON at all", "not JSON at all"),
        ('{"plain":"object"}', {"plain": "object"}),
        ({"Output": "decoded already"}, "decoded already"),
    ],
)
def test_live_history_is_unwrapped(output, outputs):
    reply = history("Success", output=output)
    assert record(reply)["outputs"] == outputs
    del reply["code"]
    assert record({**reply, "detail": {"logid": "L"}})["outputs"] == outputs


@pytest.mark.parametrize("output", [{"Output": "stays"}, {"output": "the text"}, {"node_status": "{}", "Output": "1"}])
def test_studio_history_is_not_unwrapped(output):
    reply = {"data": [{"execute_status": "Success", "output": json.dumps(output)}], "BaseResp": None}
    assert record(reply)["outputs"] == output
    assert record({**reply, "code": None, "detail": None})["outputs"] == output


@pytest.mark.parametrize("end", ['{"output":"x","n":[1,2]}', "plain text", text_answer("text answer")])
def test_sync_and_async_give_the_same(end):
    polled = record(history("Success", output=live_output(Output=end)))
    assert record({"code": 0, "data": end, "execute_id": "7"})["outputs"] == polled["outputs"]


@pytest.mark.parametrize(
    ("fields", "outputs"),
    [({"output": {"a": 1}}, {"a": 1}), ({"outputs": '{"a": 1}'}, {"a": 1}), ({"outputs": None, "output": "t"}, "t")],
)
def test_gateway_outputs(fields, outputs):
    assert record({"run_id": "r", "status": "completed", **fields})["outputs"] == outputs


# ------------------------------- 状态、ID、错误 -------------------------------


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
    assert record(history(state), status="pending")["status"] == status
    assert record({"run_id": "r", "status": state}, status="pending")["status"] == status


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        ({"code": 0, "execute_id": "7"}, "completed"),
        ({"code": 4000, "msg": "no"}, "failed"),
        ({"code": "4000", "msg": "no"}, "failed"),
        ({"code": "0", "data": "x"}, "completed"),
        ({"code": 0.0, "data": "x"}, "completed"),
        ({"error": "no"}, "failed"),
        ({"error": "", "data": "x"}, "completed"),
    ],
)
def test_status_that_only_the_code_tells(reply, status):
    assert record(reply)["status"] == status


@pytest.mark.parametrize(
    ("reply", "run_id"),
    [
        ({"execute_id": "7413"}, "7413"),
        ({"execute_id": 1795427210771969046}, "1795427210771969046"),
        ({"run_id": "run123"}, "run123"),
        ({"run_id": 0, "execute_id": "8"}, "8"),
        ({"execute_id": None, "debug_url": "https://x/w?execute_id=9&space_id=1"}, "9"),
        ({"debug_url": "https://x/w?space_id=1&execute_id=a%2Fb#top"}, "a/b"),
        ({"debug_url": "https://x/w?execute_id=0&space_id=0"}, ""),
        ({"debug_url": "https://[broken"}, ""),
        ({"debug_url": 5}, ""),
        ({"execute_id": 0}, ""),
        ({"execute_id": "0"}, ""),
        ({"execute_id": True}, ""),
        ({"execute_id": ["7"]}, ""),
        ({"data": [{"execute_id": 12, "execute_status": "Running"}]}, "12"),
    ],
)
def test_run_id(reply, run_id):
    assert w.fields_of(reply)["run_id"] == run_id
    assert record(reply, run_id="known")["run_id"] == "known"


@pytest.mark.parametrize(
    ("reply", "code", "message"),
    [
        ({"code": 5000, "msg": "boom"}, "5000", "boom"),
        (history("Fail", error_code="720", error_message="m"), "720", "m"),
        (history("Fail", error_code=720, error_msg="m"), "720", "m"),
        ({"status": "failed", "error": "words"}, "", "words"),
        ({"status": "failed", "error": {"code": 1, "message": "m"}}, "1", "m"),
        ({"status": "failed", "error": {"code": "E", "msg": "m"}}, "E", "m"),
        ({"status": "failed", "error": {"why": "x"}}, "", '{"why": "x"}'),
        ({"status": "failed", "error": ["x"]}, "", '["x"]'),
        (history("Cancel", error_code="", error_message=None), "", "运行被取消。"),
        (history("Fail", error_code="", error_message=None), "", "Coze 没有说明原因。"),
    ],
)
def test_error(reply, code, message):
    assert record(reply)["error"] == {"code": code, "message": message}


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (history("Interrupted", error_message="paused"), ["paused"]),
        (history("<UNSET>", debug_url="https://x/d"), ["https://x/d"]),
        ({"code": 0, "data": "", "execute_id": "7", "interrupt_data": {"data": "几岁？", "type": 2}}, ["问题: 几岁？"]),
        (history("Running", interrupt_data={"data": "几岁？", "type": 2}), ["几岁？"]),
        (history(None, interrupt_data={"data": {"content": "几岁？"}}), ["几岁？"]),
        (history("Success", interrupt_data='{"data": "几岁？"}'), ["几岁？"]),
    ],
)
def test_run_that_waits_for_an_answer_has_failed(reply, words):
    made = record(reply)
    assert made["status"] == "failed"
    assert [word for word in ["等待一个回答", *words] if word not in made["error"]["message"]] == []


# -------------------------------- 时间、文件名 --------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1730174063, "2024-10-29T03:54:23Z"),
        ("1730174063", "2024-10-29T03:54:23Z"),
        ("2025-10-28T15:58:40Z", "2025-10-28T15:58:40Z"),
        ("2025-10-28 15:58:40", "2025-10-28T15:58:40Z"),
        ("2025-10-28T23:58:40+08:00", "2025-10-28T15:58:40Z"),
        ("2025-13-28T15:58:40Z", ""),
        ("0001-01-01T00:00:00+08:00", ""),
        ("../../etc", ""),
        ("nan", ""),
        ("²", ""),
        (10**30, ""),
        (0, ""),
        (None, ""),
        (True, ""),
        ([1], ""),
    ],
)
def test_iso_time(value, text):
    assert w.iso_time(value) == text


def test_times_come_from_coze_else_from_the_clock():
    made = record(history("Running", create_time=1730174063, update_time=1730174065))
    assert (made["created_at"], made["updated_at"]) == ("2024-10-29T03:54:23Z", "2024-10-29T03:54:25Z")
    made = record({"code": 0, "execute_id": "7"}, created_at="2025-01-01T00:00:00Z")
    assert (made["created_at"], made["updated_at"]) == ("2025-01-01T00:00:00Z", NOW)


IDS = ["../../etc/passwd", "..", ".", "/root/x", "C:\\windows\\x", "C:x", "con", "con.txt", "NUL", "a\nb\tc\0d"]
IDS += ["x" * 400, "x" * 401, "甲乙丙", "甲乙丁", "-rf", "a b", "a?b", "a*b", "ends.", "😀", "\ud800", '"><|']


def test_names_are_safe_and_distinct():
    names = [w.file_name({"created_at": NOW, "run_id": run_id}) for run_id in IDS]
    assert len({name.lower() for name in names}) == len(IDS)
    for run_id, name in zip(IDS, names):
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,140}\.json", name)
        assert name.split(".")[0].lower() not in ("con", "nul")
        assert run_id in ("con", "NUL") or re.search(r"_[0-9a-f]{8}\.json$", name)
    assert w.file_name({"created_at": NOW, "run_id": "7_A-b"}) == "7_A-b_20260101T000000.json"


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
        assert json.loads(w.as_text(made)) == made
        assert isinstance(made["status"], str)
        if made["status"] == "failed":
            assert all(isinstance(made["error"][name], str) for name in ("code", "message"))
        w.what_came_back(w.Answer(200, {}, reply, ""))
        w.file_name(made)
