"""Coze 的各种回复，变成同样的记录，和同样的判断：运行过没有，还要不要再查。

做这些的是纯函数，两个脚本里逐字相同（test_project 守着），所以直接调用，只测一遍。
"""

import json
import random

import pytest
from conftest import history

import workflow_async as w
import workflow_sync

NOW = "2026-01-01T00:00:00Z"
RUN = {
    "run_id": "7",
    "workflow_id": "w1",
    "status": "",
    "inputs": {"a": 1},
    "created_at": NOW,
}


def reply_to_run(body, status=200):
    """读运行请求的回复。status: HTTP 状态。"""
    answer = w.Answer(status, {}, "")
    return w.read_reply(body, answer)


def reply_to_query(body, status=200):
    """读查询的回复。"""
    answer = w.Answer(status, {}, "")
    return w.read_history(body, answer)


# ---- 输出 ----


def live_output(**nodes):
    """正式版 Coze 的历史里，一次运行的 output。"""
    nodes["node_status"] = "{}"
    return json.dumps(nodes, ensure_ascii=False)


def text_answer(text, **extra):
    """End 节点以文本回答时的包装。"""
    wrapped = {"content_type": 1, "data": text}
    wrapped.update(original_result=None, type_for_model=2)
    wrapped.update(extra)
    return json.dumps(wrapped)


def outputs_of(data):
    """End 节点的值是 data 时的输出；同步运行的和查询到的，应该一样。"""
    waited = reply_to_run({"code": 0, "data": data, "execute_id": "7"})
    output = live_output(Output=data)
    polled = reply_to_query(history("Success", output=output))
    assert waited.outputs == polled.outputs
    return waited.outputs


JSON_TEXTS = {
    "object": '{"output":"你好"}',
    "list": "[1, 2.5, null]",
    "number": "12",
    "quoted_text": '"quoted"',
    "object_with_the_name_of_a_node": '{"Output": "stays"}',
    "object_like_a_text_answer": '{"content_type": 1, "data": "t"}',
    "text_answer_with_a_field_more": text_answer("t", mine=0),
}


@pytest.mark.parametrize("case", JSON_TEXTS)
def test_json_is_decoded(case):
    text = JSON_TEXTS[case]
    assert outputs_of(text) == json.loads(text)


UNCHANGED = {
    "text": "text",
    "empty_text": "",
    "nothing": None,
    "broken_json": " {broken",
    "json_too_deep_to_read": "[" * 100_000,
    "object": {"already": "decoded"},
    "list": [{"row": 1}],
}


@pytest.mark.parametrize("case", UNCHANGED)
def test_what_is_no_json_text_stays(case):
    value = UNCHANGED[case]
    assert outputs_of(value) == value


@pytest.mark.parametrize("text", ["the text", '["like JSON"]'], ids=["text", "like_json"])
def test_text_answer_is_its_text(text):
    assert outputs_of(text_answer(text)) == text


def test_text_answer_may_lack_the_original_result():
    assert outputs_of('{"content_type":1,"data":"t","type_for_model":2}') == "t"


def test_text_answer_may_have_an_original_result():
    assert outputs_of(text_answer("t", original_result="{}")) == "t"


LIVE_OUTPUTS = {
    "end_node": ('{"Output":"{\\"a\\":1}"}', {"a": 1}),
    "end_node_decoded_already": ({"Output": "decoded"}, "decoded"),
    "message_nodes": (
        live_output(Output='{"a":1}', 进度="[1]", 消息="hi"),
        {"Output": {"a": 1}, "进度": [1], "消息": "hi"},
    ),
    "text_answer_and_message": (
        live_output(Output=text_answer("t"), Msg="m"),
        {"Output": "t", "Msg": "m"},
    ),
    "only_a_message": (live_output(进度="[1]"), {"进度": [1]}),
    "no_json": ("not JSON at all", "not JSON at all"),
    "no_nodes": ('{"plain":"object"}', {"plain": "object"}),
}


@pytest.mark.parametrize("case", LIVE_OUTPUTS)
def test_live_history_is_unwrapped(case):
    """正式版的回复里有 code 和 detail，有一样就认得出来。"""
    output, outputs = LIVE_OUTPUTS[case]
    body = history("Success", output=output)
    assert reply_to_query(body).outputs == outputs
    del body["code"]
    body["detail"] = {"logid": "L"}
    assert reply_to_query(body).outputs == outputs


