"""令牌不打印、不写入文件、不发给别人。"""

import json
import os
import subprocess

import pytest
from conftest import ASYNC, ROOT, SYNC
from fake_coze import Reply

TOKEN = "pat_SECRET-0123456789"
STARTED = {"code": 0, "execute_id": "7"}
BOTH = pytest.mark.parametrize("name", [SYNC, ASYNC])


def escaped(text):
    return "".join(f"\\u{ord(char):04x}" for char in text)


def without_token(done, folder, *secrets):
    written = [path.name + path.read_text(encoding="utf-8") for path in folder.glob("*json*")]
    for text in [done.stdout, done.stderr, *written]:
        assert [secret for secret in secrets if secret in text] == []


@BOTH
@pytest.mark.parametrize(
    "reply",
    [
        Reply(f"<html>407: Authorization: Bearer {TOKEN}</html>", 502),
        Reply({"code": 4100, "msg": f"token {TOKEN} is invalid", "detail": {"logid": TOKEN}}, 401),
        Reply({"code": 4100, "msg": "no"}, 401, {"X-Tt-Logid": TOKEN}),
        Reply({"message": TOKEN, TOKEN: 1}, 403),
        Reply("moved", 302, {"Location": f"http://login.example/?auth={TOKEN}"}),
        Reply({"code": 0, "execute_id": TOKEN, "data": TOKEN, "debug_url": f"http://x/?t={TOKEN}"}),
        Reply({"code": 0, "execute_id": f"a/{TOKEN}", "data": json.dumps({TOKEN: [TOKEN]})}),
        Reply(f'{{"code": 0, "execute_id": "7", "data": "{escaped(TOKEN)}", "msg": "{escaped(TOKEN)}"}}'),
        Reply({"code": 0, "execute_id": "7", "data": f'["{escaped(TOKEN)}"]'}),
        Reply({"run_id": TOKEN, "status": TOKEN, "error": TOKEN, "created_at": TOKEN, "updated_at": TOKEN}),
        Reply({"code": 720701013, "msg": TOKEN, "debug_url": f"http://x/?execute_id=9&t={TOKEN}"}),
        Reply({"code": 0, "execute_id": "7", "interrupt_data": {"data": TOKEN}}),
        Reply("x" * 180 + f" {TOKEN}", 502),
        Reply({"code": 0, "data": "x", "debug_url": f"http://x/?execute_id={TOKEN.replace('-', '%2D')}"}),
    ],
    ids=lambda reply: str(reply.body)[:20],
)
def test_echoed_token_is_masked(coze, script, tmp_path, name, reply):
    """服务器（或者中间的代理）把令牌抄进了回复里的每一个地方。"""
    echo = Reply(reply.body, reply.status, reply.headers)
    server = coze(reply, echo)
    inputs = {"a": TOKEN, TOKEN: 1}
    attempts = {"MAX_POLL_ATTEMPTS": 1} if name == ASYNC else {}
    done = script(name, server, YOUR_ACCESS_TOKEN=TOKEN, INPUTS=inputs, **attempts).run()
    assert server.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"
    assert json.loads(server.requests[0][3])["parameters"] == inputs
    without_token(done, tmp_path, TOKEN, TOKEN[:12])
    assert "***" in done.stdout


def test_echoed_token_while_polling(coze, script, tmp_path):
    replies = [
        STARTED,
        Reply(f"<html>{TOKEN}</html>", 502),
        {"code": 9, "msg": TOKEN},
        {"code": 0, "data": [{"execute_status": TOKEN, "update_time": TOKEN}]},
        {"code": 0, "data": [{"execute_status": "Success", "output": json.dumps({"Output": f'["{escaped(TOKEN)}"]'})}]},
    ]
    done = script(ASYNC, coze(*replies), YOUR_ACCESS_TOKEN=TOKEN).run()
    assert (done.status, done.record["outputs"]) == (0, ["***"])
    without_token(done, tmp_path, TOKEN)


