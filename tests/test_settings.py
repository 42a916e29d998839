"""配置检查：发送之前一次说完所有问题，每个都带名字。"""

import json

import pytest
from conftest import ASYNC, SYNC

import workflow_async
import workflow_sync

NAN, INF = float("nan"), float("inf")
BOTH = [
    ("YOUR_ACCESS_TOKEN", "your_actual_access_token"),
    ("YOUR_ACCESS_TOKEN", ""),
    ("YOUR_ACCESS_TOKEN", "  \n"),
    ("YOUR_ACCESS_TOKEN", "Bearer "),
    ("YOUR_ACCESS_TOKEN", None),
    ("YOUR_ACCESS_TOKEN", 12345),
    ("WORKFLOW_ID", "your_actual_workflow_id"),
    ("WORKFLOW_ID", " "),
    ("WORKFLOW_ID", None),
    ("WORKFLOW_ID", True),
    ("WORKFLOW_ID", 7.5),
    ("INPUTS", None),
    ("INPUTS", [("a", 1)]),
    ("INPUTS", "{}"),
    ("INPUTS", {"a": {1, 2}}),
    ("INPUTS", {"a": b"bytes"}),
    ("INPUTS", {("tuple", "key"): 1}),
    ("BOT_ID", ""),
    ("BOT_ID", ["7"]),
    ("APP_ID", 1.5),
    ("CONNECTOR_ID", False),
    ("WORKFLOW_VERSION", 5),
    ("WORKFLOW_VERSION", ""),
    ("EXT", "user_id"),
    ("EXT", {"user_id": 5}),
    ("EXT", ["user_id"]),
    ("API_BASE", "api.coze.cn"),
    ("API_BASE", "ftp://api.coze.cn"),
    ("API_BASE", "https://"),
    ("API_BASE", "https://[::1"),
    ("API_BASE", "http://127.0.0.1:99999"),
    ("API_BASE", "https://api.coze.cn/?a=b"),
    ("API_BASE", None),
]
ONE = [(SYNC, "TIMEOUT", value) for value in (0, -1, "300", None, True, NAN, INF, 10**400)]
ONE += [(ASYNC, name, 0) for name in ("INITIAL_POLL_INTERVAL", "MAX_POLL_INTERVAL", "MAX_POLL_ATTEMPTS")]
ONE += [(ASYNC, "INITIAL_POLL_INTERVAL", NAN), (ASYNC, "MAX_POLL_INTERVAL", INF), (ASYNC, "MAX_POLL_INTERVAL", "30")]
ONE += [(ASYNC, "MAX_POLL_ATTEMPTS", value) for value in (1.5, INF, -3, "9", False)]
ONE += [(ASYNC, "RUN_HISTORY_PATH", value) for value in (None, "", "/v1/{workflow_id}", "/v1/{execute_id}")]


def refused(done, server, *names):
    assert (done.status, done.stdout, done.names, server.requests) == (2, "", [], [])
    problems = [line for line in done.stderr.splitlines() if line.startswith("  - ")]
    assert [line.split()[1] for line in problems] == list(names)


@pytest.mark.parametrize(("name", "value"), BOTH)
def test_unusable_in_both(monkeypatch, name, value):
    for module in (workflow_sync, workflow_async):
        monkeypatch.setattr(module, "YOUR_ACCESS_TOKEN", "t")
        monkeypatch.setattr(module, "WORKFLOW_ID", "w")
        assert module.request_problems() + module.workflow_problems() == []
        monkeypatch.setattr(module, name, value)
        problems = module.request_problems() + module.workflow_problems()
        assert [problem.split()[0] for problem in problems] == [name]


@pytest.mark.parametrize(("script_name", "name", "value"), ONE)
def test_unusable_in_one(monkeypatch, script_name, name, value):
    if script_name == SYNC:
        problems = workflow_sync.number_problems(name, value)
    else:
        assert workflow_async.poll_problems() == []
        monkeypatch.setattr(workflow_async, name, value)
        problems = workflow_async.poll_problems()
    assert [problem.split()[0] for problem in problems] == [name]