STUDIO_OUTPUTS = {
    "name_of_a_live_node": {"Output": "stays"},
    "text": {"output": "the text"},
    "status_of_live_nodes": {"node_status": "{}", "Output": "1"},
}


@pytest.mark.parametrize("case", STUDIO_OUTPUTS)
def test_studio_history_is_not_unwrapped(case):
    outputs = STUDIO_OUTPUTS[case]
    entry = {"execute_status": "Success", "output": json.dumps(outputs)}
    body = {"data": [entry], "BaseResp": None}
    assert reply_to_query(body).outputs == outputs
    body.update(code=None, detail=None)
    assert reply_to_query(body).outputs == outputs


def test_gateway_names_the_outputs_itself():
    plural = {"run_id": "r", "outputs": '{"a": 1}', "output": "t"}
    assert reply_to_run(plural).outputs == {"a": 1}
    singular = {"run_id": "r", "outputs": None, "output": {"a": 1}}
    assert reply_to_run(singular).outputs == {"a": 1}


# ---- 状态 ----


def statuses_of(state):
    """Coze 说的状态，在查询和网关的回复里，读成什么。"""
    polled = reply_to_query(history(state))
    waited = reply_to_run({"run_id": "r", "status": state})
    return {polled.status, waited.status}


SPELLINGS = {
    "Running": "running",
    "running": "running",
    "RUNNING": "running",
    "Success": "completed",
    "success": "completed",
    "SUCCESS": "completed",
    "completed": "completed",
    "Fail": "failed",
    "Failed": "failed",
    "Cancel": "failed",
    "cancel": "failed",
    "Canceled": "failed",
    "Timeout": "failed",
    "failed": "failed",
    "Interrupted": "interrupted",
    "<UNSET>": "interrupted",
    "interrupted": "interrupted",
    "pending": "pending",
    "Queueing": "Queueing",
}


@pytest.mark.parametrize("state", SPELLINGS)
def test_state_in_every_spelling(state):
    assert statuses_of(state) == {SPELLINGS[state]}


def test_state_that_is_no_text():
    assert statuses_of(5) == {"5"}


@pytest.mark.parametrize("state", [None, "", 0], ids=["null", "empty", "zero"])
def test_state_that_is_not_told(state):
    assert statuses_of(state) == {""}


@pytest.mark.parametrize("code", [0, "0", 0.0, None], ids=["zero", "text", "float", "null"])
def test_code_that_is_no_refusal(code):
    assert reply_to_run({"code": code}).status == ""


@pytest.mark.parametrize("code", [4000, "4000"], ids=["number", "text"])
def test_code_of_a_refusal_means_failed(code):
    assert reply_to_run({"code": code, "data": "x"}).status == "failed"


FAILED_QUERIES = {
    "words": {"error": "rate limited"},
    "error_code": {"error_code": "5000"},
    "code": {"code": 5000, "data": None},
    "code_beside_a_state": {**history("Success"), "code": 4100},
    "list": [history("Success")],
}


@pytest.mark.parametrize("case", FAILED_QUERIES)
def test_failed_query_tells_no_state(case):
    """查询失败了，不是运行失败了。"""
    assert reply_to_query(FAILED_QUERIES[case]).status == ""


@pytest.mark.parametrize("http_status", [300, 302, 404, 500])
def test_http_error_of_a_query_tells_no_state(http_status):
    assert reply_to_query(history("Success"), http_status).status == ""


NAMED = {"execute_id": "7", "data": "x"}


@pytest.mark.parametrize("http_status", [300, 302, 404, 500, 504])
def test_http_error_that_names_a_run_is_no_end(http_status):
    """网关的错误，说不准运行的死活。"""
    assert reply_to_run(NAMED, http_status).status == "pending"


def test_only_a_code_of_coze_makes_the_http_error_an_end():
    """重复 HTTP 状态的是网关说的；5xx 的，网关可能替换过。"""
    repeated = reply_to_run({**NAMED, "code": 404}, 404)
    assert repeated.status == "pending"
    by_gateway = reply_to_run({**NAMED, "code": 5000}, 504)
    assert by_gateway.status == "pending"
    by_coze = reply_to_run({**NAMED, "code": 5000}, 400)
    assert by_coze.status == "failed"


# ---- 提问 ----

