"""没有得到运行的请求：运行过没有、会不会计费；请求最多到达一次；真实的断线、超时、证书和重定向。"""

import socket
import ssl
import threading
import time

import pytest
import trustme
from conftest import ASYNC, BOTH, SYNC, html
from fake_coze import FakeCoze, Reply

import workflow_async

QUICK = {SYNC: {"TIMEOUT": 0.5}, ASYNC: {"START_TIMEOUT": 0.5}}
RESULT = {"code": 0, "data": "x", "execute_id": "7"}
NOT_RUN, MAYBE = "工作流没有运行，不会计费", "可能正在运行并计费"
NO_CODES = [4000, 4009, 4011, 4019, 4020, 4022, 4100, 4101, 4200, 6003, 6031, 700012006, 720702004]
NO_STATUSES = [301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 407, 413, 429]
MAYBE_STATUSES = [200, 402, 406, 408, 409, 418, 422, 425, 451, 500, 502, 503, 504, 520]


def verdict(done, server):
    """屏幕上怎么说：NOT_RUN 或 MAYBE，只说其中一个。请求一定只有一个，也没有文件。"""
    assert (done.status, done.names, len(server.requests)) == (1, [], 1)
    told = [words for words in (NOT_RUN, MAYBE) if words in done.stderr]
    assert len(told) == 1, done.stderr
    if told == [MAYBE]:
        assert "不会自动重发" in done.stderr
        assert "查看运行记录" in done.stderr
    return told[0]


# ---------------------------- 运行过没有（Did it run?）----------------------------


def test_codes_that_mean_no_run():
    codes = [*NO_CODES, *map(str, NO_CODES), 4013, 5000, 4314, 6023, 6039, 720701013, 777777775, 1, "x", 0, -4000, 400]
    told = [workflow_async.did_it_run(True, workflow_async.Answer(200, {}, {"code": code}, "")) for code in codes]
    assert [NOT_RUN in words for words in told] == [True] * 26 + [False] * 12
    assert not any("API_BASE" in words for words in told)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"code": 4011, "msg": "no money", "detail": {"logid": "L1"}}), ["HTTP 状态: 200", "充值", "logid: L1"]),
        (Reply({"code": 4101, "msg": "no"}, 502, {"X-Tt-Logid": "L2"}), ["HTTP 状态: 502", "权限", "logid: L2"]),
        (Reply({"code": "6003", "msg": "paid"}), ["错误码 code: 6003", "付费", "workflow_sync.py"]),
        (Reply({"code": 4200, "debug_url": "https://x/?execute_id=0"}, 401), ["发布", "WORKFLOW_ID"]),
        (Reply({"code": "400", "msg": "no JSON"}, 400), ["错误信息 msg: no JSON\n"]),
    ],
)
def test_refusal_is_told_in_full(coze, script, reply, words):
    server = coze(reply)
    done = script(SYNC if len(words) == 3 else ASYNC, server).run()
    assert verdict(done, server) == NOT_RUN
    assert [word for word in [*words, '"code": '] if word not in done.stderr] == []
    assert "API_BASE" not in done.stderr


@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (Reply({"code": 5000, "msg": "internal error"}, 400), "internal error"),
        (Reply({"code": 123456, "msg": "怪事"}), "错误码 code: 123456\n错误信息 msg: 怪事"),
        (Reply({"code": 400, "msg": "not by HTTP"}), "not by HTTP"),
        (Reply({"code": 6039, "msg": "interrupt", "debug_url": "https://x/?execute_id=0"}), "提问之前的节点已经运行过"),
        (Reply({"code": 720701013, "msg": "node broke"}, 404), "WORKFLOW_ID"),
        (Reply({"code": 0, "msg": "", "data": ""}, 403), '"data": ""'),
        (Reply({"code": 0, "execute_id": 0, "data": None}), '"execute_id": 0'),
    ],
)
def test_code_without_a_run_may_have_run(coze, script, reply, shown):
    server = coze(reply)
    name = SYNC if reply.status == 200 else ASYNC
    done = script(name, server).run()
    assert verdict(done, server) == MAYBE
    assert shown in done.stderr
    assert "workflow_async.py" in done.stderr or name == ASYNC


