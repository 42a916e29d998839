"""把 Coze 的回复变成记录的纯函数。两个脚本里的逐字相同（test_project），所以只测一遍。"""

import json
import random
import re

import pytest
from conftest import TIMES, history

import workflow_async as w

NOW = "2026-01-01T00:00:00Z"
BEFORE = {"run_id": "7", "workflow_id": "w1", "status": "completed", "inputs": {"a": 1}, "created_at": NOW}
WAITS, QUESTION = "运行停下来等待一个回答，这个脚本不能回答。", {"data": "几岁？", "type": 2}


def record(reply, **before):
    return w.next_record({**BEFORE, **before}, reply, NOW)


def live(**nodes):
    return json.dumps({"node_status": "{}", **nodes}, ensure_ascii=False)


def text_answer(text, **extra):
    return json.dumps({"content_type": 1, "data": text, "original_result": None, "type_for_model": 2, **extra})


def nested(depth, opening="[", closing="]"):
    return opening * depth + "1" + closing * depth


SYNC_OUTPUTS = [
    ('{"output":"你好"}', {"output": "你好"}),
    ("[1, 2.5, null]", [1, 2.5, None]),
    ("12", 12),
    ('"quoted"', "quoted"),
    (text_answer("the text"), "the text"),
    (text_answer('{"looks": "like JSON"}'), '{"looks": "like JSON"}'),
    ('{"content_type":1,"data":"t","type_for_model":2}', "t"),
    (nested(400), json.loads(nested(400))),
    (nested(700, '{"a":', "}"), json.loads(nested(700, '{"a":', "}"))),
    *[(text, text) for text in ("text", "", None, " {broken", '{"x": NaN}', "[-Infinity]", nested(100_000))],
    *[(value, value) for value in ({"already": "decoded"}, [{"row": 1}])],
    *[(json.dumps(value), value) for value in ({"Output": "stays"}, {"content_type": 1, "data": "t"})],
    *[(text, json.loads(text)) for text in (text_answer("t", mine=0), text_answer({"x": 1}))],
]


@pytest.mark.parametrize(("data", "outputs"), SYNC_OUTPUTS)
def test_sync_outputs(data, outputs):
    made = record({"code": 0, "msg": "", "data": data, "execute_id": "7"})
    assert (made["status"], made["outputs"]) == ("completed", outputs)
    assert json.loads(w.as_text(made))["outputs"] == outputs
    polled = record(history("Success", output=live(Output=data)))
    assert polled["outputs"] == outputs  # 同步和异步一样


def test_what_is_read_can_be_written_and_read_again(tmp_path, monkeypatch):
    """收下的就写得进文件，写进文件的就读得回来，读不出的是文本。

    嵌套的极限因 CPython 的版本而不同：3.12 能写 1497 层，缩进只到 994 层。
    """
    monkeypatch.chdir(tmp_path)
    for depth in [*range(950, 1010, 3), *range(1480, 1510, 5), *range(9960, 10010, 10)]:
        made = record({"code": 0, "data": nested(depth), "x": json.loads(nested(300))})
        assert json.loads(w.as_text({"one": {"more": made}}))["one"]["more"]["response"]["data"] == nested(depth)
        reply = w.decode(f'{{"code": 0, "execute_id": "7", "data": {nested(depth)}}}')
        if isinstance(reply, dict):
            made = w.first_record(w.Answer(200, {}, reply, ""), TIMES["created_at"], "completed")
            path, saved = w.keep(made, w.file_name(made))
            assert saved
            assert w.load_record(path)["outputs"] == reply["data"]


