"""配置检查：发送之前一次说完所有问题，每个都带名字。导入失败、帮助。"""

import re
import subprocess

import pytest
from conftest import ASYNC, BOTH, PYTHON, SYNC

NAN, INF = float("nan"), float("inf")
BAD = [" ", "\n", "\0", "令牌", "\u200b", '"', "\\", "é"]  # 请求头里放不下，或者 JSON 要转义的
UNUSABLE = {
    "YOUR_ACCESS_TOKEN": [
        "your_actual_access_token",
        "",
        "  \n",
        "Bearer ",
        None,
        12345,
        *map("pat_SECRET{}0123".format, BAD),
    ],
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
CHECK = """
import importlib, sys
sys.path.insert(0, ".")
name, cases = sys.argv[1], eval(sys.argv[2], {"nan": float("nan"), "inf": float("inf")})
source = open(name + ".py", encoding="utf-8").read()
for setting, values in cases.items():
    for value in values:
        lines = [f"{setting} = VALUE" if line.startswith(setting + " = ") else line for line in source.split("\\n")]
        space = {"__name__": "script", "VALUE": value, "sys": sys}
        exec(compile("\\n".join(lines), name, "exec"), space)
        try:
            space["main"]()
        except SystemExit:
            pass
"""


@BOTH
def test_unusable_settings_are_named(coze, script, name):
    """每个值都在运行一遍脚本：没有请求，一行话，以配置的名字开头，不含它的值。"""
    server = coze()
    cases = {**UNUSABLE, **OWN[name]}
    one = script(name, server)
    code = CHECK.replace('space["main"]()', 'sys.argv[1:] = []; print(space["main"](), file=sys.stderr)')
    command = [PYTHON, "-c", code, name[:-3], repr(cases)]
    done = subprocess.run(command, cwd=one.folder, env=one.environment, capture_output=True, check=False)
    text = done.stderr.decode("utf-8").replace("\r\n", "\n")
    told = re.findall(r"\n配置有问题，没有发送任何请求:\n  - (\S+) .*\n2\n", text)
    assert told == [setting for setting, values in cases.items() for _ in values]
    assert (done.stdout, server.requests) == (b"", [])
    assert "SECRET" not in text


@BOTH
def test_all_problems_at_once(coze, script, name):
    server = coze()
    broken = {"YOUR_ACCESS_TOKEN": "", "BOT_ID": "", "API_BASE": "x", "WORKFLOW_ID": "", "INPUTS": {"a": NAN}}
    done = script(name, server, **broken).run()
    assert (done.status, done.stdout, done.names, server.requests) == (2, "", [], [])
    assert re.findall("^  - (\\S+)", done.stderr, re.MULTILINE) == list(broken)


@BOTH
def test_empty_environment_counts_as_unset(script, name):
    one = script(name)
    one.environment.update(COZE_API_TOKEN="", COZE_WORKFLOW_ID="", COZE_API_BASE="")
    done = one.run()
    assert done.status == 2
    assert re.findall("^  - (\\S+)", done.stderr, re.MULTILINE) == ["YOUR_ACCESS_TOKEN", "WORKFLOW_ID"]


def test_shortest_and_longest_seconds(coze, script):
    assert script(SYNC, coze(), TIMEOUT=86400).run().status == 0
    assert script(ASYNC, coze(), MAX_POLL_INTERVAL=86400, INITIAL_POLL_INTERVAL=1e-9).run().status == 0


@BOTH
def test_help(script, name):
    """没有 argparse 的话，--help 会启动一次计费的运行。"""
    done = script(name).run("--help")
    assert (done.status, done.stderr) == (0, "")
    words = ["COZE_API_TOKEN", "COZE_WORKFLOW_ID", "COZE_API_BASE", "<run_id>_<created_at>.json", "已经发布", "权限"]
    words += ["付费版", "接着等", "python workflow_async.py <run_id>_<created_at>.json"] if name == ASYNC else []
    assert [word for word in words if word not in done.stdout] == []
    statuses = re.findall(r"^  (\d+) ", done.stdout, re.MULTILINE)
    assert statuses == (["0", "1", "2", "130"] if name == SYNC else ["0", "1", "2", "3", "130"])
    done = script(name).run("--nonsense")
    assert (done.status, done.stdout) == (2, "")


@BOTH
@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"requests.py": "raise ImportError('OpenSSL is too old')"}, "OpenSSL is too old"),
        ({"requests.py": "print(1)"}, "requests"),
        ({"json.py": ""}, "json"),
        (
            {"requests.py": "Session = 1", "urllib3/__init__.py": "", "urllib3/util/__init__.py": "def Retry(): pass"},
            "ssltransport",
        ),
    ],
)
def test_import_that_fails_is_told_in_its_own_words(script, tmp_path, name, files, words):
    """没有安装，版本不合（urllib3 1.25 的 Retry 没有 other），或者旁边有用户自己的同名文件。"""
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    one = script(name)
    if "json.py" in files:
        one.environment.pop("COVERAGE_PROCESS_START", None)  # 测量覆盖率的工具自己先导入了 json
    done = one.run()
    assert done.status == 1
    assert "pip install requests" in done.stderr
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