def test_statuses_of_what_is_no_reply_of_coze():
    def told(status):
        return workflow_async.did_it_run(True, workflow_async.Answer(status, {}, {"message": "no code"}, ""))

    assert [status for status in range(300, 600) if NOT_RUN in told(status)] == [
        *range(300, 400),
        *NO_STATUSES[5:],
    ]
    assert all("API_BASE" in told(status) for status in NO_STATUSES + MAYBE_STATUSES)


@pytest.mark.parametrize("status", NO_STATUSES[4::2] + MAYBE_STATUSES[::3])
def test_page_instead_of_a_reply(coze, script, status):
    """一个 300 KB 的网页：开头和长度，然后才是说明；说出响应头里的 logid 和 API_BASE。"""
    server = coze(html(status, "<html>" + "a page " * 43_000, **{"X-Tt-Logid": "L-header"}))
    done = script(SYNC if status % 2 else ASYNC, server).run()
    assert verdict(done, server) == (NOT_RUN if status in NO_STATUSES else MAYBE)
    assert f"共 {6 + 7 * 43_000} 个字符\n<html>a page" in done.stderr
    assert 2000 < len(done.stderr) < 2700
    after = done.stderr[done.stderr.rindex("a page") :]
    expected = [f"HTTP 状态: {status}", "logid: L-header", "API_BASE", "计费"]
    assert [words for words in expected if words not in after] == []


@pytest.mark.parametrize(
    ("reply", "told", "shown"),
    [
        (Reply({"error": "unauthorized"}, 401), NOT_RUN, "错误信息 msg: unauthorized"),
        (Reply({"message": "no Route matched"}, 404), NOT_RUN, "no Route matched"),
        (Reply({"data": "a result?"}, 302), NOT_RUN, "a result?"),
        (Reply({"error": "upstream timed out"}), MAYBE, "upstream timed out"),
        (Reply({"status": "running", "data": ""}), MAYBE, "running"),
        (Reply({"data": {"message": "oops"}}, 500), MAYBE, "oops"),
        (Reply(""), MAYBE, "不是 JSON"),
        (Reply("[1, 2]"), MAYBE, "[1, 2]"),
        (Reply({}), MAYBE, "{}"),
        (Reply([{"data": "y" * 3000}]), MAYBE, "y" * 3000),
        (Reply(b'{"code": 0, "data": "' + b"x" * 3000 + b'\xff"}'), MAYBE, "x" * 3000),
        (Reply('{"code": 0, "data": ' + "[" * 20_000, 400), MAYBE, "[" * 20_000),
        (Reply(b'{"code": 5000, "msg": "\xe6\xa8\xa1\xe5\x9e"}', 400), MAYBE, "5000"),
        (Reply('\n {"code": 6023, "msg": "x" oops}' + "x" * 3000, 401), MAYBE, "oops}" + "x" * 3000),
        (Reply({"success": False, "data": {}}), MAYBE, "success"),
        (Reply({"code": 0, "data": []}), MAYBE, '"data": []'),
    ],
)
def test_other_replies(coze, script, reply, told, shown):
    """不是 Coze 的 JSON，和没有收好的结果：后者一个字也不少。"""
    server = coze(reply)
    done = script(SYNC, server).run()
    assert verdict(done, server) == told
    assert shown in done.stderr
    assert ("API_BASE" in done.stderr) or "code" in reply.body


# ---------------------------------- 最多到达一次 ----------------------------------


@BOTH
@pytest.mark.parametrize(
    "reply",
    [
        *[Reply(RESULT, fault=fault) for fault in ("reset", "close", "half", "stall", "hang", "drip")],
        html(503, **{"Retry-After": "0"}),
        Reply("gzip it is not", 200, {"Content-Encoding": "gzip"}),
        Reply('{"code": 0, "data": "half', headers={"Transfer-Encoding": "chunked", "Content-Length": None}),
    ],
    ids=lambda reply: reply.fault or str(reply.status),
)
def test_request_that_may_have_arrived_is_not_sent_again(coze, script, name, reply):
    server = coze(reply)
    done = script(name, server, **QUICK[name]).run()
    assert verdict(done, server) == MAYBE


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_patience_is_total(coze, script, name):
    """每 0.1 秒来一个字节的服务器：从连接起一共等这么久，不是从最后一个字节起。"""
    server = coze(Reply({**RESULT, "data": "x" * 200}, fault="drip"))
    one = script(name, server, **{"TIMEOUT" if name == SYNC else "START_TIMEOUT": 1})
    started = time.monotonic()
    done = one.run()
    assert 1 < time.monotonic() - started < 4
    assert verdict(done, server) == MAYBE
    assert "等了 1 秒" in done.stderr


