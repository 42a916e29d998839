"""没有得到运行的请求：运行过没有、会不会计费；请求最多到达一次；真实的断线、超时、证书和重定向。"""

import json
import re
import socket
import ssl
import time
from contextlib import ExitStack

import pytest
import trustme
from conftest import ASYNC, BOTH, MAYBE, NOT_RUN, SYNC, expect, free_port, html
from fake_coze import FakeCoze, Reply

import workflow_async as w

QUICK = {SYNC: {"TIMEOUT": 0.5}, ASYNC: {"START_TIMEOUT": 0.5}}
RESULT = {"code": 0, "data": "x", "execute_id": "7"}
NO_STATUSES = [*range(300, 400), 400, 401, 403, 404, 405, 407, 413, 429]


def verdict(done):
    """屏幕上怎么说：NOT_RUN 或 MAYBE，只说其中一个。请求一定只有一个，也没有文件。"""
    assert (done.status, done.names, len(done.requests)) == (1, [], 1)
    (told,) = [words for words in (NOT_RUN, MAYBE) if words in done.stderr]
    assert ("不会自动重发" in done.stderr, "查看运行记录" in done.stderr) == (
        told == MAYBE,
        told == MAYBE,
    )
    return told


TOLD = [
    (
        NOT_RUN,
        Reply({"code": 4011, "detail": {"logid": "L1"}}),
        "HTTP 状态: 200",
        "充值",
        '"logid": "L1"',
    ),
    (
        NOT_RUN,
        Reply({"code": 4101}, 502, {"X-Tt-Logid": "L2"}),
        "HTTP 状态: 502",
        "权限",
        "logid: L2",
    ),
    (
        NOT_RUN,
        Reply({"code": "6003", "msg": "paid"}),
        '"msg": "paid"',
        "付费",
        "workflow_sync.py",
    ),
    (NOT_RUN, Reply({"code": 4200, "status": "failed", "execute_id": "0"}), "发布", "WORKFLOW_ID"),
    (NOT_RUN, Reply({"code": "400", "msg": "no JSON"}, 400), "no JSON", "API_BASE"),
    (NOT_RUN, Reply({"error": "unauthorized"}, 401), "unauthorized"),
    (NOT_RUN, Reply({"data": "a result?"}, 302)),
    (MAYBE, Reply({"code": 5000, "msg": "internal error"}, 400), "稍后再试"),
    (MAYBE, Reply({"code": 123456, "msg": "怪事"}), "怪事", "logid"),
    (MAYBE, Reply({"code": 400, "msg": "not by HTTP"})),
    (
        MAYBE,
        Reply({"code": 6039, "debug_url": "https://x/?execute_id=0"}),
        "提问之前的节点已经运行过",
    ),
    (MAYBE, Reply({"code": 720701013, "msg": "node broke"}, 404), "WORKFLOW_ID"),
    (NOT_RUN, Reply({"code": 401, "msg": "missing session_key in cookie"}, 401), "API_BASE"),
    (NOT_RUN, Reply({"code": 700012006, "msg": "missing session_key in cookie"}), "API_BASE"),
    (MAYBE, Reply({"code": 500, "message": "gateway words"}, 500), "gateway words", "API_BASE"),
    (NOT_RUN, Reply({"code": 4000, "msg": "m"}), "INPUTS", "WORKFLOW_ID", "APP_ID", "BOT_ID"),
    (NOT_RUN, Reply({"code": 4006, "msg": "m"}), "BOT_ID"),
    (NOT_RUN, Reply({"code": 4015, "msg": "m"}), "BOT_ID"),
    (NOT_RUN, Reply({"code": 4008, "msg": "m"}), "明天"),
    (NOT_RUN, Reply({"code": 4100, "msg": "m"}), "令牌", "coze.cn", "coze.com"),
    (NOT_RUN, Reply({"code": 4101, "msg": "m"}), "权限", "coze.cn", "coze.com"),
    (NOT_RUN, Reply({"code": 4200, "msg": "m"}), "发布", "coze.cn", "coze.com"),
    (NOT_RUN, Reply({"code": 700012006, "msg": "access token invalid"}), "令牌", "coze.com"),
    (MAYBE, Reply({"code": 720701013, "msg": "server issues"}), "稍后再试"),
    # 没有 ID 的失败和提问不留记录
    (MAYBE, Reply({"status": "failed", "error": {"code": "X1", "message": "node 3"}}), "node 3"),
    (MAYBE, Reply({"code": 0, "interrupt_data": {"data": "how old?"}}), "how old?"),
    (MAYBE, Reply({"code": 0, "execute_id": 0, "data": None})),
    (MAYBE, Reply({"code": 0, "data": []})),
    (MAYBE, Reply({"error": "upstream timed out"}), "upstream timed out"),
    (MAYBE, Reply({"status": "running", "data": ""})),
    (MAYBE, Reply({"success": False, "data": {}})),
    (MAYBE, Reply({"data": {"message": "oops"}}, 500)),
    # 不是 JSON 对象的，和没有收好的结果：后者一个字也不少
    (MAYBE, Reply(""), "不是 JSON"),
    (MAYBE, Reply({}), "完整回复: \n{}"),
    (MAYBE, Reply([{"data": "y" * 3000}]), "y" * 3000),
    (MAYBE, Reply(b'{"code": 0, "data": "' + b"x" * 3000 + b'\xff"}'), "x" * 3000),
    (MAYBE, Reply('{"code": 0, "data": ' + "[" * 20_000), "[" * 20_000),
    (NOT_RUN, Reply('\n {"code": 6023, "msg": "x" oops}' + "x" * 3000, 401), "oops}" + "x" * 3000),
]