@pytest.mark.parametrize(("script_name", "name", "value"), [ONE[0], ONE[8], ONE[-1]])
def test_unusable_in_one_is_told(coze, script, script_name, name, value):
    server = coze()
    refused(script(script_name, server, **{name: value}).run(), server, name)


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_all_problems_at_once(coze, script, name):
    server = coze()
    broken = {"YOUR_ACCESS_TOKEN": "", "BOT_ID": "", "API_BASE": "x", "WORKFLOW_ID": "", "INPUTS": 5}
    refused(script(name, server, **broken).run(), server, *broken)


@pytest.mark.parametrize("number", ["nan", "inf"])
def test_numbers_that_json_does_not_have(coze, script, number):
    server = coze()
    one = script(SYNC, server, INPUTS={"a": [0]})
    text = one.path.read_text(encoding="utf-8").replace("{'a': [0]}", f'{{"a": [float("{number}")]}}')
    one.path.write_text(text, encoding="utf-8")
    refused(one.run(), server, "INPUTS")


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_placeholders_and_empty_environment(coze, script, name):
    server = coze()
    fresh = script(name, server)
    for variable in ("COZE_API_TOKEN", "COZE_WORKFLOW_ID"):
        fresh.environment[variable] = ""
    refused(fresh.run(), server, "YOUR_ACCESS_TOKEN", "WORKFLOW_ID")


def test_empty_api_base_counts_as_unset(script):
    import os
    import subprocess
    import sys

    one = script(SYNC)
    code = "import workflow_sync as w; print(w.API_BASE, w.TIMEOUT, w.INPUTS, w.BOT_ID, w.EXT)"
    command = [sys.executable, "-c", code]
    environment = {**one.environment, "COZE_API_BASE": "", "PYTHONPATH": os.fspath(one.folder)}
    out = subprocess.run(command, cwd=one.folder, env=environment, capture_output=True, text=True, check=True).stdout
    assert out.split() == [
        "https://api.coze.cn",
        "300",
        "{'param1':",
        "'value1',",
        "'param2':",
        "'value2'}",
        "None",
        "None",
    ]


def test_what_is_sent(coze, script):
    server = coze()
    settings = {
        "WORKFLOW_ID": 7400000000000000001,
        "INPUTS": {"问题": "你好 😀", "n": 1, "url": None, "bad": "\ud800"},
        "BOT_ID": 7300000000000000002,
        "APP_ID": " 73 ",
        "EXT": {"user_id": "u1"},
        "WORKFLOW_VERSION": "v0.0.5",
        "CONNECTOR_ID": 1024,
        "API_BASE": f" {server.url}// ",
    }
    assert script(SYNC, server, **settings).run().status == 0
    method, path, headers, body = server.requests[0]
    assert (method, path, headers["Content-Type"]) == ("POST", "/v1/workflow/run", "application/json")
    assert "你好 😀".encode() in body  # 不写成 \\uXXXX：请求体最大 20 MB
    assert json.loads(body) == {
        "workflow_id": "7400000000000000001",
        "parameters": settings["INPUTS"],
        "is_async": False,
        "bot_id": "7300000000000000002",
        "app_id": "73",
        "ext": {"user_id": "u1"},
        "workflow_version": "v0.0.5",
        "connector_id": "1024",
    }


def test_inputs_are_recorded_as_they_are_sent(coze, script):
    server = coze()
    done = script(SYNC, server, INPUTS={True: (1, 2), None: {1: "x"}}).run()
    assert done.record["inputs"] == {"true": [1, 2], "null": {"1": "x"}}
    assert json.loads(server.requests[0][3])["parameters"] == done.record["inputs"]


def test_ids_typed_as_numbers(coze, script):
    server = coze()
    assert script(ASYNC, server, WORKFLOW_ID=7400000000000000001, CONNECTOR_ID=1024).run().status == 0
    assert json.loads(server.requests[0][3])["workflow_id"] == "7400000000000000001"
    assert json.loads(server.requests[0][3])["connector_id"] == "1024"
    assert "/7400000000000000001/" in server.requests[1][1]


@pytest.mark.parametrize(("name", "is_async"), [(SYNC, False), (ASYNC, True)])
def test_unset_options_are_absent(coze, script, name, is_async):
    server = coze()
    assert script(name, server, INPUTS={}).run().status == 0
    assert json.loads(server.requests[0][3]) == {
        "workflow_id": "7400000000000000001",
        "parameters": {},
        "is_async": is_async,
    }
