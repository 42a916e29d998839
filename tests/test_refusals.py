"""没有得到运行的请求：运行过没有、会不会计费；请求最多到达一次；真实的断线、超时、证书和重定向。"""

import json
import re
import signal
import socket
import ssl
import time
from contextlib import ExitStack

import pytest
import trustme
from conftest import ASYNC, BOTH, SYNC, expect, free_port, html
from fake_coze import FakeCoze, Reply

import workflow_async as w

QUICK = {SYNC: {"TIMEOUT": 0.5}, ASYNC: {"START_TIMEOUT": 0.5}}
RESULT = {"code": 0, "data": "x", "execute_id": "7"}
NOT_SENT, NOT_RUN, MAYBE = "请求没有发出：工作流没有运行，不会计费", "工作流没有运行，不会计费", "可能正在运行并计费"
NO_CODES = [4000, 4009, 4011, 4019, 4020, 4022, 4100, 4101, 4200, 6003, 6031, 700012006, 720702004]
MAYBE_CODES = [4013, 5000, 4314, 6023, 6039, 720701013, 777777775, 1, "x", 0, -4000, 400]
NO_STATUSES = [*range(300, 400), 400, 401, 403, 404, 405, 407, 413, 429]


def verdict(done):
    """屏幕上怎么说：NOT_RUN 或 MAYBE，只说其中一个。请求一定只有一个，也没有文件。"""
    assert (done.status, done.names, len(done.requests)) == (1, [], 1)
    (told,) = [words for words in (NOT_RUN, MAYBE) if words in done.stderr]
    assert ("不会自动重发" in done.stderr, "查看运行记录" in done.stderr) == (told == MAYBE, told == MAYBE)
    return told


def test_codes_and_statuses_that_mean_no_run():
    def is_refused(status, reply):
        return NOT_RUN in w.did_it_run(True, w.Answer(status, {}, reply, ""))

    codes = [*NO_CODES, *map(str, NO_CODES), *MAYBE_CODES]
    assert [code for code in codes if not is_refused(200, {"code": code})] == MAYBE_CODES
    assert [status for status in range(200, 600) if is_refused(status, {"message": "no code"})] == NO_STATUSES


TOLD = [
    (NOT_RUN, Reply({"code": 4011, "detail": {"logid": "L1"}}), "HTTP 状态: 200", "充值", "logid: L1"),
    (NOT_RUN, Reply({"code": 4101}, 502, {"X-Tt-Logid": "L2"}), "HTTP 状态: 502", "权限", "logid: L2"),
    (NOT_RUN, Reply({"code": "6003", "msg": "paid"}), "错误码 code: 6003", "付费", "workflow_sync.py"),
    (NOT_RUN, Reply({"code": 4200, "status": "failed", "execute_id": "0"}), "发布", "WORKFLOW_ID"),
    (NOT_RUN, Reply({"code": "400", "msg": "no JSON"}, 400), "错误信息 msg: no JSON\n"),
    (NOT_RUN, Reply({"error": "unauthorized"}, 401), "错误信息 msg: unauthorized"),
    (NOT_RUN, Reply({"data": "a result?"}, 302)),
    (MAYBE, Reply({"code": 5000, "msg": "internal error"}, 400), "稍后再试"),
    (MAYBE, Reply({"code": 123456, "msg": "怪事"}), "错误码 code: 123456\n错误信息 msg: 怪事"),
    (MAYBE, Reply({"code": 400, "msg": "not by HTTP"})),
    (MAYBE, Reply({"code": 6039, "debug_url": "https://x/?execute_id=0"}), "提问之前的节点已经运行过"),
    (MAYBE, Reply({"code": 720701013, "msg": "node broke"}, 404), "WORKFLOW_ID"),
    (MAYBE, Reply({"code": 0, "data": ""}, 403)),
    (MAYBE, Reply({"code": 0, "execute_id": 0, "data": None})),
    (MAYBE, Reply({"code": 0, "data": []})),
    (MAYBE, Reply({"error": "upstream timed out"}), "错误信息 msg: upstream timed out"),
    (MAYBE, Reply({"status": "running", "data": ""})),
    (MAYBE, Reply({"success": False, "data": {}})),
    (MAYBE, Reply({"data": {"message": "oops"}}, 500)),
    # 不是 JSON 对象的，和没有收好的结果：后者一个字也不少
    (MAYBE, Reply(""), "不是 JSON"),
    (MAYBE, Reply({}), "{}"),
    (MAYBE, Reply([{"data": "y" * 3000}]), "y" * 3000),
    (MAYBE, Reply(b'{"code": 0, "data": "' + b"x" * 3000 + b'\xff"}'), "x" * 3000),
    (MAYBE, Reply('{"code": 0, "data": ' + "[" * 20_000, 400), "[" * 20_000),
    (MAYBE, Reply(b'{"code": 5000, "msg": "\xe6\xa8\xa1\xe5\x9e"}', 400), "5000"),
    (MAYBE, Reply('\n {"code": 6023, "msg": "x" oops}' + "x" * 3000, 401), "oops}" + "x" * 3000),
]


