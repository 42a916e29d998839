"""没有得到一次运行的时候，屏幕上说清楚：它运行过没有，会不会计费，怎么办。"""

import json
import re

import pytest
from conftest import ASYNC, BOTH, MAYBE, NOT_RUN, SYNC, expect, free_port, html
from fake_coze import Reply

import workflow_async as w
from workflow_sync import has_result

# 没有运行的：(HTTP 状态, 回复)
FREE = {
    "code_written_as_text": (200, '{"code": "6003", "msg": "paid"}'),
    "code_from_coze_behind_a_gateway_error": (502, '{"code": 4101}'),
    "id_is_zero": (200, '{"code": 4200, "status": "failed", "execute_id": "0"}'),
    "code_only_repeats_the_status": (400, '{"code": "400", "msg": "no JSON"}'),
    "unauthorized": (401, '{"error": "unauthorized"}'),
    "redirect": (302, '{"data": "a result?"}'),
    "studio_without_this_address": (401, '{"code": 401, "msg": "missing session_key in cookie"}'),
    "studio_with_a_code": (200, '{"code": 700012006, "msg": "missing session_key in cookie"}'),
}
# 说不准的
DOUBTFUL = {
    "internal_error": (400, '{"code": 5000, "msg": "internal error"}'),
    "unknown_code": (200, '{"code": 123456, "msg": "怪事"}'),
    "code_400_but_not_by_http": (200, '{"code": 400, "msg": "not by HTTP"}'),
    "page_of_no_run": (200, '{"code": 6039, "debug_url": "https://x/?execute_id=0"}'),
    "node_broke": (404, '{"code": 720701013, "msg": "node broke"}'),
    "gateway_error": (500, '{"code": 500, "message": "gateway words"}'),
    "failed_without_an_id": (
        200,
        '{"status": "failed", "error": {"code": "X1", "message": "n 3"}}',
    ),
    "question_without_an_id": (200, '{"code": 0, "interrupt_data": {"data": "how old?"}}'),
    "neither_id_nor_result": (200, '{"code": 0, "execute_id": 0, "data": null}'),
    "empty_list": (200, '{"code": 0, "data": []}'),
    "only_an_error": (200, '{"error": "upstream timed out"}'),
    "still_running": (200, '{"status": "running", "data": ""}'),
    "no_success": (200, '{"success": false, "data": {}}'),
    "error_in_data": (500, '{"data": {"message": "oops"}}'),
    "empty_object": (200, "{}"),
}
OBJECTS = {**FREE, **DOUBTFUL}

# 错误码 -> 建议里的话
ADVICE = {
    "4000": "INPUTS WORKFLOW_ID APP_ID BOT_ID",
    "4006": "BOT_ID",
    "4008": "明天",
    "4011": "充值",
    "4015": "BOT_ID",
    "4100": "令牌 coze.cn coze.com",
    "4101": "权限 coze.cn coze.com",
    "4200": "发布 WORKFLOW_ID coze.cn coze.com",
    "6003": "付费 workflow_sync.py",
    "700012006": "令牌 coze.com",
    "5000": "稍后再试",
    "6039": "提问之前的节点已经运行过",
    "720701013": "稍后再试 WORKFLOW_ID",
    "123456": "logid",
}
MAY_HAVE_RUN = ["5000", "6039", "720701013", "123456"]

# 像 JSON 而不是 JSON 对象的，可能是没有收好的结果
HALF_READ = {
    "list": '[{"data": "' + "y" * 3000 + '"}]',
    "cut_short": '{"code": 0, "data": "' + "x" * 3000,
    "nested_too_deep": '{"code": 0, "data": ' + "[" * 20_000,
    "broken_after_spaces": '\n {"code": 6023, "msg": "x" oops}' + "x" * 3000,
}

PAGE = "<html>" + "a page " * 43_000
PAGES = {
    "redirected": (308, NOT_RUN),
    "not_found": (404, NOT_RUN),
    "proxy_login": (407, NOT_RUN),
    "welcome_page": (200, MAYBE),
    "unprocessable": (422, MAYBE),
    "gateway_timeout": (504, MAYBE),
}