def test_default_seconds():
    assert workflow_async.START_TIMEOUT == 90
    assert (workflow_async.QUERY_TIMEOUT, workflow_async.CONNECT_TIMEOUT) == (30, 10)


# ------------------------------------ 没有发出 ------------------------------------


def not_sent(done):
    assert (done.status, done.names) == (1, [])
    assert "请求没有发出：工作流没有运行，不会计费" in done.stderr
    assert MAYBE not in done.stderr
    assert "API_BASE" in done.stderr


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@BOTH
def test_refused_connection_is_tried_three_times_more(script, name):
    """服务器在第三次重试之前才开始监听。等待依次是 0、1、2 秒。"""
    port = free_port()
    server = FakeCoze()
    one = script(name, server, API_BASE=f"http://127.0.0.1:{port}")
    process = one.start()
    assert process.stdout.readline()
    started = time.monotonic()
    time.sleep(2)
    server.server_close()
    with FakeCoze(port=port) as server:
        done = one.finish(process)
    assert (done.status, done.record["status"]) == (0, "completed")
    assert 2.5 < time.monotonic() - started < 15
    assert [method for method, *_ in server.requests].count("POST") == 1


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:{port}", "http://no-such-host.invalid", "https://[::1", "http://127.0.0.1:99999"]
)
def test_connection_that_never_came_about(script, base):
    not_sent(script(ASYNC, FakeCoze(), API_BASE=base.format(port=free_port()), CONNECT_RETRIES=1).run())


@pytest.mark.posix
@pytest.mark.parametrize(("settings", "least"), [({"CONNECT_TIMEOUT": 0.2}, 3), ({"TIMEOUT": 0.5}, 0.5)])
def test_connecting_is_cut(script, settings, least):
    """队列已满的监听套接字：SYN 得不到回答。"""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        started = time.monotonic()
        done = script(SYNC, FakeCoze(), API_BASE=f"http://127.0.0.1:{port}", **settings).run()
        assert least < time.monotonic() - started < least + 4
        for filler in fillers:
            filler.close()
    not_sent(done)


@pytest.fixture
def tls():
    """只接受连接的 TLS 服务器：返回 (端口, 证书颁发者, 收到的明文)。"""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    heard = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            heard.append(b"")
            try:
                with context.wrap_socket(client, server_side=True) as channel:
                    while not heard[-1].endswith(b"}"):
                        heard[-1] += channel.recv(65536)
                    channel.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n" + b'{"code": 0, "data": "tls"}')
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1], authority, heard
    listener.close()


def test_untrusted_certificate_is_not_tried_again(script, tls):
    port, _, heard = tls
    done = script(SYNC, FakeCoze(), API_BASE=f"https://127.0.0.1:{port}").run()
    not_sent(done)
    assert heard == [b""]
    assert "certificate" in done.stderr.lower()


def test_trusted_certificate(script, tls, tmp_path):
    port, authority, heard = tls
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    one = script(SYNC, FakeCoze(), API_BASE=f"https://127.0.0.1:{port}")
    one.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    done = one.run()
    assert (done.status, done.record["outputs"], len(heard)) == (0, "tls", 1)


def test_https_to_a_plain_server(coze, script):
    server = coze()
    not_sent(script(SYNC, server, API_BASE=server.url.replace("http://", "https://")).run())
    assert server.requests == []


@pytest.mark.parametrize(
    ("status", "place"), [*[(status, "{elsewhere}/login") for status in NO_STATUSES[:5]], (307, "http://[broken")]
)
def test_redirect_is_not_followed(coze, script, status, place):
    elsewhere = coze()
    place = place.format(elsewhere=elsewhere.url)
    server = coze(html(status, "moved", Location=place))
    done = script(SYNC if status % 2 else ASYNC, server).run()
    assert verdict(done, server) == NOT_RUN
    assert elsewhere.requests == []
    assert [word for word in [place, "没有跟随", "API_BASE"] if word not in done.stderr] == []
