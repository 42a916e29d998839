"""承诺：运行请求只发一次；没有得到一次运行的，如实说可能运行过没有，退出状态也这样说。"""

import os
import re
import socket
import ssl
import threading
from contextlib import ExitStack

import pytest
import trustme
from conftest import (
    ASYNC,
    BOTH,
    MAY_HAVE_RUN,
    NOT_RUN,
    STARTED,
    SYNC,
    expect,
    free_port,
    history,
    html,
)
from fake_coze import Reply

import workflow_async as w

NO_RUN_URL = "https://x/?execute_id=0"

# 回复里没有一次运行：{名字: (回复, 退出状态, 说的话)}；两个脚本都是这样
FAULTS = {
    "reset": (Reply(fault="reset"), 4, "没有收到完整的回复"),
    "closed": (Reply(fault="close"), 4, "没有收到完整的回复"),
    "half_a_body": (
        Reply({**STARTED, "data": "x" * 999}, fault="half"),
        4,
        "完整的回复",
    ),
    "gateway_page": (html(504), 4, "a page"),
    "empty": (Reply(""), 4, "HTTP 状态: 200"),
    "text": (Reply("maybe a result " * 200), 4, "maybe a result " * 200),
    "list": (Reply('[1,{"a":"b"}]'), 4, '[1,{"a":"b"}]'),
    "no_run": ('{"code":0,"msg":""}', 4, "HTTP 状态: 200"),
    "code_that_may_have_run": ('{"code":5000,"msg":"internal"}', 4, "internal"),
    "doubtful_with_id_0": (f'{{"code":7,"debug_url":"{NO_RUN_URL}"}}', 4, '"code": 7'),
    "refused_with_id_0": (f'{{"code":"4000","debug_url":"{NO_RUN_URL}"}}', 2, "INPUTS"),
    "refused": (Reply('{"code":4100,"msg":"bad token"}', 401), 2, "bad token"),
    "gateway_code": (Reply('{"code":401,"msg":"no session"}', 401), 2, "no session"),
    "other_server": (html(404), 2, "API_BASE"),
    "busy_gateway": (html(429), 2, "a page"),
}


@BOTH
@pytest.mark.parametrize("case", FAULTS)
def test_reply_without_a_run_is_told_truly_and_nothing_is_sent_again(run, name, case):
    reply, status, words = FAULTS[case]
    done = expect(
        run(name, reply),
        status,
        words,
        {2: NOT_RUN, 4: MAY_HAVE_RUN}[status],
    )
    assert (NOT_RUN in done.stderr) == (status == 2)
    assert ("90 秒" in done.stderr) == (status == 4 and name == SYNC)
    assert len(done.requests) == 1
    assert done.names == []


@BOTH
def test_server_that_never_answers(coze, script, name):
    one = script(name, coze(Reply(fault="hang")))
    waiting = {SYNC: "TIMEOUT = 300", ASYNC: "send_run(body, 60)"}[name]
    one.rewrite(waiting, re.sub("[0-9]+", "0.3", waiting))
    done = expect(one.run(), 4, MAY_HAVE_RUN)
    assert done.runs == 1


# 没有连上：{名字: 环境变量或者设置}
NOT_CONNECTED = {
    "refused": {"API_BASE": "http://127.0.0.1:{port}"},
    "no_such_host": {"API_BASE": "http://nowhere.invalid"},
    "no_address": {"API_BASE": "http://[::1"},
    "no_port": {"API_BASE": "http://127.0.0.1:abc"},
    "no_tls": {"API_BASE": "https://127.0.0.1:{server}"},
    "no_proxy": {"API_BASE": "http://coze.example", "http_proxy": "http://127.0.0.1:{port}"},
    "broken_proxy": {"API_BASE": "http://coze.example", "http_proxy": "http://127.0.0.1:abc"},
    "no_certificates": {"API_BASE": "https://127.0.0.1:{server}", "REQUESTS_CA_BUNDLE": "none"},
}


@BOTH
@pytest.mark.parametrize("case", NOT_CONNECTED)
def test_without_a_connection_nothing_ran(coze, script, name, case):
    server = coze()
    ports = {"port": free_port(), "server": server.server_address[1]}
    found = {key: value.format(**ports) for key, value in NOT_CONNECTED[case].items()}
    one = script(name, server, API_BASE=found.pop("API_BASE"))
    one.environment.update(found)
    done = expect(one.run(), 2, "没有连上", NOT_RUN)
    assert MAY_HAVE_RUN not in done.stderr
    assert done.requests == []