def told(status, text, **headers):
    """脚本收到这个回复以后说的话；它没有运行 ID，也没有结果。"""
    reply = w.read_reply(w.decode(text), w.Answer(status, headers, text))
    assert reply.run_id == ""
    assert not has_result(reply)
    words = w.describe_reply(reply)
    assert f"HTTP 状态: {status}\n" in words
    assert "RUN_HISTORY_PATH" not in words
    return words + w.CHANCES[w.may_have_run(reply)]


def verdict(words):
    """这些话里的判断：NOT_RUN 或 MAYBE，只说其中一个；说不准的，还说去哪里查看。"""
    (found,) = [verdict for verdict in (NOT_RUN, MAYBE) if verdict in words]
    is_doubtful = found == MAYBE
    assert ("不会自动重发" in words) == is_doubtful
    assert ("查看运行记录" in words) == is_doubtful
    return found


def screen(done):
    """脚本没有得到一次运行：退出状态是 1，只有一个请求，没有文件。返回它说的话。"""
    expect(done, 1)
    assert len(done.requests) == 1
    assert done.names == []
    return done.stderr


# ---- 判断 ----


@pytest.mark.parametrize("case", FREE)
def test_refusal_before_the_run_costs_nothing(case):
    assert verdict(told(*FREE[case])) == NOT_RUN


@pytest.mark.parametrize("case", DOUBTFUL)
def test_anything_else_may_have_run(case):
    assert verdict(told(*DOUBTFUL[case])) == MAYBE


# ---- 细节 ----


@pytest.mark.parametrize("case", OBJECTS)
def test_object_is_shown_whole(case):
    status, text = OBJECTS[case]
    whole = json.dumps(json.loads(text), ensure_ascii=False, indent=2)
    assert f"完整回复: \n{whole}" in told(status, text)


@pytest.mark.parametrize("case", HALF_READ)
def test_what_may_be_a_result_is_shown_to_the_last_letter(case):
    words = told(200, HALF_READ[case])
    assert verdict(words) == MAYBE
    assert HALF_READ[case][-3000:].strip("]}") in words
    assert "API_BASE" in words


def test_broken_refusal_is_judged_by_its_status():
    assert verdict(told(401, HALF_READ["broken_after_spaces"])) == NOT_RUN


def test_empty_reply_is_called_no_json():
    words = told(200, "")
    assert verdict(words) == MAYBE
    assert "不是 JSON" in words


def test_logid_is_told():
    assert '"logid": "L1"' in told(200, '{"code": 4011, "detail": {"logid": "L1"}}')
    assert "logid: L2" in told(502, '{"code": 4101}', **{"X-Tt-Logid": "L2"})


@pytest.mark.parametrize("case", PAGES)
def test_of_a_page_only_the_beginning_is_shown(case):
    """一个 300 KB 的网页：响应头里的 logid，长度和开头，然后才是建议。"""
    status, expected = PAGES[case]
    words = told(status, PAGE, **{"X-Tt-Logid": "L-header"})
    assert verdict(words) == expected
    assert f"logid: L-header\n回复不是 JSON，共 {len(PAGE)} 个字符\n<html>a page" in words
    assert 2000 < len(words) < 2700
    assert re.search("<html>a page.*API_BASE.*计费", words, re.DOTALL)


# ---- 怎么办 ----


@pytest.mark.parametrize("code", ADVICE)
def test_code_comes_with_advice(code):
    words = told(200, f'{{"code": {code}, "msg": "m"}}')
    advice = words.partition("建议: ")[2]
    assert [word for word in ADVICE[code].split() if word not in advice] == []
    assert (verdict(words) == MAYBE) == (code in MAY_HAVE_RUN)


WITHOUT_CODE = [case for case in OBJECTS if '"code": ' not in OBJECTS[case][1]]
GATEWAYS = ["code_only_repeats_the_status", "gateway_error", *WITHOUT_CODE]


@pytest.mark.parametrize("case", GATEWAYS)
def test_reply_that_is_not_from_coze_points_at_the_address(case):
    assert "API_BASE" in told(*OBJECTS[case]).partition("建议: ")[2]


@pytest.mark.parametrize("case", ["studio_without_this_address", "studio_with_a_code"])
def test_missing_address_is_not_blamed_on_the_token(case):
    """Studio 对它没有的地址说 session_key；令牌没有问题。"""
    words = told(*FREE[case])
    assert "API_BASE" in words
    assert "令牌" not in words


