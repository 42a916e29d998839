"""发给 Coze 的，就是配置里写的：不多，不少，也不会发到别处去。"""

import json
import re

import pytest
from conftest import ASYNC, ROOT, SYNC, TIMES, bands, expect
from fake_coze import WORKFLOW_ID

import workflow_async as w


def test_everything_that_is_set_is_sent(coze, script):
    """工作流 ID 可以写成数字，地址两头的空格和斜线不要紧。"""
    server = coze()
    optional = {
        "bot_id": "7300000000000000002",
        "app_id": "73",
        "ext": {"user_id": "u1"},
        "workflow_version": "v0.0.5",
        "connector_id": "1024",
    }
    settings = {name.upper(): value for name, value in optional.items()}
    settings["WORKFLOW_ID"] = int(WORKFLOW_ID)
    settings["API_BASE"] = f" {server.url}// "
    inputs = {"问题": "你好 😀", "n": 1, "url": None}
    one = script(SYNC, server, INPUTS=inputs, **settings)
    expect(one.run(), 0)
    method, path, headers, body = server.requests[0]
    assert method == "POST"
    assert path == "/v1/workflow/run"
    assert headers["Content-Type"] == "application/json"
    assert "你好 😀".encode() in body  # 不写成 \\uXXXX：请求体最大 20 MB
    assert json.loads(body) == {
        "workflow_id": WORKFLOW_ID,
        "parameters": inputs,
        "is_async": False,
        **optional,
    }


def test_optional_setting_is_sent_under_its_own_name(monkeypatch):
    """「配置」里原来是 None 的各项。"""
    source = (ROOT / ASYNC).read_text(encoding="utf-8")
    names = re.findall(r"(?m)^(\w+) = None", bands(source)["配置"])
    assert "BOT_ID" in names
    for name in names:
        monkeypatch.setattr(w, name, f"value of {name}")
    sent = json.loads(w.make_body({}, is_async=True).read())
    for name in names:
        assert sent[name.lower()] == f"value of {name}"


def test_what_is_not_set_is_not_sent(run):
    """INPUTS 里 JSON 没有的写法，发送的和记录的一样。"""
    done = run(ASYNC, INPUTS={True: (1, 2), None: {}})
    inputs = {"true": [1, 2], "null": {}}
    *_, body = done.requests[0]
    assert json.loads(body) == {
        "workflow_id": WORKFLOW_ID,
        "parameters": inputs,
        "is_async": True,
    }
    assert done.record["inputs"] == inputs


ADDRESSES = {
    "path": (
        "/v1/{workflow_id}/x/{execute_id}",
        "/v1/w%2F1/x/a%2Fb%3Fc%23d%25e%20f",
    ),
    "another_host": (
        "@elsewhere.example/{workflow_id}/{execute_id}",
        "/@elsewhere.example/w%2F1/a%2Fb%3Fc%23d%25e%20f",
    ),
    "no_slash": (
        "history?w={workflow_id}&e={execute_id}",
        "/history?w=w%2F1&e=a%2Fb%3Fc%23d%25e%20f",
    ),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_query_stays_at_the_server(coze, monkeypatch, case):
    """ID 要转义；RUN_HISTORY_PATH 的写法不能把请求发到别处去。"""
    pattern, address = ADDRESSES[case]
    server = coze()
    monkeypatch.setattr(w, "BASE", server.url)
    monkeypatch.setattr(w, "RUN_HISTORY_PATH", pattern)
    record = {"workflow_id": "w/1", "run_id": "a/b?c#d%e f", "status": "", **TIMES}
    w.get_history(w.history_path(record), 10)
    method, path, *_ = server.requests[0]
    assert method == "GET"
    assert path == address