@pytest.mark.parametrize(
    ("number", "told", "reply", "words"), [(n, t, r, w) for n, (t, r, *w) in enumerate(TOLD)]
)
def test_refusal_is_told_in_full(run, number, told, reply, words):
    name, body = [SYNC, ASYNC][number % 2], reply.body if isinstance(reply.body, dict) else {}
    done = expect(run(name, reply), 1, f"HTTP 状态: {reply.status}\n", *words)
    assert verdict(done) == told
    assert (
        f"完整回复: \n{json.dumps(body, ensure_ascii=False, indent=2)}" in done.stderr
    ) == isinstance(reply.body, dict)
    assert "code" in body or "API_BASE" in done.stderr
    assert "RUN_HISTORY_PATH" not in done.stderr
    assert not ("session_key" in str(reply.body) and "令牌" in done.stderr)  # 令牌没有问题
    assert ("workflow_async.py" in done.stderr) == (name == SYNC and told == MAYBE)


@pytest.mark.parametrize("status", [308, 404, 407, 200, 422, 504])
def test_page_instead_of_a_reply(run, status):
    """一个 300 KB 的网页：开头和长度，然后才是说明；说出响应头里的 logid 和 API_BASE。"""
    page = html(status, "<html>" + "a page " * 43_000, **{"X-Tt-Logid": "L-header"})
    done = run(SYNC if status % 2 else ASYNC, page)
    assert verdict(done) == (NOT_RUN if status in NO_STATUSES else MAYBE)
    assert f"共 {6 + 7 * 43_000} 个字符\n<html>a page" in done.stderr
    assert 2000 < len(done.stderr) < 2700
    order = f"HTTP 状态: {status}\n.*logid: L-header\n.*<html>a page.*API_BASE.*计费"
    assert re.search(order, done.stderr, re.DOTALL)


FAULTS = [
    *[Reply(RESULT, fault=fault) for fault in ("reset", "close", "half", "stall", "hang", "drip")],
    html(503, **{"Retry-After": "0"}),
    Reply("gzip it is not", 200, {"Content-Encoding": "gzip"}),
    Reply(
        '{"code": 0, "data": "half',
        headers={"Transfer-Encoding": "chunked", "Content-Length": None},
    ),
]


@BOTH
@pytest.mark.parametrize("reply", FAULTS, ids=lambda reply: reply.fault or str(reply.status))
def test_request_that_may_have_arrived_is_not_sent_again(run, name, reply):
    assert verdict(run(name, reply, **QUICK[name])) == MAYBE


@BOTH
def test_patience_is_total(run, name):
    """每 0.1 秒来一个字节的服务器：从连接起一共等这么久，不是从最后一个字节起。"""
    started = time.monotonic()
    done = run(
        name, Reply({**RESULT, "data": "x" * 200}, fault="drip"), **dict.fromkeys(QUICK[name], 1)
    )
    assert 1 < time.monotonic() - started < 8
    assert verdict(expect(done, 1, "等了 1 秒")) == MAYBE


def test_reply_that_is_there_already_is_kept(coze, monkeypatch):
    """按下 Ctrl-C 的时候，回复正好到了：收下它。"""

    def pressed_too_late(seconds, done, report):
        assert done.wait(10)
        w.PRESSED.append(0)
        wait(seconds, done, report)

    wait = w.wait
    monkeypatch.setattr(w, "BASE", coze(RESULT).url)
    monkeypatch.setattr(w, "wait", pressed_too_late)
    monkeypatch.setattr(w, "PRESSED", [])
    assert json.loads(w.post_run(w.RunBody(b"{}"), 5).text) == RESULT


def test_pressed_before_the_request_sends_nothing(coze, monkeypatch):
    """检查配置、打印输入的时候按过了：连接也不建立。"""
    server, body = coze(), w.RunBody(b"{}")
    monkeypatch.setattr(w, "BASE", server.url)
    monkeypatch.setattr(w, "PRESSED", [0])
    with pytest.raises(KeyboardInterrupt):
        w.post_run(body, 5)
    time.sleep(0.3)
    assert (server.requests, body.was_read) == ([], False)


