"""令牌不打印、不写入文件、不发给别人。"""

import json

import pytest
from conftest import ASYNC, BOTH, STARTED, SYNC, expect, html, success
from fake_coze import Reply

TOKEN = "pat_SECRET-0123456789"


def without_token(done, folder, *secrets):
    written = [path.name + path.read_text(encoding="utf-8") for path in folder.glob("*json*")]
    for text in [done.stdout, done.stderr, *written]:
        assert [secret for secret in secrets if secret in text] == []


ECHOES = [
    Reply({"code": 4100, "msg": f"token {TOKEN} is invalid", "detail": {"logid": TOKEN}}, 401),
    Reply({"code": 4100, "msg": "no"}, 401, {"X-Tt-Logid": TOKEN}),
    Reply({"message": TOKEN, TOKEN: 1}, 403),
    html(302, "moved", Location=f"http://login.example/?auth={TOKEN}"),
    Reply({"code": 0, "execute_id": TOKEN, "data": TOKEN, "debug_url": f"http://x/?t={TOKEN}"}),
    Reply({"code": 0, "execute_id": f"a/{TOKEN}", "data": json.dumps({TOKEN: [TOKEN]})}),
    Reply(
        {
            "run_id": TOKEN,
            "status": TOKEN,
            "error": TOKEN,
            "created_at": TOKEN,
            "updated_at": TOKEN,
        }
    ),
    Reply({"code": 720701013, "msg": TOKEN, "debug_url": f"http://x/?execute_id=9&t={TOKEN}"}),
    Reply({"code": 0, "execute_id": "7", "interrupt_data": {"data": TOKEN}}),
    *[html(502, "x" * length + TOKEN) for length in (0, 190, 1990)],
    Reply('{"code": 0, "data": "' + "x" * 2990 + TOKEN),
    Reply(
        {
            "code": 0,
            "data": "x",
            "debug_url": f"http://x/?execute_id={TOKEN.replace('-', '%2D')}",
        }
    ),
]


@pytest.mark.parametrize(
    ("name", "reply"), [*zip([SYNC, ASYNC] * 9, ECHOES), *zip([ASYNC, SYNC] * 3, ECHOES)]
)
def test_echoed_token_is_masked(run, tmp_path, name, reply):
    """服务器（或者中间的代理）把令牌抄进了回复里的每一个地方：运行请求的，和查询的。"""
    inputs = {"a": TOKEN, TOKEN: 1}
    start, attempts = ([STARTED], {"MAX_POLL_ATTEMPTS": 1}) if name == ASYNC else ([], {})
    done = run(name, *start, reply, YOUR_ACCESS_TOKEN=TOKEN, INPUTS=inputs, **attempts)
    assert done.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(done.requests[0][3])["parameters"] == inputs
    without_token(done, tmp_path, TOKEN, TOKEN[:12] if "%2D" in str(reply.body) else TOKEN[:9])
    assert "***" in done.stdout


@pytest.mark.parametrize(
    ("name", "token"),
    [
        (SYNC, "data"),
        (ASYNC, "1"),
        (SYNC, "fifteen-letters"),
        (ASYNC, "completed"),
        (ASYNC, "Success"),
    ],
)
def test_short_word_is_no_secret(run, name, token):
    """不认证的网关随便填的令牌：照样发出去，结果一个字也不变。"""
    reply = {
        "run_id": "1",
        "status": "completed",
        "data": f"{token} 1",
        "outputs": {"data": token, "1": 1},
    }
    start = [{"run_id": "1", "status": "pending"}] if name == ASYNC else []
    done = run(name, *start, reply, YOUR_ACCESS_TOKEN=token, INPUTS={"data": "1"})
    assert done.requests[0][2]["Authorization"] == f"Bearer {token}"
    assert (done.status, done.record["response"], done.record["inputs"]) == (
        0,
        reply,
        {"data": "1"},
    )
    assert (done.record["outputs"], "***" in done.stdout) == ({"data": token, "1": 1}, False)


@pytest.mark.parametrize("around", ["  {}\r\n", "\tbearer   {} ", "\u3000Bearer {}\u00a0"])
def test_what_pasting_adds_is_removed(run, around):
    done = run(SYNC, {"code": 0, "data": "x"}, YOUR_ACCESS_TOKEN=around.format(TOKEN))
    assert done.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"


@BOTH
def test_netrc_and_system_proxy(coze, script, tmp_path, name):
    """~/.netrc 不会替换令牌；发往别处的请求经过系统代理，除此之外不连接任何地方。"""
    netrc, proxy = tmp_path / "netrc", coze(*success(name, "x"))
    netrc.write_text(
        "machine coze.example login someone password else\ndefault login a password b\n"
    )
    netrc.chmod(0o600)
    one = script(name, proxy, API_BASE="http://coze.example", YOUR_ACCESS_TOKEN=TOKEN)
    one.environment.update(HTTP_PROXY=proxy.url, http_proxy=proxy.url, NETRC=str(netrc))
    done = expect(one.run(), 0)
    assert done.requests[0][1] == "http://coze.example/v1/workflow/run"
    assert {headers["Authorization"] for _, _, headers, _ in done.requests} == {f"Bearer {TOKEN}"}