# ---- 网络错误 ----

CAUSES = {
    "timed_out": ("", "等了 5 秒", "API_BASE"),
    "refused": ("port=1: refused", "port=1: refused", "请检查网络、代理和 API_BASE"),
    "certificate": ("[SSL: CERTIFICATE_VERIFY_FAILED]", "电脑的时间", "REQUESTS_CA_BUNDLE"),
    "socks": ("Missing dependencies for SOCKS support.", "网络错误: ", "pip install pysocks"),
}


@pytest.mark.parametrize("case", CAUSES)
def test_network_error_comes_with_its_cause_and_advice(case):
    cause, *expected = CAUSES[case]
    words = w.describe_no_answer(cause, 5)
    assert words.startswith(f"网络错误: {cause}")
    assert [word for word in expected if word not in words] == []


def test_only_a_certificate_is_blamed_on_the_clock():
    assert "证书" not in w.describe_no_answer("port=1: refused", 5)
    assert "证书" not in w.describe_no_answer("SSLError: wrong version number", 5)


NOWHERE = {
    "nobody_listens": "http://127.0.0.1:{}",
    "no_such_host": "http://no-such.invalid",
    "broken_address": "https://[::1",
    "impossible_port": "http://[::1]:99999",
}


@pytest.mark.parametrize("case", NOWHERE)
def test_connection_that_never_came_about_costs_nothing(monkeypatch, case):
    """说出 requests 的话，它有地址和原因；没有连上，不会是证书的问题。"""
    port = free_port()
    monkeypatch.setattr(w, "BASE", NOWHERE[case].format(port))
    monkeypatch.setattr(w.RETRY, "connect", 1)
    monkeypatch.setattr(w.RETRY, "backoff_factor", 0)
    with pytest.raises(w.Stop) as stop:
        w.start(w.RunBody(b"{}"), {})
    words, status = stop.value.args
    assert status == 1
    assert NOT_RUN in words
    assert "请检查网络、代理和 API_BASE" in words
    assert (f"port={port}" in words) == (case == "nobody_listens")
    assert re.match("网络错误: .*[a-z]", words)
    assert not re.search("证书|NoneType|RUN_HISTORY_PATH", words)


# ---- 从头到尾，两个脚本 ----


@BOTH
def test_script_tells_of_a_refusal(run, name):
    words = screen(run(name, Reply({"code": 4101, "msg": "no right"}, 403)))
    assert verdict(words) == NOT_RUN
    assert "HTTP 状态: 403\n" in words
    assert "no right" in words
    assert "权限" in words
    assert "workflow_async.py" not in words


@BOTH
def test_script_tells_of_a_doubtful_reply(run, name):
    """同步的脚本还说到异步的：超过 90 秒的，只有它能等到。"""
    words = screen(run(name, {"code": 0, "execute_id": "0", "data": ""}))
    assert verdict(words) == MAYBE
    assert "完整回复: \n{" in words
    assert "python workflow_async.py 运行ID" in words
    assert ("超过 90 秒" in words) == (name == SYNC)


@BOTH
def test_script_tells_of_a_page(run, name):
    page = html(404, PAGE, **{"X-Tt-Logid": "L-header"})
    words = screen(run(name, page))
    assert verdict(words) == NOT_RUN
    order = "HTTP 状态: 404\n.*logid: L-header\n.*<html>a page.*API_BASE.*计费"
    assert re.search(order, words, re.DOTALL)
    assert 2000 < len(words) < 2700


def test_script_shows_a_reply_that_is_not_utf8_whole(run):
    body = b'{"code": 0, "data": "' + b"x" * 3000 + b'\xff"}'
    words = screen(run(ASYNC, Reply(body)))
    assert verdict(words) == MAYBE
    assert "x" * 3000 in words


@BOTH
def test_script_tells_of_a_refused_connection(script, coze, name):
    one = script(name, coze(), API_BASE=f"http://127.0.0.1:{free_port()}")
    one.rewrite("connect=3", "connect=0")
    done = expect(one.run(), 1, "网络错误: ", "请检查网络、代理和 API_BASE")
    assert verdict(done.stderr) == NOT_RUN
    assert done.names == []
