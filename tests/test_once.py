"""运行请求最多到达 Coze 一次；真实的断线、超时、证书和重定向。"""

import socket
import ssl
import threading
import time

import pytest
import trustme
from conftest import ASYNC, SYNC
from fake_coze import FakeCoze, Reply

import workflow_async
import workflow_sync

QUICK = {SYNC: {"TIMEOUT": 0.5}, ASYNC: {"START_TIMEOUT": 0.5}}
RESULT = {"code": 0, "data": "x", "execute_id": "7"}
BOTH = pytest.mark.parametrize("name", [SYNC, ASYNC])


@BOTH
@pytest.mark.parametrize(
    "reply",
    [
        Reply(RESULT, fault="reset"),
        Reply(RESULT, fault="close"),
        Reply(RESULT, fault="half"),
        Reply(RESULT, fault="stall"),
        Reply(RESULT, fault="hang"),
        Reply("<html>502 Bad Gateway</html>", 502),
        Reply("<html>504 Gateway Timeout</html>", 504, {"Content-Type": "text/html", "Retry-After": "0"}),
        Reply("<html>503</html>", 503, {"Retry-After": "0"}),
        Reply("<html>maintenance</html>", 200, {"Content-Type": "text/html"}),
        Reply("gzip it is not", 200, {"Content-Encoding": "gzip"}),
        Reply(b'{"code": 0, "data": "\xff"}'),
        Reply('{"code": 0, "data": "half', headers={"Transfer-Encoding": "chunked", "Content-Length": None}),
    ],
    ids=lambda reply: reply.fault or str(reply.status),
)
def test_request_that_may_have_arrived_is_not_sent_again(coze, script, name, reply):
    server = coze(reply)
    done = script(name, server, **QUICK[name]).run()
    assert (done.status, done.names, len(server.requests)) == (1, [], 1)
    assert "可能正在运行并计费" in done.stderr
    assert "不会自动重发" in done.stderr
    assert "查看运行记录" in done.stderr
    assert "workflow_async.py" in done.stderr or name == ASYNC


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@BOTH
def test_refused_connection_is_tried_three_times_more(script, name):
    """服务器在第三次重试之前才开始监听。等待依次是 0、1、2 秒。"""
    port = free_port()
    server = FakeCoze()
    started = time.monotonic()
    one = script(name, server, API_BASE=f"http://127.0.0.1:{port}")
    process = one.start()
    time.sleep(2)
    with socket.create_server(("127.0.0.1", port)) as listener:
        forward(listener, server)
        with server:
            done = one.finish(process)
    assert (done.status, done.record["status"]) == (0, "completed")
    assert 2.5 < time.monotonic() - started < 10
    assert [method for method, *_ in server.requests].count("POST") == 1


def forward(listener, server):
    """把一个连接上的数据转给另一个服务器。"""

    def pump(source, target):
        while data := source.recv(65536):
            target.sendall(data)
        target.close()

    def accept():
        client, _ = listener.accept()
        upstream = socket.create_connection(server.server_address)
        for pair in ((client, upstream), (upstream, client)):
            threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


@pytest.mark.parametrize(("name", "base"), [(SYNC, "http://127.0.0.1:{port}"), (ASYNC, "http://no-such-host.invalid")])
def test_connection_that_never_came_about(script, name, base):
    done = script(name, FakeCoze(), API_BASE=base.format(port=free_port())).run()
    assert (done.status, done.names) == (1, [])
    assert "请求没有发出" in done.stderr
    assert "不会计费" in done.stderr
    assert "可能正在运行" not in done.stderr


def test_connecting_is_cut(script):
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
        done = script(SYNC, FakeCoze(), API_BASE=f"http://127.0.0.1:{port}", CONNECT_TIMEOUT=0.2).run()
        assert 3 < time.monotonic() - started < 15
        for filler in fillers:
            filler.close()
    assert done.status == 1
    assert "请求没有发出" in done.stderr


def test_connect_timeout_is_ten_seconds_and_a_query_is_cut_after_thirty():
    assert (workflow_sync.CONNECT_TIMEOUT, workflow_async.CONNECT_TIMEOUT, workflow_async.QUERY_TIMEOUT) == (10, 10, 30)


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


@BOTH
def test_untrusted_certificate_is_not_tried_again(script, tls, name):
    port, _, heard = tls
    done = script(name, FakeCoze(), API_BASE=f"https://127.0.0.1:{port}").run()
    assert (done.status, done.names, heard) == (1, [], [b""])
    assert "请求没有发出" in done.stderr
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
    done = script(SYNC, server, API_BASE=server.url.replace("http://", "https://")).run()
    assert (done.status, server.requests) == (1, [])
    assert "请求没有发出" in done.stderr


@pytest.mark.parametrize("module", [workflow_sync, workflow_async])
def test_cancelled_body_is_never_sent(module):
    body = module.RequestBody(b"run")
    body.cancelled = True
    with pytest.raises(OSError, match="cancelled"):
        body.read(1)
    assert body.sent


@BOTH
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(coze, script, name, status):
    elsewhere = coze()
    server = coze(Reply("moved", status, {"Location": f"{elsewhere.url}/login"}))
    done = script(name, server).run()
    assert (done.status, done.names, len(server.requests), elsewhere.requests) == (1, [], 1, [])
    assert f"{elsewhere.url}/login" in done.stderr


def test_redirect_to_a_broken_address(coze, script):
    server = coze(Reply({"code": 0, "data": "x"}, 307, {"Location": "http://[broken"}))
    done = script(SYNC, server).run()
    assert (done.status, len(server.requests)) == (1, 1)
    assert "http://[broken" in done.stderr
