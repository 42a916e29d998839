"""承诺：令牌只在发往设置好的地址的请求头里；脚本里填的令牌不去环境变量里的地址；屏幕上没有令牌。"""

import pytest
from conftest import ASYNC, BOTH, NOT_RUN, STARTED, expect, success
from fake_coze import TOKEN, WORKFLOW_ID, Reply

import workflow_async as w

BEARER = f"Bearer {TOKEN}"
FILLED_IN = {"YOUR_ACCESS_TOKEN": TOKEN, "WORKFLOW_ID": WORKFLOW_ID}


def sent(server):
    """服务器收到的请求头里的令牌。"""
    return {headers.get("Authorization") for _, _, headers, _ in server.requests}


@BOTH
def test_typed_token_goes_to_the_typed_address_alone(coze, script, name):
    typed = coze(*success(name))
    one = script(name, coze(), API_BASE=f" {typed.url}/ ", **FILLED_IN)
    expect(one.run(), 0)
    assert sent(typed) == {BEARER}
    assert one.server.requests == []


@BOTH
def test_typed_token_never_goes_to_the_address_of_the_environment(coze, script, name):
    """API_BASE 没有改过，是 https://api.coze.cn；这里由一个不通的代理代替它。"""
    one = script(
        name,
        coze(),
        INPUTS={"a": 1},
        **FILLED_IN,
    )
    one.environment.update(https_proxy="http://127.0.0.1:9")
    expect(one.run(), 2, "https://api.coze.cn")
    assert one.server.requests == []


@BOTH
def test_typed_address_beats_the_environment(coze, script, name):
    typed = coze(*success(name))
    one = script(name, coze(), API_BASE=typed.url)
    expect(one.run(), 0)
    assert one.server.requests == []


@BOTH
def test_netrc_does_not_replace_the_token(coze, script, tmp_path, name):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login a password b\n")
    netrc.chmod(0o600)
    one = script(name, coze(*success(name)))
    one.environment["NETRC"] = str(netrc)
    expect(one.run(), 0)
    assert sent(one.server) == {BEARER}


@BOTH
@pytest.mark.parametrize("status", [302, 307])
def test_redirect_is_not_followed(coze, run, name, status):
    elsewhere = coze()
    done = run(name, Reply("", status, {"Location": f"{elsewhere.url}/v1/workflow/run"}))
    expect(done, 2, elsewhere.url, NOT_RUN)
    assert elsewhere.requests == []
    assert done.runs == 1


ECHO = f'{{"code":4100,"msg":"bad token {TOKEN}!"}}'
ECHOES = {
    "message": ECHO,
    "page": Reply(f"<html>{TOKEN}</html>", 502),
    "text": Reply(f"{TOKEN} " * 9),
    "location": Reply("", 302, {"Location": f"/login?token={TOKEN}"}),
}


@BOTH
@pytest.mark.parametrize("case", ECHOES)
def test_refusal_that_echoes_the_token_is_masked(run, name, case):
    done = run(name, ECHOES[case])
    assert "***" in done.stderr
    assert TOKEN not in done.stdout + done.stderr


def test_query_that_echoes_the_token_is_masked(run):
    done = expect(run(ASYNC, STARTED, ECHO), 3, "***")
    assert TOKEN not in done.stdout + done.stderr


def test_word_of_less_than_16_letters_is_no_secret(monkeypatch, response):
    for token, is_masked in (("a" * 15, False), ("a" * 16, True)):
        monkeypatch.setattr(w, "TOKEN", token)
        words = w.describe_refusal(
            response(200),
            {"code": 4100, "msg": f"bad token {token}"},
        )
        assert ("***" in words) == is_masked


def test_message_is_cut_after_the_token_is_masked(monkeypatch, response):
    monkeypatch.setattr(w, "TOKEN", TOKEN)
    for start in range(1900, 2000):
        reply = {"code": 4100, "msg": "x" * start + TOKEN + "y" * 5000}
        words = w.describe_refusal(response(200), reply)
        assert TOKEN[:8] not in words
        assert "y" * 99 not in words
