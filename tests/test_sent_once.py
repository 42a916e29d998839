"""运行请求最多到达 Coze 一次：断线、超时、重定向、重试、TLS 出错，都不会再发。

真实的服务器和连接；大多数在这个进程里调用两个脚本发送的那一步，几个从头到尾运行脚本。
"""

import json
import re
import socket
import ssl
import threading
import time
from contextlib import ExitStack
from types import SimpleNamespace

import pytest
import trustme
from conftest import ASYNC, BOTH, MAYBE, NOT_RUN, SYNC, expect, free_port, html
from fake_coze import FakeCoze, Reply

import workflow_async as w
import workflow_sync

RESULT = {"code": 0, "data": "x", "execute_id": "7"}
SLOW = {**RESULT, "data": "x" * 200}
QUICK = {SYNC: {"TIMEOUT": 0.5}, ASYNC: {"START_TIMEOUT": 0.5}}
SCRIPTS = {SYNC: workflow_sync, ASYNC: w}


@pytest.fixture
def stop(monkeypatch):
    """stop(SYNC, 地址) -> (话, 可能运行过吗)：脚本发送一次，最多等半秒，没有得到一次运行。"""

    def stop(name, base):
        module = SCRIPTS[name]
        monkeypatch.setattr(module, "BASE", base)
        for setting, seconds in QUICK[name].items():
            monkeypatch.setattr(module, setting, seconds)
        body = module.RunBody(b"{}")
        with pytest.raises(module.Stop) as stopped:
            if name == SYNC:
                module.send(body)
            else:
                module.start(body, {})
        words, status = stopped.value.args
        assert status == 1
        may_have_run = MAYBE in words
        assert (NOT_RUN in words) != may_have_run
        return words, may_have_run

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return stop


@pytest.fixture
def pauses(monkeypatch):
    """连接不上以后，再试之前的等待：真的不等，只记下几秒，然后调用 pauses.then()。"""

    def sleep(seconds):
        pauses.seconds.append(seconds)
        pauses.then()

    pauses = SimpleNamespace(seconds=[], then=lambda: None)
    monkeypatch.setattr("urllib3.util.retry.time", SimpleNamespace(sleep=sleep))
    return pauses


def never_arrived(done, *words):
    """脚本说它没有运行，服务器也没有收到什么。"""
    expect(done, 1, NOT_RUN, *words)
    assert MAYBE not in done.stderr
    assert done.requests == []
    assert done.names == []


def arrived_once(done):
    """脚本说它可能运行过；请求只有一个。"""
    expect(done, 1, MAYBE, "不会自动重发")
    assert NOT_RUN not in done.stderr
    assert len(done.requests) == 1
    assert done.names == []


# ---- 到达以后：断线、超时、看不懂的回复 ----

FAULTS = {
    "reset": Reply(RESULT, fault="reset"),
    "closed": Reply(RESULT, fault="close"),
    "half_a_reply": Reply(RESULT, fault="half"),
    "stops_halfway": Reply(RESULT, fault="stall"),
    "no_answer": Reply(RESULT, fault="hang"),
    "byte_by_byte": Reply(SLOW, fault="drip"),
    "asked_to_retry": html(503, **{"Retry-After": "0"}),
    "not_really_gzip": Reply("gzip it is not", headers={"Content-Encoding": "gzip"}),
    "chunks_without_sizes": Reply(
        '{"code": 0, "data": "half',
        headers={"Transfer-Encoding": "chunked", "Content-Length": None},
    ),
}


@BOTH
@pytest.mark.parametrize("case", FAULTS)
def test_request_that_may_have_arrived_is_not_sent_again(coze, stop, name, case):
    server = coze(FAULTS[case])
    _, may_have_run = stop(name, server.url)
    assert may_have_run
    assert len(server.requests) == 1


@BOTH
@pytest.mark.parametrize("case", ["reset", "byte_by_byte", "asked_to_retry"])
def test_script_does_not_send_again(run, name, case):
    arrived_once(run(name, FAULTS[case], **QUICK[name]))


@BOTH
def test_patience_is_total(coze, stop, name):
    """每 0.1 秒来一个字节的服务器：从连接起一共等这么久，不是从最后一个字节起。"""
    server = coze(FAULTS["byte_by_byte"])
    started = time.monotonic()
    words, _ = stop(name, server.url)
    assert 0.5 < time.monotonic() - started < 8
    assert "等了 0.5 秒" in words


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
    answer = w.post_run(w.RunBody(b"{}"), 5)
    assert json.loads(answer.text) == RESULT


# ---- 放弃以后 ----


def test_pressed_before_the_request_sends_nothing(coze, monkeypatch):
    """检查配置、打印输入的时候按过了：连接也不建立。"""
    server = coze()
    body = w.RunBody(b"{}")
    monkeypatch.setattr(w, "BASE", server.url)
    monkeypatch.setattr(w, "PRESSED", [0])
    with pytest.raises(KeyboardInterrupt):
        w.post_run(body, 5)
    time.sleep(0.3)
    assert server.requests == []
    assert body.was_read is False