@pytest.mark.parametrize(("number", "told", "reply", "words"), [(n, t, r, w) for n, (t, r, *w) in enumerate(TOLD)])
def test_refusal_is_told_in_full(run, number, told, reply, words):
    name, body = [SYNC, ASYNC][number % 2], reply.body if isinstance(reply.body, dict) else {}
    done = expect(run(name, reply), 1, f"HTTP 状态: {reply.status}\n", *words)
    assert verdict(done) == told
    assert (f"完整回复: \n{json.dumps(body, ensure_ascii=False, indent=2)}" in done.stderr) == bool(body)
    assert ("API_BASE" in done.stderr) == ("code" not in body)
    assert ("workflow_async.py" in done.stderr) == (name == SYNC and told == MAYBE)


@pytest.mark.parametrize("status", [308, 401, 404, 407, 429, 200, 408, 422, 500, 504])
def test_page_instead_of_a_reply(run, status):
    """一个 300 KB 的网页：开头和长度，然后才是说明；说出响应头里的 logid 和 API_BASE。"""
    page = html(status, "<html>" + "a page " * 43_000, **{"X-Tt-Logid": "L-header"})
    done = run(SYNC if status % 2 else ASYNC, page)
    assert verdict(done) == (NOT_RUN if status in NO_STATUSES else MAYBE)
    assert f"共 {6 + 7 * 43_000} 个字符\n<html>a page" in done.stderr
    assert 2000 < len(done.stderr) < 2700
    order = f"HTTP 状态: {status}\n.*logid: L-header\n.*计费.*API_BASE"
    assert re.search(order, done.stderr[done.stderr.rindex("a page") :], re.DOTALL)


FAULTS = [
    *[Reply(RESULT, fault=fault) for fault in ("reset", "close", "half", "stall", "hang", "drip")],
    html(503, **{"Retry-After": "0"}),
    Reply("gzip it is not", 200, {"Content-Encoding": "gzip"}),
    Reply('{"code": 0, "data": "half', headers={"Transfer-Encoding": "chunked", "Content-Length": None}),
]


@BOTH
@pytest.mark.parametrize("reply", FAULTS, ids=lambda reply: reply.fault or str(reply.status))
def test_request_that_may_have_arrived_is_not_sent_again(run, name, reply):
    assert verdict(run(name, reply, **QUICK[name])) == MAYBE


@BOTH
def test_patience_is_total(run, name):
    """每 0.1 秒来一个字节的服务器：从连接起一共等这么久，不是从最后一个字节起。"""
    started = time.monotonic()
    done = run(name, Reply({**RESULT, "data": "x" * 200}, fault="drip"), **dict.fromkeys(QUICK[name], 1))
    assert 1 < time.monotonic() - started < 4
    assert verdict(expect(done, 1, "等了 1 秒")) == MAYBE


