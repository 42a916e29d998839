"""把 Coze 的回复变成记录的纯函数。两个脚本里的逐字相同（test_project），所以只测一遍。"""

import json
import random
import re

import pytest
from conftest import TIMES, history

import workflow_async as w
import workflow_sync

NOW = "2026-01-01T00:00:00Z"
RUN = {"run_id": "7", "workflow_id": "w1", "status": "", "inputs": {"a": 1}, "created_at": NOW}
OK = w.Answer(200, {}, "")
QUESTION = {"event_id": "1/2", "data": '{"content_type":"text","content":"几岁？"}', "type": 2}
NO_QUESTION = {"event_id": "", "data": "", "type": 0, "required_parameters": None}


def reply_to_run(body, status=200):
    return w.read_reply(body, w.Answer(status, {}, ""))


def reply_to_query(body, status=200):
    return w.read_history(body, w.Answer(status, {}, ""))


def live(**nodes):
    return json.dumps({"node_status": "{}", **nodes}, ensure_ascii=False)


def text_answer(text, **extra):
    return json.dumps(
        {"content_type": 1, "data": text, "original_result": None, "type_for_model": 2, **extra}
    )


DEEP = "[" * 100_000
SYNC_OUTPUTS = [
    ('{"output":"你好"}', {"output": "你好"}),
    ("[1, 2.5, null]", [1, 2.5, None]),
    ("12", 12),
    ('"quoted"', "quoted"),
    (text_answer("the text"), "the text"),
    (text_answer('{"looks": "like JSON"}'), '{"looks": "like JSON"}'),
    ('{"content_type":1,"data":"t","type_for_model":2}', "t"),
    *[(text, text) for text in ("text", "", None, " {broken", DEEP)],
    *[(value, value) for value in ({"already": "decoded"}, [{"row": 1}])],
    *[(json.dumps(v), v) for v in ({"Output": "stays"}, {"content_type": 1, "data": "t"})],
    (text_answer("t", mine=0), json.loads(text_answer("t", mine=0))),
]


@pytest.mark.parametrize(("data", "outputs"), SYNC_OUTPUTS)
def test_sync_and_async_outputs_are_the_same(data, outputs):
    assert reply_to_run({"code": 0, "data": data, "execute_id": "7"}).outputs == outputs
    assert reply_to_query(history("Success", output=live(Output=data))).outputs == outputs


@pytest.mark.parametrize(
    ("output", "outputs"),
    [
        ('{"Output":"{\\"a\\":1}"}', {"a": 1}),
        (
            live(Output='{"a":1}', 进度="[1]", 消息="hi"),
            {"Output": {"a": 1}, "进度": [1], "消息": "hi"},
        ),
        (live(Output=text_answer("t"), Msg="m"), {"Output": "t", "Msg": "m"}),
        (live(进度="[1]"), {"进度": [1]}),
        ("not JSON at all", "not JSON at all"),
        ('{"plain":"object"}', {"plain": "object"}),
        ({"Output": "decoded already"}, "decoded already"),
    ],
)
def test_live_history_is_unwrapped(output, outputs):
    body = history("Success", output=output)
    assert reply_to_query(body).outputs == outputs
    del body["code"]
    assert reply_to_query({**body, "detail": {"logid": "L"}}).outputs == outputs


@pytest.mark.parametrize(
    "output", [{"Output": "stays"}, {"output": "the text"}, {"node_status": "{}", "Output": "1"}]
)
def test_studio_history_is_not_unwrapped(output):
    body = {"data": [{"execute_status": "Success", "output": json.dumps(output)}], "BaseResp": None}
    assert reply_to_query(body).outputs == output
    assert reply_to_query({**body, "code": None, "detail": None}).outputs == output


def test_gateway_outputs():
    assert reply_to_run({"run_id": "r", "outputs": '{"a": 1}', "output": "t"}).outputs == {"a": 1}
    assert reply_to_run({"run_id": "r", "outputs": None, "output": {"a": 1}}).outputs == {"a": 1}