def test_request_that_was_given_up_is_never_sent(monkeypatch, pauses):
    """进程还在（IDLE、Jupyter），放弃了的请求后来连上了：正文也不会再发出去。"""
    port = free_port()
    body = w.RunBody(b"{}")
    given_up = threading.Event()
    pauses.then = lambda: given_up.wait(20)
    monkeypatch.setattr(w, "BASE", f"http://127.0.0.1:{port}")
    before = set(threading.enumerate())
    with pytest.raises(w.NoAnswer):
        w.post_run(body, 0.3)
    assert body.was_read is False
    (sender,) = set(threading.enumerate()) - before
    with FakeCoze(port=port) as server:
        given_up.set()
        sender.join(20)
        assert not sender.is_alive()
        arrived = [body for *_, body in server.requests]
    assert arrived in ([], [b""])  # 请求头也许到了


# ---- 没有连上：再试，因为请求一定没有发出 ----


@BOTH
def test_refused_connection_is_tried_three_times_more(monkeypatch, pauses, name):
    """服务器在第三次重试之前才开始监听。等待依次是 0、1、2 秒；0 秒的不算一次等待。"""

    def listen_before_the_last_try():
        if len(pauses.seconds) == 2:
            servers.append(stack.enter_context(FakeCoze(0, [Reply(RESULT)], port)))

    port = free_port()
    servers = []
    module = SCRIPTS[name]
    pauses.then = listen_before_the_last_try
    monkeypatch.setattr(module, "BASE", f"http://127.0.0.1:{port}")
    with ExitStack() as stack:
        answer = module.post_run(module.RunBody(b"{}"), 20)
    assert json.loads(answer.text) == RESULT
    assert pauses.seconds == [1, 2]
    assert len(servers[0].requests) == 1


@BOTH
def test_when_nobody_listens_it_gives_up(monkeypatch, pauses, name):
    module = SCRIPTS[name]
    body = module.RunBody(b"{}")
    monkeypatch.setattr(module, "BASE", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(module.NoAnswer, match="refused"):
        module.post_run(body, 20)
    assert pauses.seconds == [1, 2]
    assert body.was_read is False


@BOTH
def test_script_tries_a_refused_connection_again(script, name):
    """真的等：服务器晚一点才开始监听。"""
    port = free_port()
    one = script(name, FakeCoze(), API_BASE=f"http://127.0.0.1:{port}")
    process = one.start()
    assert process.stdout.readline()
    time.sleep(0.5)
    one.server.server_close()
    with FakeCoze(port=port) as one.server:
        done = one.finish(process)
    expect(done, 0, status="completed")
    methods = [method for method, *_ in done.requests]
    assert methods.count("POST") == 1


@pytest.fixture
def full_queue():
    """队列已满的监听套接字的地址：SYN 得不到回答。"""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listener.getsockname()
        for _ in range(3):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(address)
        yield f"http://127.0.0.1:{address[1]}"


@BOTH
@pytest.mark.posix
def test_connecting_counts_as_waiting(stop, full_queue, name):
    started = time.monotonic()
    words, may_have_run = stop(name, full_queue)
    assert 0.5 < time.monotonic() - started < 4
    assert "等了 0.5 秒" in words
    assert not may_have_run


@pytest.mark.posix
def test_each_connecting_is_cut(script, coze, full_queue):
    """每次连接有自己的期限，比总的短。"""
    one = script(ASYNC, coze(), API_BASE=full_queue)
    one.rewrite("connect=3", "connect=0")
    one.rewrite("(10, seconds)", "(0.7, seconds)")
    started = time.monotonic()
    never_arrived(one.run(), "timed out")
    assert 0.7 < time.monotonic() - started < 4


# ---- TLS ----


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


@pytest.fixture
def tls(coze):
    """说 HTTPS 的替身，证书由没有人信任的机构颁发；accepted 是连接的个数。"""

    def accept():
        server.accepted += 1
        return server.socket.accept()

    server = coze(RESULT)
    server.authority = trustme.CA()
    server.accepted = 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.get_request = accept
    return server


def over_https(server):
    return server.url.replace("http", "https")


def test_certificate_that_is_not_trusted_is_not_tried_again(script, tls):
    done = script(SYNC, tls, API_BASE=over_https(tls)).run()
    never_arrived(done, "SSLError", "127.0.0.1", "REQUESTS_CA_BUNDLE", "电脑的时间")
    assert tls.accepted == 1


def test_https_to_a_server_without_it_sends_nothing(coze, stop):
    server = coze()
    words, may_have_run = stop(SYNC, over_https(server))
    assert not may_have_run
    assert server.requests == []
    assert re.search("SSLError.*127.0.0.1|127.0.0.1.*SSLError", words)
    assert "API_BASE" in words
    assert "电脑的时间" not in words


def test_trusted_certificate(script, tls, tmp_path):
    tls.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    one = script(SYNC, tls, API_BASE=over_https(tls))
    one.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    expect(one.run(), 0, outputs="x")
    assert tls.accepted == 1


# ---- 重定向 ----


@BOTH
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(coze, stop, name, status):
    elsewhere = coze()
    place = f"{elsewhere.url}/login"
    server = coze(html(status, "moved", Location=place))
    words, may_have_run = stop(name, server.url)
    assert not may_have_run
    assert f"没有跟随: {place}" in words
    assert "API_BASE" in words
    assert elsewhere.requests == []
    assert len(server.requests) == 1


@BOTH
def test_script_does_not_follow_a_redirect(coze, run, name):
    """307 要求把同一个 POST 发到别处。"""
    elsewhere = coze()
    place = f"{elsewhere.url}/login"
    done = run(name, html(307, "moved", Location=place))
    expect(done, 1, NOT_RUN, place, "没有跟随", "API_BASE")
    assert MAYBE not in done.stderr
    assert elsewhere.requests == []
    assert len(done.requests) == 1
    assert done.names == []