@pytest.fixture
def tls():
    """TLS 服务器，在握手和读完请求之后发出不是 TLS 的字节；给出 (地址, 它的证书机构)。"""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    def serve():
        connection, _ = listener.accept()
        with connection, context.wrap_socket(connection, server_side=True) as secure:
            received = secure.recv(65536)
            while b"is_async" not in received:
                received += secure.recv(65536)
            os.write(secure.fileno(), b"this is no TLS" * 99)
            secure.unwrap()

    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        threading.excepthook = lambda _: None
        threading.Thread(target=serve, daemon=True).start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}", authority


@BOTH
def test_certificate_that_is_not_trusted(script, coze, tls, name):
    done = expect(
        script(name, coze(), API_BASE=tls[0]).run(),
        2,
        NOT_RUN,
        "REQUESTS_CA_BUNDLE",
    )
    assert MAY_HAVE_RUN not in done.stderr


@BOTH
def test_tls_that_breaks_while_the_reply_is_read_may_have_run(script, coze, tls, tmp_path, name):
    one = script(name, coze(), API_BASE=tls[0])
    tls[1].cert_pem.write_to_path(tmp_path / "ca.pem")
    one.environment["REQUESTS_CA_BUNDLE"] = str(tmp_path / "ca.pem")
    expect(one.run(), 4, MAY_HAVE_RUN)


# 运行之前的拒绝：{错误码: 建议里的话}
ADVISED = {
    "4000": "INPUTS",
    "4006 4015": "bot_id",
    "4008": "明天",
    "4009 4020": "稍后",
    "4011 4019 4022": "充值",
    "4100 700012006": "换一个",
    "4101": "权限",
    "4200 6031 720702004": "发布",
    "6003": "workflow_sync.py",
}
WORDS = {code: word for codes, word in ADVISED.items() for code in codes.split()}
MAYBE = "4010 4012 4013 4014 4102 4314 5000 6023 6039 720701013 777777775 401"
JUDGED = {
    **{f"code_{code}": ({"code": int(code)}, 200, 2) for code in WORDS},
    **{f"code_{code}": ({"code": code}, 200, 4) for code in MAYBE.split()},
    **{f"http_{s}": ({}, s, 2) for s in (300, 308, 400, 401, 403, 404, 405, 407, 413, 429)},
    **{f"http_{s}": ({}, s, 4) for s in (200, 204, 402, 408, 409, 410, 425, 500, 502, 503, 504)},
}


@pytest.mark.parametrize("case", JUDGED)
def test_code_decides_before_the_http_status(response, case):
    reply, http_status, status = JUDGED[case]
    error = w.no_run_error(response(http_status), reply)
    assert error.status == status
    assert WORDS.get(case.partition("_")[2], "") in str(error)


NAMED = {
    "in_debug_url": '{"code":7,"msg":"node failed","debug_url":"/x?a=1&execute_id=7"}',
    "with_a_refusal_code": '{"code":4000,"msg":"node failed","execute_id":7}',
    "of_a_bad_request": Reply('{"msg":"node failed","execute_id":"7"}', 400),
}


@pytest.mark.parametrize("case", NAMED)
def test_reply_that_names_a_run_is_of_a_run_that_happened(run, case):
    sync = run(SYNC, NAMED[case])
    expect(sync, 1, "运行失败", "计费", "node failed", status="failed", run_id="7")
    assert "请求成功" not in sync.stdout
    assert NOT_RUN not in sync.stderr


@pytest.mark.parametrize("case", NAMED)
def test_started_run_is_polled_whatever_else_the_reply_says(run, case):
    done = run(ASYNC, NAMED[case], history("Success", output='{"Output":"x"}'))
    expect(done, 0, status="completed", run_id="7", outputs="x")
    assert done.runs == 1


def test_gateway_error_that_names_a_sync_run_leaves_it_running(run):
    done = run(SYNC, Reply('{"execute_id":"7","msg":"gateway"}', 502))
    expect(done, 3, "计费", status="running", run_id="7")
    assert done.command == ["python", "workflow_async.py", "7"]


@pytest.mark.parametrize("reply", ['{"execute_id":"7","data":"x"}', '{"run_id":"7","output":"x"}'])
def test_sync_reply_without_a_code_is_a_result(run, reply):
    expect(run(SYNC, reply), 0, status="completed", run_id="7", outputs="x")


def test_sync_reply_without_a_result_leaves_the_run_running(run):
    done = run(SYNC, STARTED)
    expect(done, 3, "接着等", status="running", run_id="7")
