"""令牌和代理的密码不打印、不写入文件、不发给别人。

大多数在这个进程里运行脚本（真实的服务器、文件夹和屏幕上的字），几个启动真的进程。
"""

import json
import runpy
import sys

import pytest
from conftest import BOTH, NOT_RUN, STARTED, SYNC, Finished, expect, html, success
from fake_coze import Reply

import workflow_async as w

TOKEN = "pat_SECRET-0123456789"
INPUTS = {"a": TOKEN, TOKEN: 1}
BEARER = f"Bearer {TOKEN}"

# 服务器（或者中间的代理）把令牌抄进了回复里的每一个地方
ECHOES = {
    "message_and_logid": Reply(
        {"code": 4100, "msg": f"token {TOKEN} is invalid", "detail": {"logid": TOKEN}}, 401
    ),
    "logid_header": Reply({"code": 4100, "msg": "no"}, 401, {"X-Tt-Logid": TOKEN}),
    "name_of_a_field": Reply({"message": TOKEN, TOKEN: 1}, 403),
    "redirect": html(302, "moved", Location=f"http://login.example/?auth={TOKEN}"),
    "result": Reply(
        {"code": 0, "execute_id": TOKEN, "data": TOKEN, "debug_url": f"http://x/?t={TOKEN}"}
    ),
    "result_in_json": Reply(
        {"code": 0, "execute_id": f"a/{TOKEN}", "data": json.dumps({TOKEN: [TOKEN]})}
    ),
    "gateway_record": Reply(
        {
            "run_id": TOKEN,
            "status": TOKEN,
            "error": TOKEN,
            "created_at": TOKEN,
            "updated_at": TOKEN,
        }
    ),
    "failed_run": Reply(
        {"code": 720701013, "msg": TOKEN, "debug_url": f"http://x/?execute_id=9&t={TOKEN}"}
    ),
    "question": Reply({"code": 0, "execute_id": "7", "interrupt_data": {"data": TOKEN}}),
    "page": html(502, TOKEN),
    "page_cut_in_one_line": html(502, "x" * 190 + TOKEN),
    "page_cut_in_full": html(502, "x" * 1990 + TOKEN),
    "broken_json": Reply('{"code": 0, "data": "' + "x" * 2990 + TOKEN),
}
HALF_ESCAPED = {"code": 0, "data": "x", "debug_url": "http://x/?execute_id=pat_SECRET%2D0123456789"}


@pytest.fixture
def run_here(coze, script, monkeypatch, capsys):
    """同 run，但是脚本在这个进程里从头到尾运行，省下启动进程的时间。"""

    def run_here(name, *replies, **settings):
        one = script(name, coze(*replies), **settings)
        monkeypatch.chdir(one.folder)
        monkeypatch.setattr(sys, "argv", [name])
        monkeypatch.setattr(sys, "excepthook", sys.excepthook)
        for variable, value in one.environment.items():
            monkeypatch.setenv(variable, value)
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            runpy.run_path(name, run_name="__main__")
        screen = capsys.readouterr()
        return Finished(end.value.code, screen.out, screen.err, one.folder, one.server)

    return run_here


def replies_of(name, reply):
    """同步的脚本在运行请求的回复里收到它，异步的在查询的回复里。"""
    if name == SYNC:
        return [reply]
    return [STARTED, reply]


def once(name):
    """异步的脚本只查询一次的配置。"""
    if name == SYNC:
        return {}
    return {"MAX_POLL_ATTEMPTS": 1}


def is_masked(done, folder, secret=TOKEN[:9]):
    """令牌（它的开头）不在屏幕上，也不在文件和文件名里；原来有它的地方是 ***。"""
    assert secret not in done.stdout
    assert secret not in done.stderr
    assert "***" in done.stdout
    for path in folder.glob("*json*"):
        assert secret not in path.name
        assert secret not in path.read_text(encoding="utf-8")


def is_sent(done):
    """令牌照样发给了 Coze，输入也没有改动。"""
    _, _, headers, body = done.requests[0]
    assert headers["Authorization"] == BEARER
    assert json.loads(body)["parameters"] == INPUTS


# ---- 令牌 ----


@BOTH
@pytest.mark.parametrize("case", ECHOES)
def test_echoed_token_is_masked(run_here, tmp_path, name, case):
    replies = replies_of(name, ECHOES[case])
    done = run_here(name, *replies, YOUR_ACCESS_TOKEN=TOKEN, INPUTS=INPUTS, **once(name))
    is_sent(done)
    is_masked(done, tmp_path)


@BOTH
def test_half_escaped_token_makes_no_run_id(run_here, tmp_path, name):
    """地址里转义了的令牌认不出来，但是从中取出的 ID（文件名）里没有整个的令牌。"""
    replies = replies_of(name, HALF_ESCAPED)
    done = run_here(name, *replies, YOUR_ACCESS_TOKEN=TOKEN, INPUTS=INPUTS, **once(name))
    is_sent(done)
    is_masked(done, tmp_path, TOKEN[:12])