def test_request_that_was_given_up_is_never_sent(monkeypatch):
    """进程还在（IDLE、Jupyter），放弃了的请求后来连上了：正文也不会再发出去。"""
    port, body = free_port(), w.RunBody(b"{}")
    monkeypatch.setattr(w, "BASE", f"http://127.0.0.1:{port}")
    with pytest.raises(w.NoAnswer):
        w.post_run(body, 0.3)
    assert not body.was_read
    with FakeCoze(port=port) as server:
        time.sleep(4)  # 其间还会再试着连接
    assert [body for *_, body in server.requests] in ([], [b""])


def test_retries_never_send_a_request_twice(coze, monkeypatch):
    """连接断在 TLS 里，库给的 max_retries=3 会把同一个 POST 送达几次；这里的 RETRY 只有一次。"""

    class Broken(w.RunBody):
        sent = 0

        def read(self, size=-1):
            Broken.sent += 1
            raise ssl.SSLError("broken in the middle")

    monkeypatch.setattr(w, "BASE", coze().url)
    with pytest.raises(w.NoAnswer, match="broken in the middle"):
        w.exchange("POST", "/v1/workflow/run", 10, data=Broken(b"{}"))
    assert Broken.sent == 1


def not_sent(done, *words):
    expect(done, 1, NOT_RUN, *words)
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


NOWHERE = ["http://127.0.0.1:{}", "http://no-such.invalid", "https://[::1", "http://[::1]:99999"]


@pytest.mark.parametrize("base", NOWHERE)
def test_connection_that_never_came_about(script, coze, base):
    """说出 requests 的话，它有地址和原因；没有连上，不会是证书的问题。"""
    port = free_port()
    one = script(ASYNC, coze(), API_BASE=base.format(port))
    one.rewrite("connect=3", "connect=1")
    done = one.run()
    not_sent(done, "网络错误: ", "请检查网络、代理和 API_BASE")
    assert "{" not in base or f"port={port}" in done.stderr
    assert not re.search("证书|NoneType|RUN_HISTORY_PATH", done.stderr)


@pytest.mark.posix
@pytest.mark.parametrize(
    ("name", "changes", "least"), [(SYNC, {}, 3), (ASYNC, {"connect=3": "connect=0"}, 0.7)]
)
def test_connecting_is_cut(script, coze, name, changes, least):
    """队列已满的监听套接字：SYN 得不到回答。每次连接有期限，总的也有。"""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        settings = {"TIMEOUT": 3} if name == SYNC else {}
        one = script(name, coze(), API_BASE=base, **settings)
        for old, new in {**changes, "(10, seconds)": "(0.7, seconds)"}.items():
            if name == ASYNC:
                one.rewrite(old, new)
        started = time.monotonic()
        not_sent(one.run(), "等了 3 秒" if name == SYNC else "timed out")
        assert least < time.monotonic() - started < least + 3


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
    for server, words in {tls: "REQUESTS_CA_BUNDLE", coze(): "API_BASE"}.items():
        done = script(SYNC, server, API_BASE=server.url.replace("http", "https")).run()
        not_sent(done, "SSLError", "127.0.0.1", words)
        assert ("电脑的时间" in done.stderr) == (server is tls)
    assert len(tls.accepted) == 1


PROXIES = {
    "socks5h://user:SECRET@127.0.0.1:9": "pip install pysocks",
    "http://user:SECRET@127.0.0.1:9": "API_BASE",
    "http://user:SECRET@127.0.0.1:nonsense": "API_BASE",
    "http://user:SEC RET@": "API_BASE",
    "user:SEC@RET@[::": "API_BASE",
}


@pytest.mark.parametrize(("proxy", "words"), PROXIES.items())
def test_proxy_that_does_not_work(script, coze, proxy, words):
    """说出来的话里，没有代理的密码。"""
    one = script(SYNC, coze(), API_BASE="http://coze.example")
    one.rewrite("connect=3", "connect=0")
    one.environment.update(HTTP_PROXY=proxy, http_proxy=proxy)
    done = one.run()
    not_sent(done, "网络错误: ", words)
    assert not re.search("SEC|RET@", done.stderr)


def test_trusted_certificate(script, tls, tmp_path):
    tls.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    one = script(SYNC, tls, API_BASE=tls.url.replace("http", "https"))
    one.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    assert (one.run().record["outputs"], len(tls.accepted)) == ("x", 1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(coze, run, status):
    elsewhere = coze()
    place = f"{elsewhere.url}/login"
    done = run(SYNC if status % 2 else ASYNC, html(status, "moved", Location=place))
    assert verdict(expect(done, 1, place, "没有跟随", "API_BASE")) == NOT_RUN
    assert elsewhere.requests == []