QUESTION = {
    "event_id": "1/2",
    "data": '{"content_type":"text","content":"几岁？"}',
    "type": 2,
}
ITEMS = {"content": '[{"name": "姓名"}, {"name": "年龄"}]'}
INTERRUPTS = {
    "question": (QUESTION, "几岁？"),
    "plain_text": ({"data": "几岁？"}, "几岁？"),
    "decoded_already": ({"data": {"content": "几岁？"}}, "几岁？"),
    "event_without_words": ({"event_id": "1/2", "data": ""}, ""),
    "object": ({"data": {"content": {"a": 1}}}, '{\n  "a": 1\n}'),
    "items_of_an_input_node": ({"data": json.dumps(ITEMS)}, "姓名、年龄"),
}


def replies_with(interrupt):
    """带着 interrupt_data 的，运行请求的回复和查询的回复。"""
    body = {"code": 0, "execute_id": "7", "data": ""}
    body["interrupt_data"] = interrupt
    polled = history("Running", interrupt_data=interrupt)
    return reply_to_run(body), reply_to_query(polled)


@pytest.mark.parametrize("case", INTERRUPTS)
def test_question_interrupts(case):
    interrupt, question = INTERRUPTS[case]
    for reply in replies_with(interrupt):
        assert reply.question == question
        assert reply.status == "interrupted"


NO_QUESTIONS = {
    "all_fields_empty": {
        "event_id": "",
        "data": "",
        "type": 0,
        "required_parameters": None,
    },
    "no_fields": {},
    "null": None,
}


@pytest.mark.parametrize("case", NO_QUESTIONS)
def test_empty_interrupt_is_no_question(case):
    waited, polled = replies_with(NO_QUESTIONS[case])
    assert waited.question is None
    assert waited.status == ""
    assert polled.question is None
    assert polled.status == "running"


@pytest.mark.parametrize("state", ["Success", "Cancel"])
def test_question_that_lingers_beside_an_end_is_over(state):
    reply = reply_to_query(history(state, interrupt_data=QUESTION))
    assert reply.status == SPELLINGS[state]


# ---- 运行 ID、错误、时间 ----

PAGE = "https://x/w?execute_id=9&space_id=1"
NO_PAGE = "https://x/w?execute_id=0&space_id=0"
RUN_IDS = {
    "text": ("7413", {"execute_id": "7413"}),
    "number": ("1795427210771969046", {"execute_id": 1795427210771969046}),
    "named_as_in_the_record": ("run123", {"run_id": "run123"}),
    "first_one_is_zero": ("8", {"run_id": 0, "execute_id": "8"}),
    "only_in_the_page": ("9", {"execute_id": None, "debug_url": PAGE}),
    "zero_in_the_page": ("", {"debug_url": NO_PAGE}),
    "page_without_it": ("", {"debug_url": "x"}),
    "page_that_is_a_number": ("", {"debug_url": 5}),
    "zero": ("", {"execute_id": 0}),
    "zero_as_text": ("", {"execute_id": "0"}),
    "true": ("", {"execute_id": True}),
    "list": ("", {"execute_id": ["7"]}),
    "fraction": ("", {"execute_id": 7.5}),
}


@pytest.mark.parametrize("case", RUN_IDS)
def test_run_id(case):
    run_id, body = RUN_IDS[case]
    assert reply_to_run(body).run_id == run_id


ERRORS = {
    "msg": ("5000", "boom", {"code": 5000, "msg": "boom"}),
    "message": ("5000", "boom", {"code": 5000, "message": "boom"}),
    "error_message": ("720", "m", {"error_code": "720", "error_message": "m"}),
    "error_msg": ("720", "m", {"error_code": 720, "error_msg": "m"}),
    "words": ("", "words", {"error": "words"}),
    "object": ("1", "m", {"error": {"code": 1, "message": "m"}}),
    "object_with_msg": ("E", "m", {"error": {"code": "E", "msg": "m"}}),
    "foreign_object": ("", '{\n  "why": "坏"\n}', {"error": {"why": "坏"}}),
    "nothing": ("", "", {"error_code": "", "error_message": None}),
}


@pytest.mark.parametrize("case", ERRORS)
def test_error_of_a_failed_run(case):
    code, message, fields = ERRORS[case]
    error = {"code": code, "message": message}
    waited = reply_to_run({"status": "failed", **fields})
    assert waited.error == error
    polled = reply_to_query(history("Fail", **fields))
    assert polled.error == error


@pytest.mark.parametrize("seconds", [1761667120, "1761667120"], ids=["number", "text"])
def test_unix_seconds_become_a_time(seconds):
    reply = reply_to_run({"created_at": seconds})
    assert reply.created_at == "2025-10-28T15:58:40Z"


OTHER_TIMES = [
    "2025-10-28 15:58:40",
    "2025-10-28T23:58:40+08:00",
    "1761667120000",
]


