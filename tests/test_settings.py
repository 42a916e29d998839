"""配置检查：发送之前一次说完所有问题，每个都带名字。导入失败、帮助。"""

import re

import pytest
from conftest import ASYNC, BOTH, PYTHON, SYNC, expect

import workflow_async as w

NAN, INF = float("nan"), float("inf")
BAD = [" ", "\n", "\0", "令牌", "\u200b", '"', "\\", "é"]  # 请求头里放不下，或者 JSON 要转义的
EMPTY = ["your_actual_access_token", "", "  \n", "Bearer ", None, 12345]
UNUSABLE = {
    "YOUR_ACCESS_TOKEN": [*EMPTY, *map("pat_SECRET{}0123".format, BAD)],
    "BOT_ID": ["", ["7"], False],
    "APP_ID": [1.5, 0],
    "WORKFLOW_VERSION": [" "],
    "CONNECTOR_ID": [{}],
    "EXT": ["user_id", {"user_id": {1}}, {"a": NAN}],
    "API_BASE": ["api.coze.cn", "ftp://api.coze.cn", "https://", None],
    "WORKFLOW_ID": ["your_actual_workflow_id", " ", None, True, 7.5],
    "INPUTS": [None, [("a", 1)], "{}", {"a": {1}}, {"a": b"b"}, {("t",): 1}, {"a": [NAN]}, {"a": INF}],
}
OWN = {
    SYNC: {"TIMEOUT": [0, -1, "300", None, True, NAN, INF, 10**400, 86401]},
    ASYNC: {
        "INITIAL_POLL_INTERVAL": [0, NAN, 86401],
        "MAX_POLL_INTERVAL": ["30", INF],
        "MAX_POLL_ATTEMPTS": [0, -3, 1.5, "9", False],
        "RUN_HISTORY_PATH": [None, "/v1/{workflow_id}", "/v1/{execute_id}", ("{workflow_id}{execute_id}",)],
    },
}
RUN_EACH = """
import re, sys
name, cases = sys.argv.pop(1), eval(sys.argv.pop(1), {"nan": float("nan"), "inf": float("inf")})
source = open(name, encoding="utf-8").read()
for setting, values in cases.items():
    for value in values:
        space = {"__name__": "script", "VALUE": value}
        exec(compile(re.sub(f"(?m)^{setting} = .*", f"{setting} = VALUE", source), name, "exec"), space)
        print(space["main"](), file=sys.stderr)
"""


@BOTH
def test_unusable_settings_are_named(coze, script, name):
    """每个值都在运行一遍脚本：没有请求，一行话，以配置的名字开头，不含它的值。"""
    cases = {**UNUSABLE, **OWN[name]}
    done = script(name, coze()).run(command=[PYTHON, "-c", RUN_EACH, name, repr(cases)])
    told = re.findall(r"\n配置有问题，没有发送任何请求:\n  - (\S+) .*\n2\n", done.stderr)
    assert told == [setting for setting, values in cases.items() for _ in values]
    assert (done.stdout, done.requests, "SECRET" in done.stderr) == ("", [], False)


@BOTH
def test_all_problems_at_once(script, name):
    """空的环境变量算作没有设置；没有设置 API_BASE 不是问题。"""
    one = script(name, BOT_ID="", INPUTS={"a": NAN})
    one.environment.update(COZE_API_TOKEN="", COZE_WORKFLOW_ID="", COZE_API_BASE="")
    done = expect(one.run(), 2)
    told = re.findall("^  - (\\S+)", done.stderr, re.MULTILINE)
    assert (told, done.stdout, done.names) == (["YOUR_ACCESS_TOKEN", "BOT_ID", "WORKFLOW_ID", "INPUTS"], "", [])


def test_seconds(run):
    expect(run(SYNC, TIMEOUT=86400), 0)
    expect(run(ASYNC, MAX_POLL_INTERVAL=86400, INITIAL_POLL_INTERVAL=1e-9), 0)
    assert (w.START_TIMEOUT, w.QUERY_TIMEOUT, w.CONNECT_TIMEOUT) == (90, 30, 10)


@BOTH
def test_help(script, name):
    """没有 argparse 的话，--help 会启动一次计费的运行。"""
    done = script(name).run("--help")
    words = ["COZE_API_TOKEN", "COZE_WORKFLOW_ID", "COZE_API_BASE", "<run_id>_<created_at>.json", "已经发布", "权限"]
    words += ["付费版", "接着等", "python workflow_async.py <run_id>_<created_at>.json"] if name == ASYNC else []
    assert (done.status, done.stderr, [word for word in words if word not in done.stdout]) == (0, "", [])
    statuses = re.findall(r"^  (\d+) ", done.stdout, re.MULTILINE)
    assert statuses == (["0", "1", "2", "130"] if name == SYNC else ["0", "1", "2", "3", "130"])
    done = script(name).run("--nonsense")
    assert (done.status, done.stdout) == (2, "")


OLD_URLLIB3 = {"requests.py": "Session = 1", "urllib3/__init__.py": "", "urllib3/util/__init__.py": "def Retry(): pass"}


@BOTH
@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"requests.py": "raise ImportError('OpenSSL is too old')"}, "OpenSSL is too old"),
        ({"requests.py": "print(1)"}, "requests"),
        (OLD_URLLIB3, "ssltransport"),
    ],
)
def test_import_that_fails_is_told_in_its_own_words(script, tmp_path, name, files, words):
    """没有安装，版本不合（urllib3 1.25 的 Retry 没有 other），或者旁边有用户自己的同名文件。"""
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    done = expect(script(name).run(), 1, "pip install requests", words)
    assert len(done.stderr.splitlines()) == 1