@BOTH
def test_token_in_the_reply_to_the_run_request_is_masked(run_here, tmp_path, name):
    """没有得到一次运行：两个脚本都说出整个回复。"""
    reply = ECHOES["message_and_logid"]
    done = run_here(name, reply, YOUR_ACCESS_TOKEN=TOKEN, INPUTS=INPUTS)
    expect(done, 1, NOT_RUN, "token *** is invalid")
    is_sent(done)
    is_masked(done, tmp_path)


@BOTH
@pytest.mark.parametrize("case", ["result", "page_cut_in_full"])
def test_script_masks_an_echoed_token(run, tmp_path, name, case):
    replies = replies_of(name, ECHOES[case])
    done = run(name, *replies, YOUR_ACCESS_TOKEN=TOKEN, INPUTS=INPUTS, **once(name))
    is_sent(done)
    is_masked(done, tmp_path)


@BOTH
@pytest.mark.parametrize("token", ["data", "1", "fifteen-letters", "completed", "Success"])
def test_short_word_is_no_secret(run_here, name, token):
    """不认证的网关随便填的令牌：照样发出去，结果一个字也不变。"""
    outputs = {"data": token, "1": 1}
    reply = {"run_id": "1", "status": "completed", "data": f"{token} 1", "outputs": outputs}
    replies = replies_of(name, reply)
    done = run_here(name, *replies, YOUR_ACCESS_TOKEN=token, INPUTS={"data": "1"})
    expect(done, 0, response=reply, outputs=outputs, inputs={"data": "1"})
    assert done.requests[0][2]["Authorization"] == f"Bearer {token}"
    assert "***" not in done.stdout


PASTED = {
    "spaces_and_end_of_line": "  {}\r\n",
    "bearer": "\tbearer   {} ",
    "wide_spaces": "\u3000Bearer {}\u00a0",
}


@pytest.mark.parametrize("case", PASTED)
def test_what_pasting_adds_is_removed(run_here, case):
    pasted = PASTED[case].format(TOKEN)
    done = run_here(SYNC, {"code": 0, "data": "x"}, YOUR_ACCESS_TOKEN=pasted)
    expect(done, 0)
    assert done.requests[0][2]["Authorization"] == BEARER


@BOTH
def test_netrc_and_system_proxy(coze, script, tmp_path, name):
    """~/.netrc 不会替换令牌；发往别处的请求经过系统代理，除此之外不连接任何地方。"""
    netrc = tmp_path / "netrc"
    netrc.write_text(
        "machine coze.example login someone password else\ndefault login a password b\n"
    )
    netrc.chmod(0o600)
    proxy = coze(*success(name, "x"))
    one = script(name, proxy, API_BASE="http://coze.example", YOUR_ACCESS_TOKEN=TOKEN)
    one.environment.update(HTTP_PROXY=proxy.url, http_proxy=proxy.url, NETRC=str(netrc))
    done = expect(one.run(), 0)
    assert done.requests[0][1] == "http://coze.example/v1/workflow/run"
    assert {headers["Authorization"] for _, _, headers, _ in done.requests} == {BEARER}


# ---- 代理的密码 ----

PROXIES = {
    "socks": ("socks5h://user:SECRET@127.0.0.1:9", "pip install pysocks"),
    "refused": ("http://user:SECRET@127.0.0.1:9", "API_BASE"),
    "impossible_port": ("http://user:SECRET@127.0.0.1:nonsense", "API_BASE"),
    "space_in_the_password": ("http://user:SEC RET@", "API_BASE"),
    "at_sign_in_the_password": ("user:SEC@RET@[::", "API_BASE"),
}


def tells_no_password(words, advice):
    assert "网络错误: " in words
    assert advice in words
    assert "SEC" not in words
    assert "RET@" not in words


@pytest.mark.parametrize("case", PROXIES)
def test_password_of_a_proxy_is_not_told(monkeypatch, case):
    proxy, advice = PROXIES[case]
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setattr(w, "BASE", "http://coze.example")
    monkeypatch.setattr(w.RETRY, "connect", 0)
    with pytest.raises(w.Stop) as stop:
        w.start(w.RunBody(b"{}"), {})
    words, _ = stop.value.args
    tells_no_password(words, advice)
    assert NOT_RUN in words


def test_address_in_an_error_loses_its_password(monkeypatch):
    """有的 urllib3 把代理的整个地址写进错误里。"""

    def fail(*_, **__):
        raise OSError("Failed to parse: http://user:SECRET@127.0.0.1:nonsense")

    monkeypatch.setattr(w.SESSION, "request", fail)
    with pytest.raises(w.NoAnswer) as problem:
        w.post_run(w.RunBody(b"{}"), 5)
    assert problem.value.args == ("Failed to parse: ***@127.0.0.1:nonsense", 5)


@BOTH
@pytest.mark.parametrize("case", ["socks", "refused"])
def test_script_does_not_tell_the_password_of_a_proxy(script, coze, name, case):
    proxy, advice = PROXIES[case]
    one = script(name, coze(), API_BASE="http://coze.example")
    one.rewrite("connect=3", "connect=0")
    one.environment.update(HTTP_PROXY=proxy, http_proxy=proxy)
    done = expect(one.run(), 1, NOT_RUN)
    tells_no_password(done.stdout + done.stderr, advice)
    assert done.requests == []
    assert done.names == []