@pytest.mark.parametrize("text", OTHER_TIMES)
def test_time_in_another_form_stays(text):
    assert reply_to_run({"created_at": text}).created_at == text


# ---- 记录 ----


def test_creation_time_never_changes_once_it_is_known():
    polled = reply_to_query(history("Running", create_time=1730174063))
    record = w.make_record(RUN, polled, "running", NOW)
    assert record["created_at"] == RUN["created_at"]


def test_creation_time_comes_from_coze_when_it_is_unknown():
    polled = reply_to_query(history("Running", create_time=1730174063))
    by_id = {**RUN, "created_at": ""}
    record = w.make_record(by_id, polled, "running", NOW)
    assert record["created_at"] == "2024-10-29T03:54:23Z"


def test_record_of_a_completed_run():
    polled = reply_to_query(history("Success", output="x"))
    record = w.make_record(RUN, polled, "completed", NOW)
    names = "run_id workflow_id status inputs outputs created_at updated_at response"
    assert list(record) == names.split()
    assert record["outputs"] == "x"
    assert record["updated_at"] == NOW
    assert record["response"] == polled.body


def test_record_of_a_failed_run():
    polled = reply_to_query(history("Fail", error_code=1, update_time=1730174065))
    before = {**RUN, "outputs": "x"}
    record = w.make_record(before, polled, "failed", NOW)
    names = "run_id workflow_id status inputs error created_at updated_at response"
    assert list(record) == names.split()
    assert record["updated_at"] == "2024-10-29T03:54:25Z"


def test_record_of_a_run_that_goes_on_has_no_result():
    """以前的记录里有的，也不带过来。"""
    polled = reply_to_query(history("Running"))
    before = {**RUN, "outputs": "x", "error": {}}
    record = w.make_record(before, polled, "running", NOW)
    names = "run_id workflow_id status inputs created_at updated_at response"
    assert list(record) == names.split()


# ---- 没有运行 ID 的回复，也可能带着结果 ----


def has_result(body, status=200):
    reply = reply_to_run(body, status)
    return workflow_sync.has_result(reply)


RESULTS = {
    "text": {"data": "x"},
    "zero": {"output": 0},
    "false": {"outputs": False},
    "success": {"status": "Success", "data": [1]},
}


@pytest.mark.parametrize("case", RESULTS)
def test_result_without_an_id(case):
    assert has_result(RESULTS[case])


NO_RESULTS = {
    "empty_text": {"data": ""},
    "empty_list": {"data": "[]"},
    "null": {"data": None},
    "only_words": {"msg": "x"},
    "refusal": {"code": 1, "data": "x"},
    "running": {"status": "running", "data": "x"},
}


@pytest.mark.parametrize("case", NO_RESULTS)
def test_no_result(case):
    assert not has_result(NO_RESULTS[case])


@pytest.mark.parametrize("http_status", [300, 502])
def test_http_error_is_no_result(http_status):
    assert not has_result({"data": "x"}, http_status)


# ---- 运行过没有，还要不要再查 ----

# 没有运行，再试还是这样；没有运行，以后也许就好；可能运行过
LASTING_CODES = "4000 4006 4015 4100 4101 4200 4302 4303 4304 6003 6031 700012006 720702004"
PASSING_CODES = "4008 4009 4011 4019 4020 4022"
MAYBE_CODES = "4013 4314 5000 6039 720701013"
UNKNOWN_CODES = "4010 4012 4014 4102 6023 777777775 1 400"
NO_RUN_CODES = f"{LASTING_CODES} {PASSING_CODES}"
NO_RUN_STATUSES = [*range(300, 400), 400, 401, 403, 404, 405, 407, 413, 429]


def may_have_run(status, body):
    reply = reply_to_run(body, status)
    return w.may_have_run(reply)


@pytest.mark.parametrize("code", NO_RUN_CODES.split())
def test_code_that_means_no_run(code):
    assert not may_have_run(200, {"code": code})
    assert not may_have_run(200, {"code": int(code)})


@pytest.mark.parametrize("code", f"{MAYBE_CODES} {UNKNOWN_CODES}".split())
def test_code_after_which_it_may_have_run(code):
    assert may_have_run(200, {"code": code})
    assert may_have_run(200, {"code": int(code)})


def test_every_code_with_advice_is_looked_at_here():
    assert sorted(w.REFUSED) == LASTING_CODES.split()
    assert sorted(w.REFUSED_FOR_NOW) == PASSING_CODES.split()
    assert sorted(w.MAY_HAVE_RUN) == MAYBE_CODES.split()