STATES = {
    "running": ["Running", "running", "RUNNING"],
    "completed": ["Success", "success", "SUCCESS", "completed"],
    "failed": ["Fail", "Failed", "Cancel", "cancel", "Canceled", "Timeout", "failed"],
    "interrupted": ["Interrupted", "<UNSET>", "interrupted"],
    "pending": ["pending"],
    "Queueing": ["Queueing"],
    "5": [5],
    "": [None, "", 0],
}


@pytest.mark.parametrize(
    ("state", "status"), [(s, status) for status in STATES for s in STATES[status]]
)
def test_states_in_every_spelling(state, status):
    assert reply_to_query(history(state)).status == status
    assert reply_to_run({"run_id": "r", "status": state}).status == status


def test_codes_that_mean_success_or_failure():
    assert [reply_to_run({"code": code}).status for code in (0, "0", 0.0, None)] == [""] * 4
    assert [reply_to_run({"code": code, "data": "x"}).status for code in (4000, "4000")] == [
        "failed"
    ] * 2


def test_query_that_is_answered_with_an_error_has_no_state():
    """查询失败了，不是运行失败了。"""
    for body in {"error": "rate limited"}, {"error_code": "5000"}, {"code": 5000, "data": None}:
        assert reply_to_query(body).status == ""
    for status in 302, 404, 500:
        assert reply_to_query(history("Success"), status).status == ""
    assert reply_to_query({**history("Success"), "code": 4100}).status == ""
    assert reply_to_query([history("Success")]).status == ""


def test_http_error_that_names_a_run_is_no_end():
    """网关的错误说不准运行的死活；Coze 自己的错误码（不是重复 HTTP 状态的）才是失败。"""
    named = {"execute_id": "7", "data": "x"}
    assert [reply_to_run(named, status).status for status in (302, 404, 500, 504)] == [
        "pending"
    ] * 4
    assert reply_to_run({**named, "code": 404}, 404).status == "pending"
    assert reply_to_run({**named, "code": 5000}, 504).status == "pending"
    assert reply_to_run({**named, "code": 5000}, 400).status == "failed"


@pytest.mark.parametrize(
    ("interrupt", "question"),
    [
        (QUESTION, "几岁？"),
        ({"data": "几岁？"}, "几岁？"),
        ({"data": {"content": "几岁？"}}, "几岁？"),
        ({"event_id": "1/2", "data": ""}, ""),
        ({"data": {"content": {"a": 1}}}, '{\n  "a": 1\n}'),
        ({"data": json.dumps({"content": '[{"name": "姓名"}, {"name": "年龄"}]'})}, "姓名、年龄"),
        (NO_QUESTION, None),
        ({}, None),
        (None, None),
    ],
)
def test_question(interrupt, question):
    """问题是文字；输入节点的是要填的各项；全空的不是问题。"""
    sync = reply_to_run({"code": 0, "execute_id": "7", "data": "", "interrupt_data": interrupt})
    polled = reply_to_query(history("Running", interrupt_data=interrupt))
    assert sync.question == polled.question == question
    assert (sync.status, polled.status) == (
        ("", "running") if question is None else ("interrupted", "interrupted")
    )


def test_question_that_lingers_beside_an_end():
    for state, status in ("Success", "completed"), ("Cancel", "failed"):
        assert reply_to_query(history(state, interrupt_data=QUESTION)).status == status


@pytest.mark.parametrize(
    ("run_id", "body"),
    [
        ("7413", {"execute_id": "7413"}),
        ("1795427210771969046", {"execute_id": 1795427210771969046}),
        ("run123", {"run_id": "run123"}),
        ("8", {"run_id": 0, "execute_id": "8"}),
        ("9", {"execute_id": None, "debug_url": "https://x/w?execute_id=9&space_id=1"}),
        *[("", {"debug_url": url}) for url in ("https://x/w?execute_id=0&space_id=0", "x", 5)],
        *[("", {"execute_id": value}) for value in (0, "0", True, ["7"], 7.5)],
    ],
)
def test_run_id(run_id, body):
    assert reply_to_run(body).run_id == run_id