@pytest.mark.parametrize(
    ("output", "outputs"),
    [
        ('{"Output":"{\\"a\\":1}"}', {"a": 1}),
        (live(Output='{"a":1}', 进度="[1]", 消息="hi"), {"Output": {"a": 1}, "进度": [1], "消息": "hi"}),
        (live(Output=text_answer("t"), Msg="m"), {"Output": "t", "Msg": "m"}),
        (live(进度="[1]"), {"进度": [1]}),
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
    assert record(reply)["outputs"] == record({**reply, "code": None, "detail": None})["outputs"] == output


STATES = {"running": ["Running"], "completed": ["Success"], "pending": ["pending", None, ""]}
STATES.update({"failed": ["Fail", "Cancel", "Interrupted", "<UNSET>"], "Queueing": ["Queueing"], "5": [5]})


@pytest.mark.parametrize(("state", "status"), [(state, status) for status in STATES for state in STATES[status]])
def test_status(state, status):
    assert record(history(state), status="pending")["status"] == status
    assert record({"run_id": "r", "status": state}, status="pending")["status"] == status


def test_gateway_replies():
    for fields in {"outputs": '{"a": 1}', "output": "t"}, {"outputs": None, "output": {"a": 1}, "error": "a warning"}:
        assert record({"run_id": "r", "status": "completed", **fields})["outputs"] == {"a": 1}
    for reply in {"code": 0}, {"code": "0"}, {"code": 0.0}, {"error": ""}:
        assert record({**reply, "data": "x"})["status"] == "completed"
    for reply in {"code": 4000}, {"code": "4000", "data": "x"}, {"error": "no"}:
        assert record(reply)["status"] == "failed"


@pytest.mark.parametrize(
    ("run_id", "reply"),
    [
        ("7413", {"execute_id": "7413"}),
        ("1795427210771969046", {"execute_id": 1795427210771969046}),
        ("run123", {"run_id": "run123"}),
        ("8", {"run_id": 0, "execute_id": "8"}),
        ("9", {"execute_id": None, "debug_url": "https://x/w?execute_id=9&space_id=1"}),
        ("a/b", {"debug_url": "https://x/w?space_id=1&execute_id=a%2Fb#top"}),
        ("12", {"data": [{"execute_id": 12, "status": "Running"}]}),
        *[("", {"debug_url": url}) for url in ("https://x/w?execute_id=0&space_id=0", "https://[broken", 5)],
        *[("", {"execute_id": value}) for value in (0, "0", True, ["7"])],
    ],
)
def test_run_id(run_id, reply):
    assert w.fields_of(reply)["run_id"] == run_id
    assert record(reply, run_id="known")["run_id"] == "known"


@pytest.mark.parametrize(
    ("code", "message", "reply"),
    [
        ("5000", "boom", {"code": 5000, "msg": "boom"}),
        ("720", "m", history("Fail", error_code="720", error_message="m")),
        ("720", "m", history("Fail", error_code=720, error_msg="m")),
        ("", "words", {"status": "failed", "error": "words"}),
        ("1", "m", {"status": "failed", "error": {"code": 1, "message": "m"}}),
        ("E", "m", {"status": "failed", "error": {"code": "E", "msg": "m"}}),
        ("", '{"why": "坏"}', {"status": "failed", "error": {"why": "坏"}}),
        ("", '["x"]', {"status": "failed", "error": ["x"]}),
        ("", "运行被取消。", history("Cancel", error_code="", error_message=None)),
        ("", "Coze 没有说明原因。", history("Fail", error_code="", error_message=None)),
        ("", f"{WAITS} paused", history("Interrupted", error_message="paused")),
        ("", f"{WAITS} 请到这里查看: https://x/d", history("<UNSET>", debug_url="https://x/d")),
        ("", f"{WAITS} 问题: 几岁？", {"code": 0, "data": "", "execute_id": "7", "interrupt_data": QUESTION}),
        ("", f"{WAITS} 问题: 几岁？", history("Running", interrupt_data=QUESTION)),
        ("", f"{WAITS} 问题: 几岁？", history("Success", interrupt_data=json.dumps(QUESTION))),
        (
            "",
            f'{WAITS} 问题: {{\n  "content": "几岁？"\n}}',
            history(None, interrupt_data={"data": {"content": "几岁？"}}),
        ),
    ],
)
def test_error(code, message, reply):
    made = record(reply)
    assert (made["status"], made["error"]) == ("failed", {"code": code, "message": message})


def test_iso_time():
    for value in 1761667120, "1761667120", "2025-10-28T15:58:40Z", "2025-10-28 15:58:40", "2025-10-28T23:58:40+08:00":
        assert w.iso_time(value) == "2025-10-28T15:58:40Z"
    wrong = "2025-13-28T15:58:40Z", "0001-01-01T00:00:00+08:00", "../../etc", "nan", "²", 10**30, 0, None, True, [1]
    assert [value for value in wrong if w.iso_time(value) != ""] == []


def test_times_come_from_coze_else_from_the_clock():
    made = record(history("Running", create_time=1730174063, update_time=1730174065))
    assert (made["created_at"], made["updated_at"]) == ("2024-10-29T03:54:23Z", "2024-10-29T03:54:25Z")
    made = record({"code": 0, "execute_id": "7"}, **TIMES)
    assert (made["created_at"], made["updated_at"]) == (TIMES["created_at"], NOW)


IDS = ["../../etc/passwd", "..", ".", "/root/x", "C:\\windows\\x", "C:x", "con", "con.txt", "NUL", "a\nb\tc\0d"]
IDS += ["x" * 400, "x" * 401, "甲乙丙", "甲乙丁", "-rf", "a b", "a?b", "a*b", "ends.", "😀", "\ud800", '"><|']


def test_names_are_safe_and_distinct():
    names = [w.file_name({"created_at": NOW, "run_id": run_id}) for run_id in IDS]
    assert len({name.lower() for name in names}) == len(IDS)
    for run_id, name in zip(IDS, names):
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,140}\.json", name)
        assert name.split(".")[0].lower() not in ("con", "nul")
        assert run_id in ("con", "NUL") or re.search(r"_[0-9a-f]{8}\.json$", name)
    assert w.file_name({"created_at": NOW, "run_id": "7_A-b"}) == "7_A-b_20260101T000000.json"
    assert re.fullmatch("a_b_20260101T000000_.{8}.json", w.file_name({"created_at": NOW, "run_id": "a/b/"}))


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
        assert all(isinstance(text, str) for text in [made["status"], *made.get("error", {}).values()])
        w.what_came_back(w.Answer(200, {}, reply, ""))
        w.file_name(made)