def test_unknown_code_may_have_run():
    assert may_have_run(200, {"code": "x"})


def test_http_statuses_that_mean_no_run():
    for status in range(200, 600):
        maybe = status not in NO_RUN_STATUSES
        assert may_have_run(status, {"message": "no code"}) == maybe


def test_code_that_repeats_the_http_status_says_no_more_than_it():
    for status in range(400, 600):
        maybe = status not in NO_RUN_STATUSES
        assert may_have_run(status, {"code": status}) == maybe


def is_hopeless(status, body):
    reply = reply_to_query(body, status)
    return bool(w.is_hopeless(reply))


@pytest.mark.parametrize("code", LASTING_CODES.split())
def test_code_that_ends_the_asking(code):
    assert is_hopeless(200, {"code": code})


@pytest.mark.parametrize("code", f"{PASSING_CODES} {MAYBE_CODES} {UNKNOWN_CODES}".split())
def test_code_after_which_one_asks_again(code):
    assert not is_hopeless(200, {"code": code})


def test_http_statuses_that_end_the_asking():
    for status in range(200, 600):
        hopeless = 400 <= status < 500 and status not in (408, 425, 429)
        assert is_hopeless(status, {"code": status}) == hopeless


def test_redirect_ends_the_asking():
    """这里没有 code。上面的 302 带着 code 302，那是一个不认识的错误码：再问。"""
    assert is_hopeless(302, {})


def test_words_do_not_end_the_asking():
    assert not is_hopeless(200, {"error": "rate limited"})


# ---- 任何回复 ----

NAMES = "code msg data execute_id run_id status execute_status output outputs error "
NAMES += "debug_url detail create_time interrupt_data usage token error_code logid "
NAMES += "Output created_at content name event_id node_status"
NAMES = NAMES.split()
LEAVES = [None, True, 0, 1, -1, 1.5, 10**20]
LEAVES += ["", "0", "x", "7", "[", "\ud800", "nan", "inf", "1761667120"]
LEAVES += ["Success", "Fail", "<UNSET>", "2025-10-28T15:58:40Z"]
LEAVES += ['{"Output":"1"}', '[{"name": "x"}]', "https://x/?execute_id=5"]
LEAVES += [text_answer("t")]


def random_object(dice, depth, most):
    size = dice.randrange(most)
    return {dice.choice(NAMES): random_value(dice, depth) for _ in range(size)}


def random_value(dice, depth):
    """一个值，最多 depth 层。"""
    kind = dice.random()
    if depth == 0 or kind < 0.5:
        return dice.choice(LEAVES)
    if kind < 0.7:
        size = dice.randrange(3)
        return [random_value(dice, depth - 1) for _ in range(size)]
    return random_object(dice, depth - 1, 6)


def random_replies(dice):
    """随机拼出的一个回复，当作运行请求的、查询的来读。"""
    body = random_object(dice, 3, 8)
    status = dice.choice([200, 200, 302, 404, 500])
    answer = w.Answer(status, {}, json.dumps(body))
    return w.read_reply(body, answer), w.read_history(body, answer)


def words_about(reply, record):
    """能对一个回复和它的记录说的各种话。"""
    yield w.describe_reply(reply)
    yield w.describe_question(reply)
    yield w.describe_missed(reply)
    yield w.describe_hopeless(reply)
    yield w.describe_progress(reply)
    yield w.describe_cost(reply)
    yield w.describe_failure(reply.error)
    yield w.file_name({**RUN, "run_id": reply.run_id})
    if record["status"] in w.ENDED:
        yield w.describe_outcome(record, "", "")


def check_reply(reply, status):
    """记录写成 JSON 再读回来还是它；该是文本的都是文本；判断只有是和不是。"""
    record = w.make_record(RUN, reply, status, NOW)
    assert json.loads(w.as_text(record)) == record
    texts = [record["status"], reply.run_id, reply.code]
    texts += reply.error.values()
    texts += words_about(reply, record)
    for text in texts:
        assert isinstance(text, str)
    assert w.may_have_run(reply) in (True, False)
    assert w.is_hopeless(reply) in (True, False)


def test_any_reply_makes_a_record():
    """不抛出任何异常，总说得出话。"""
    dice = random.Random(0)
    for _ in range(1000):
        for reply in random_replies(dice):
            status = dice.choice(["completed", "pending"])
            check_reply(reply, reply.status or status)