@pytest.fixture
def ctrl_c():
    """在这个进程里调用 call，它改变 Ctrl-C 的处理；测试以后恢复。"""
    before = signal.getsignal(signal.SIGINT)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_reply_that_is_there_already_is_kept(coze, monkeypatch):
    """按下 Ctrl-C 的时候，运行请求的回复正好到了；从这时起到写好之前，不再被打断。查询的回复不要紧。"""

    def pressed_too_late(seconds, done, counter):
        assert done.wait(10)
        raise KeyboardInterrupt

    monkeypatch.setattr(w, "API_BASE", coze(RESULT, RESULT).url)
    monkeypatch.setattr(w, "wait", pressed_too_late)
    assert w.call("/v1/workflow/run", 5, w.RequestBody(b"{}")).reply == RESULT
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    with pytest.raises(KeyboardInterrupt):
        w.call("/v1/query", 5)


@pytest.mark.usefixtures("ctrl_c")
def test_request_that_was_given_up_is_never_sent(monkeypatch):
    """进程还在（IDLE、Jupyter），放弃了的请求后来连上了：正文也不会再发出去。"""
    port = free_port()
    monkeypatch.setattr(w, "API_BASE", f"http://127.0.0.1:{port}")
    with pytest.raises(w.RunError, match="请求没有发出"):
        w.call("/v1/workflow/run", 0.3, w.RequestBody(b"{}"))
    with FakeCoze(port=port) as server:
        time.sleep(4)  # 其间还会再试着连接
    assert [body for *_, body in server.requests] in ([], [b""])


def not_sent(done, *words):
    expect(done, 1, NOT_SENT, "API_BASE", *words)
    assert (done.names, MAYBE in done.stderr, done.requests) == ([], False, [])


@BOTH
def test_refused_connection_is_tried_three_times_more(script, name):
    """服务器在第三次重试之前才开始监听。等待依次是 0、1、2 秒。"""
    port, started = free_port(), time.monotonic()
    one = script(name, FakeCoze(), API_BASE=f"http://127.0.0.1:{port}")
    process = one.start()
    assert process.stdout.readline()
    time.sleep(2)
    one.server.server_close()
    with FakeCoze(port=port) as one.server:
        done = one.finish(process)
    assert (done.status, done.record["status"]) == (0, "completed")
    assert 2.5 < time.monotonic() - started < 15
    assert [method for method, *_ in done.requests].count("POST") == 1


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:{}", "http://no-such.invalid", "https://[::1", "http://[::1]:99999"]
)
def test_connection_that_never_came_about(run, base):
    not_sent(run(ASYNC, API_BASE=base.format(free_port()), CONNECT_RETRIES=1))


@pytest.mark.posix
@pytest.mark.parametrize(("settings", "least"), [({"CONNECT_TIMEOUT": 0.2}, 3), ({"TIMEOUT": 0.5}, 0.5)])
def test_connecting_is_cut(run, settings, least):
    """队列已满的监听套接字：SYN 得不到回答。"""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        started = time.monotonic()
        not_sent(run(SYNC, API_BASE=f"http://127.0.0.1:{listener.getsockname()[1]}", **settings))
        assert least < time.monotonic() - started < least + 4


@pytest.fixture
def tls(coze):
    """说 HTTPS 的替身，证书由没有人信任的机构颁发；accepted 是连接的个数。"""
    server, server.authority, server.accepted = coze(RESULT), trustme.CA(), []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.get_request = lambda: server.accepted.append(1) or server.socket.accept()
    return server


def test_https_that_fails_is_not_tried_again(script, coze, tls):
    for server, words in {tls: "certificate", coze(): "SSLError"}.items():
        not_sent(script(SYNC, server, API_BASE=server.url.replace("http", "https")).run(), words)
    assert len(tls.accepted) == 1


def test_trusted_certificate(script, tls, tmp_path):
    tls.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    one = script(SYNC, tls, API_BASE=tls.url.replace("http", "https"))
    one.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    assert (one.run().record["outputs"], len(tls.accepted)) == ("x", 1)


PLACES = ["{}/login"] * 5 + ["//[broken"]


@pytest.mark.parametrize(("status", "place"), [*zip([301, 302, 303, 307, 308, 307], PLACES)])
def test_redirect_is_not_followed(coze, run, status, place):
    elsewhere = coze()
    place = place.format(elsewhere.url)
    done = run(SYNC if status % 2 else ASYNC, html(status, "moved", Location=place))
    assert verdict(expect(done, 1, place, "没有跟随", "API_BASE")) == NOT_RUN
    assert elsewhere.requests == []
