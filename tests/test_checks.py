"""承诺：不能用的设置、不能写的文件夹、不存在的文件、没有改的 INPUTS，发送任何请求之前就说。"""

import os

import pytest
from conftest import ASYNC, BOTH, NOT_RUN, PYTHON, SYNC, expect, success
from fake_coze import TOKEN

SAMPLE = {"param1": "value1", "param2": "value2"}
FILLED_IN = {"YOUR_ACCESS_TOKEN": TOKEN, "WORKFLOW_ID": "7", "INPUTS": {"a": 1}}

# 两个脚本都有的设置，检查它们的是同样的代码：[(设置, 值, 说的话)]
UNUSABLE = [
    ("YOUR_ACCESS_TOKEN", "", "填写"),
    ("YOUR_ACCESS_TOKEN", None, "填写"),
    ("YOUR_ACCESS_TOKEN", "your_actual_access_token", "填写"),
    ("YOUR_ACCESS_TOKEN", f"Bearer {TOKEN}", "空格"),
    ("YOUR_ACCESS_TOKEN", "我的令牌", "中文"),
    ("YOUR_ACCESS_TOKEN", [TOKEN], "引号"),
    ("WORKFLOW_ID", " ", "workflow_id="),
    ("WORKFLOW_ID", "https://x/?workflow_id=7", "workflow_id="),
    ("INPUTS", SAMPLE, "示例"),
    ("INPUTS", '{"a": 1}', "INPUTS"),
    ("INPUTS", {"a": {1}}, "set"),
    ("INPUTS", {"a": float("nan")}, "INPUTS"),
    ("OPTIONS", "bot_id", "OPTIONS"),
    ("FILES", "a.png", "FILES"),
    ("FILES", {"image": "nowhere.png"}, "nowhere.png"),
    ("FILES", {"docs": [SYNC, "nowhere.pdf"]}, "nowhere.pdf"),
    ("FILES", {"image": "."}, "FILES"),
    ("FILES", {"image": 999}, "999"),
    ("API_BASE", "api.coze.cn", "https://"),
    ("API_BASE", "http://api.coze.cn", "https://"),
    ("API_BASE", "HTTP://API.coze.com/", "https://"),
    ("TIMEOUT", 0, "86400"),
    ("TIMEOUT", float("nan"), "86400"),
    ("TIMEOUT", "300", "86400"),
]


@pytest.mark.parametrize(("setting", "value", "words"), UNUSABLE)
def test_unusable_setting_is_told_before_anything_is_sent(script, setting, value, words):
    one = script(SYNC, **{**FILLED_IN, setting: value})
    one.environment.update(http_proxy="http://127.0.0.1:9", https_proxy="http://127.0.0.1:9")
    done = expect(one.run(), 2, "没有发送请求", NOT_RUN, setting, words)
    assert "没有连上" not in done.stderr
    assert TOKEN not in done.stderr


POLLING = [
    ("INITIAL_POLL_INTERVAL", 0),
    ("INITIAL_POLL_INTERVAL", "2"),
    ("MAX_POLL_INTERVAL", float("inf")),
    ("MAX_POLL_ATTEMPTS", None),
    ("MAX_POLL_ATTEMPTS", -1),
    ("RUN_HISTORY_PATH", "v1/{workflow_id}/{execute_id}"),
    ("RUN_HISTORY_PATH", ".evil.example/{execute_id}"),
    ("RUN_HISTORY_PATH", "/v1/history"),
    ("RUN_HISTORY_PATH", 5),
]


@pytest.mark.parametrize(("setting", "value"), POLLING)
def test_polling_is_checked_before_the_run_starts(coze, script, setting, value):
    one = script(ASYNC, coze(), **{setting: value})
    done = expect(one.run(), 2, NOT_RUN, setting)
    assert done.requests == []


@BOTH
def test_all_problems_are_told_at_once(script, name):
    done = script(name, API_BASE="ftp://x", OPTIONS=[]).run()
    expect(done, 2, "YOUR_ACCESS_TOKEN", "WORKFLOW_ID", "API_BASE", "OPTIONS")


@BOTH
def test_replace_all_of_an_editor_fills_in_the_token_too(coze, script, name):
    server = coze(*success(name))
    one = script(name, server, API_BASE=server.url)
    for untouched in ("your_actual_access_token", "your_actual_workflow_id"):
        one.rewrite(untouched, TOKEN)
    expect(one.run(), 0, workflow_id=TOKEN)


@BOTH
def test_sample_inputs_are_inputs_on_a_server_of_ones_own(run, name):
    expect(run(name, *success(name)), 0, inputs=SAMPLE)


@BOTH
@pytest.mark.posix
def test_full_disk_is_found_before_anything_is_sent(coze, script, name):
    done = expect(
        script(name, coze()).run(disk=0),
        2,
        "文件夹不能写",
        NOT_RUN,
    )
    assert done.requests == []


@BOTH
@pytest.mark.posix
def test_folder_that_cannot_be_written_is_found_before_anything_is_sent(coze, script, name):
    one = script(name, coze())
    folder = one.folder / "gone"
    folder.mkdir()
    command = ["sh", "-c", f"rmdir '{folder}'; exec '{PYTHON}' '{one.path}'"]
    one.environment.pop("COVERAGE_PROCESS_START", None)  # 它要当前文件夹
    done = expect(one.run(command=command, cwd=folder), 2, "文件夹不能写", NOT_RUN)
    assert done.requests == []


@BOTH
def test_nothing_is_left_of_the_trial_to_write(run, tmp_path, name):
    done = run(name, *success(name))
    assert sorted(os.listdir(tmp_path)) == sorted([name, *done.names])