def test_token_that_json_escapes(coze, script, tmp_path):
    token = 'pat_"quote\\back'
    inner = json.dumps({"a": token})
    server = coze({"code": 0, "execute_id": "7", "msg": token, "data": inner})
    done = script(SYNC, server, YOUR_ACCESS_TOKEN=token).run()
    assert server.requests[0][2]["Authorization"] == f"Bearer {token}"
    assert (done.status, done.record["outputs"]) == (0, {"a": "***"})
    without_token(done, tmp_path, token, json.dumps(token)[1:-1])


@pytest.mark.parametrize("token", ["pat/with/slash", "1234567890123"])
def test_other_spellings(coze, script, tmp_path, token):
    """PHP 写的 JSON 给斜杠加转义；全是数字的令牌可能被写成数字。"""
    php = token.replace("/", "\\/")
    number = token if token.isdigit() else "1"
    reply = f'{{"code": 0, "execute_id": {number}, "n": [{number}, 5], "data": "[\\"{php}\\"]", "debug": "{php}"}}'
    done = script(SYNC, coze(Reply(reply)), YOUR_ACCESS_TOKEN=token).run()
    assert (done.status, done.record["outputs"]) == (0, ["***"])
    assert done.record["response"]["n"] == (["***", 5] if token.isdigit() else [1, 5])
    without_token(done, tmp_path, token, php)


@pytest.mark.parametrize("around", ["  {}\r\n", "\tbearer   {} ", "\u3000Bearer {}\u00a0"])
def test_what_pasting_adds_is_removed(coze, script, around):
    server = coze({"code": 0, "data": "x"})
    done = script(SYNC, server, YOUR_ACCESS_TOKEN=around.format(TOKEN)).run()
    assert done.status == 0
    assert server.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize("token", ["pat_SEC RET", "pat_SEC\nRET", "pat_SEC\0RET", "pat_SEC令牌RET", "pat_SEC\u200bRET"])
def test_token_that_no_header_takes(coze, script, tmp_path, token):
    server = coze()
    done = script(ASYNC if "令牌" in token else SYNC, server, YOUR_ACCESS_TOKEN=token).run()
    assert (done.status, server.requests) == (2, [])
    assert "YOUR_ACCESS_TOKEN" in done.stderr
    without_token(done, tmp_path, "pat_SEC", "RET")


@BOTH
def test_netrc_does_not_replace_the_token(coze, script, tmp_path, name):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password else\ndefault login a password b\n")
    netrc.chmod(0o600)
    (tmp_path / ".netrc").write_text(netrc.read_text())
    server = coze()
    one = script(name, server, YOUR_ACCESS_TOKEN=TOKEN)
    one.environment["NETRC"] = os.fspath(netrc)
    one.run()
    assert {headers["Authorization"] for _, _, headers, _ in server.requests} == {f"Bearer {TOKEN}"}


@BOTH
def test_system_proxy_holds(coze, script, name):
    """发往别处的请求经过系统代理，除此之外不连接任何地方。"""
    proxy = coze({"code": 0, "execute_id": "7", "data": "x"}, {"run_id": 1, "status": "completed", "output": "x"})
    one = script(name, proxy, API_BASE="http://coze.example")
    one.environment.update(HTTP_PROXY=proxy.url, http_proxy=proxy.url)
    assert one.run().status == 0
    assert proxy.requests[0][1] == "http://coze.example/v1/workflow/run"


def test_history_path_cannot_point_elsewhere(coze, script):
    server = coze(STARTED, {"run_id": 1, "status": "completed", "output": "x"})
    path = "@elsewhere.example/{workflow_id}/{execute_id}"
    assert script(ASYNC, server, RUN_HISTORY_PATH=path).run().status == 0
    assert server.requests[1][1] == "/@elsewhere.example/7400000000000000001/7"


@pytest.mark.parametrize(
    "path",
    [
        "run123_20251028T155840.json",
        "x_20251028T155840_0123abcd.json",
        "run123_20251028T155840.json.4711.tmp",
        ".env",
        ".env.local",
        "venv/x",
        ".venv/x",
        "__pycache__/x.pyc",
    ],
)
def test_git_ignores(path):
    command = ["git", "check-ignore", "-q", "--no-index", path]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