@pytest.mark.parametrize(
    ("code", "message", "fields"),
    [
        ("5000", "boom", {"code": 5000, "msg": "boom"}),
        ("5000", "boom", {"code": 5000, "message": "boom"}),
        ("720", "m", {"error_code": "720", "error_message": "m"}),
        ("720", "m", {"error_code": 720, "error_msg": "m"}),
        ("", "words", {"error": "words"}),
        ("1", "m", {"error": {"code": 1, "message": "m"}}),
        ("E", "m", {"error": {"code": "E", "msg": "m"}}),
        ("", '{\n  "why": "坏"\n}', {"error": {"why": "坏"}}),
        ("", "", {"error_code": "", "error_message": None}),
    ],
)
def test_error(code, message, fields):
    for reply in (
        reply_to_run({"status": "failed", **fields}),
        reply_to_query(history("Fail", **fields)),
    ):
        assert reply.error == {"code": code, "message": message}


def test_times():
    """Unix 秒换算，别的写法不动。"""
    for value in 1761667120, "1761667120":
        assert reply_to_run({"created_at": value}).created_at == "2025-10-28T15:58:40Z"
    for text in "2025-10-28 15:58:40", "2025-10-28T23:58:40+08:00", "1761667120000":
        assert reply_to_run({"created_at": text}).created_at == text
    polled = reply_to_query(history("Running", create_time=1730174063, update_time=1730174065))
    assert polled.created_at == "2024-10-29T03:54:23Z"
    assert polled.updated_at == "2024-10-29T03:54:25Z"
    record = w.make_record(RUN, polled, "running", NOW)
    assert record["created_at"] == RUN["created_at"]  # 已经有了的不变
    by_id = {**RUN, "created_at": ""}
    assert w.make_record(by_id, polled, "running", NOW)["created_at"] == polled.created_at


def test_record_of_each_ending():
    polled = reply_to_query(history("Success", output="x"))
    record = w.make_record(RUN, polled, "completed", NOW)
    names = "run_id workflow_id status inputs outputs created_at updated_at response"
    assert list(record) == names.split()
    assert (record["outputs"], record["updated_at"], record["response"]) == ("x", NOW, polled.body)
    polled = reply_to_query(history("Fail", error_code=1, update_time=1730174065))
    record = w.make_record(record, polled, "failed", NOW)
    assert list(record) == names.replace("outputs", "error").split()
    assert record["updated_at"] == "2024-10-29T03:54:25Z"
    record = w.make_record(record, polled, "running", NOW)
    assert list(record) == names.replace("outputs ", "").split()


def test_result_without_an_id():
    def has_result(body, status=200):
        return workflow_sync.has_result(reply_to_run(body, status))

    results = [{"data": "x"}, {"output": 0}, {"outputs": False}, {"status": "Success", "data": [1]}]
    assert [has_result(body) for body in results] == [True] * 4
    for body in (
        {"data": ""},
        {"data": "[]"},
        {"data": None},
        {"msg": "x"},
        {"code": 1, "data": "x"},
    ):
        assert not has_result(body)
    assert not has_result({"status": "running", "data": "x"})
    assert not has_result({"data": "x"}, 502)


IDS = ["../../etc/passwd", "..", "/root/x", "C:\\windows\\x", "con", "NUL", "a\nb\tc\0d", "x" * 400]
IDS += ["甲乙丙", "-rf", "a b", "a?b", "ends.", "😀", "\ud800", '"><|']


def test_names_are_safe():
    for run_id in IDS:
        name = w.file_name({"created_at": NOW, "run_id": run_id})
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}\.json", name)
        assert name.split(".")[0].lower() not in ("con", "nul")
    created = {
        NOW: "20260101T000000",
        "2025-10-28T15:58:40.5Z": "20251028T1558405",
        "Zero Z": "Zero",
    }
    for created_at, moment in created.items():
        assert w.file_name({"created_at": created_at, "run_id": "7_A-b"}) == f"7_A-b_{moment}.json"


def test_any_reply_makes_a_record():
    """随机拼出的回复：不抛出任何异常，记录总能写成 JSON，总说得出话。"""
    dice = random.Random(0)
    names = "code msg data execute_id run_id status execute_status output outputs error debug_url"
    names += " detail create_time interrupt_data usage token error_code logid Output created_at"
    names = [*names.split(), "content", "name", "event_id", "node_status"]
    leaves = [None, 0, 1, -1, 1.5, True, "", "0", "x", "7", "Success", "Fail", "<UNSET>", "["]
    leaves += ['{"Output":"1"}', '[{"name": "x"}]', 10**20, "\ud800", "https://x/?execute_id=5"]
    leaves += [text_answer("t"), "2025-10-28T15:58:40Z", "1761667120", "nan", "inf"]

    def value(depth):
        kind = dice.random()
        if depth == 0 or kind < 0.5:
            return dice.choice(leaves)
        if kind < 0.7:
            return [value(depth - 1) for _ in range(dice.randrange(3))]
        return {dice.choice(names): value(depth - 1) for _ in range(dice.randrange(6))}

    for _ in range(1000):
        body = {dice.choice(names): value(3) for _ in range(dice.randrange(8))}
        answer = w.Answer(dice.choice([200, 200, 302, 404, 500]), {}, json.dumps(body))
        for reply in w.read_reply(body, answer), w.read_history(body, answer):
            record = w.make_record(
                RUN, reply, reply.status or dice.choice(["completed", "pending"]), NOW
            )
            assert json.loads(w.as_text(record)) == record
            texts = [record["status"], reply.run_id, reply.code, *reply.error.values()]
            assert all(isinstance(text, str) for text in texts)
            words = [w.describe_reply(reply), w.describe_question(reply), w.describe_missed(reply)]
            words += [
                w.describe_hopeless(reply),
                w.describe_progress(reply),
                w.describe_cost(reply),
            ]
            words += [w.describe_failure(reply.error), w.file_name({**RUN, "run_id": reply.run_id})]
            if record["status"] in w.ENDED:
                words.append(w.describe_outcome(record, "", ""))
            assert all(isinstance(text, str) for text in words)
            assert w.may_have_run(reply) in (True, False)
            w.is_hopeless(reply)


def test_codes_and_statuses_that_mean_no_run():
    def is_refused(status, body):
        return not w.may_have_run(reply_to_run(body, status))

    no = [4000, 4006, 4008, 4009, 4011, 4015, 4019, 4020, 4022, 4100, 4101, 4200, 6003, 6031]
    no += [700012006, 720702004]
    maybe = [
        4010,
        4012,
        4013,
        4014,
        4102,
        4314,
        5000,
        6023,
        6039,
        720701013,
        777777775,
        1,
        "x",
        400,
    ]
    codes = [*no, *map(str, no), *maybe]
    assert [code for code in codes if not is_refused(200, {"code": code})] == maybe
    statuses = [*range(300, 400), 400, 401, 403, 404, 405, 407, 413, 429]
    found = [status for status in range(200, 600) if is_refused(status, {"message": "no code"})]
    assert found == statuses
    found = [status for status in range(400, 600) if is_refused(status, {"code": status})]
    assert found == [status for status in statuses if status >= 400]


def test_answers_to_a_query_that_end_the_asking():
    def is_hopeless(status, body):
        return bool(w.is_hopeless(reply_to_query(body, status)))

    lasting = [4000, 4100, 4101, 4200, 6003, 700012006]
    passing = [4008, 4009, 4013, 4020, 4314, 5000, 720701013, 777777775]
    assert [code for code in [*lasting, *passing] if is_hopeless(200, {"code": code})] == lasting
    stops = [status for status in range(200, 600) if is_hopeless(status, {"code": status})]
    assert stops == [s for s in range(400, 500) if s not in (408, 425, 429)]
    assert is_hopeless(302, {}) and not is_hopeless(200, {"error": "rate limited"})


def test_created_at_of_the_sample():
    assert w.file_name({"run_id": "run123", **TIMES}) == "run123_20251028T155840.json"
