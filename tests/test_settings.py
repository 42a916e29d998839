"""配置检查：发送之前一次说完所有问题，每个都带名字。导入失败、帮助。"""

import json
import re

import pytest
from conftest import ASYNC, BOTH, PYTHON, SYNC, expect
from fake_coze import TOKEN, WORKFLOW_ID

import workflow_async as w

NAN, INF = float("nan"), float("inf")
BAD = [" ", "\n", "\0", "令牌", "é"]  # 请求头里放不下
EMPTY = ["", "  \n", "Bearer ", "''", "<>"]
UNUSABLE = {
    "YOUR_ACCESS_TOKEN": [
        *EMPTY,
        ("pat_SECRET",),
        None,
        12345,
        *map("pat_SECRET{}0123".format, BAD),
    ],
    "API_BASE": ["api.coze.cn", "ftp://api.coze.cn", "https://", None, "http://api.coze.cn"],
    "WORKFLOW_ID": [" ", None, True, 7.5, ("74",)],
    "INPUTS": [
        None,
        [],
        [("a", 1)],
        "{}",
        {"a": {1}},
        {"a": b"b"},
        {("t",): 1},
        {"a": [NAN]},
        {"a": INF},
    ],
}
OWN = {
    SYNC: {"TIMEOUT": [0, -1, "300", None, True, NAN, INF, 10**400, 86401]},
    ASYNC: {
        "INITIAL_POLL_INTERVAL": [0, NAN, 86401],
        "MAX_POLL_INTERVAL": ["30", INF],
        "MAX_POLL_ATTEMPTS": [0, -3, 1.5, "9", False],
        "RUN_HISTORY_PATH": [
            None,
            "/v1/{workflow_id}",
            "/v1/{execute_id}",
            ("{workflow_id}{execute_id}",),
        ],
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
    one = script(name, INPUTS=[], EXT={"user_id": {1}})
    one.environment.update(COZE_API_TOKEN="", COZE_WORKFLOW_ID="", COZE_API_BASE="")
    done = expect(one.run(), 2, "EXT")
    told = re.findall("^  - (\\w+)", done.stderr, re.MULTILINE)
    assert (told, done.stdout) == (["YOUR_ACCESS_TOKEN", "WORKFLOW_ID", "INPUTS", "INPUTS"], "")
    assert done.names == []


SITES = [
    "http://api.coze.cn",
    "HTTP://API.COZE.COM:80/",
    "https://api.coze.cn",
    "https://api.coze.com/",
]


@pytest.mark.parametrize(("name", "base"), [*zip([SYNC, ASYNC] * 2, SITES)])
def test_coze_itself_is_asked_with_https_and_digits(script, name, base):
    page = "https://www.coze.cn/work_flow?space_id=1&workflow_id=74"
    one = script(name, API_BASE=base, WORKFLOW_ID=page, YOUR_ACCESS_TOKEN="pat_x")
    done = expect(one.run(), 2)
    is_clear = base.lower().startswith("http:")
    assert ("API_BASE 要" in done.stderr, "要全是数字" in done.stderr) == (is_clear, True)
    assert ("workflow_id= 后面" in done.stderr, "/workflow/ 后面" in done.stderr) == (True, True)


@BOTH
def test_other_servers_keep_their_freedom(script, coze, name):
    done = script(name, coze({"code": 4200}), WORKFLOW_ID="my-flow").run()
    assert json.loads(done.requests[0][3])["workflow_id"] == "my-flow"
    one = script(name, API_BASE="http://api.coze.cn.example/", WORKFLOW_ID="my-flow", INPUTS=None)
    one.environment["COZE_API_TOKEN"] = "t"
    assert re.findall("^  - (\\w+)", one.run().stderr, re.MULTILINE) == ["INPUTS"]


AROUND = [
    "  {}\r\n",
    "'{}'",
    "‘{}’",
    '"{}"',
    "<{}>",
    "‹{}›",
    "\ufeff{}",
    "\u200b{}\u2060",
    "\u3000{}\xa0",
]


def test_what_pasting_adds_is_taken_off(script, coze, monkeypatch):
    for around in AROUND:
        assert w.choose_setting(around.format("pat_x"), "your_actual_", "MY_TOKEN") == "pat_x"
        monkeypatch.setenv("MY_TOKEN", around.format("pat_x"))
        assert w.choose_setting("your_actual_token", "your_actual_", "MY_TOKEN") == "pat_x"
    settings = {"YOUR_ACCESS_TOKEN": f"<{TOKEN}>", "WORKFLOW_ID": f"'{WORKFLOW_ID}'"}
    one = script(SYNC, coze(), **settings)
    one.environment["COZE_API_BASE"] = f' "{one.server.url}/" '
    assert one.run().status == 0


def test_id_without_quotes_is_a_number(script, coze):
    done = script(SYNC, coze(), WORKFLOW_ID=int(WORKFLOW_ID)).run()
    assert (done.status, done.record["workflow_id"]) == (0, WORKFLOW_ID)


@BOTH
def test_filled_in_line_beats_the_environment(script, coze, name):
    """旧的环境变量不会悄悄换掉令牌、工作流和地址。"""
    server, other = coze(*[{"code": 4200}] * 2), coze()
    one = script(name, server, YOUR_ACCESS_TOKEN="pat_mine", WORKFLOW_ID="77", API_BASE=server.url)
    one.environment.update(other.environment)
    (request,) = one.run().requests
    assert request[2]["Authorization"] == "Bearer pat_mine"
    assert json.loads(request[3])["workflow_id"] == "77"
    one.rewrite("'pat_mine'", "''")
    assert expect(one.run(), 2, "YOUR_ACCESS_TOKEN").requests == [request]
    assert other.requests == []


@BOTH
def test_replace_all_of_an_editor_harms_nothing(script, coze, name):
    """「全部替换」也会改到脚本别的地方：填写了的仍然是填写了的。"""
    server = coze()
    one = script(name, server)
    one.environment = {k: v for k, v in one.environment.items() if not k.startswith("COZE_")}
    one.rewrite("your_actual_access_token", TOKEN)
    one.rewrite("your_actual_workflow_id", WORKFLOW_ID)
    one.rewrite("https://api.coze.cn", server.url)
    assert (one.run().status, server.requests[0][0]) == (0, "POST")


@BOTH
def test_default_address_gives_way_to_the_environment(script, coze, name):
    done = script(name, coze({"code": 4200}), API_BASE="https://api.coze.cn").run()
    assert len(done.requests) == 1


PASTED = """
import sys
sys.argv[1:] = ["-f", "/run/kernel-1.json"]
with open("{}", encoding="utf-8") as file:
    source = file.read().replace("sys.exit(main())", "status = main()")
exec(source, {{"__name__": "__main__"}})
print("the kernel lives on")
"""


@BOTH
def test_pasted_into_a_notebook(script, coze, name):
    """那里没有文件，命令行不是给脚本的；文件夹总要说。"""
    one = script(name, coze())
    done = one.run(command=[PYTHON, "-c", PASTED.format(name)])
    assert (done.status, done.record["status"]) == (0, "completed")
    assert "the kernel lives on" in done.stdout
    assert f"{done.names[0]}\n所在的文件夹: " in done.stdout


def test_seconds(run):
    expect(run(SYNC, TIMEOUT=86400), 0)
    expect(run(ASYNC, MAX_POLL_INTERVAL=86400, INITIAL_POLL_INTERVAL=1e-9), 0)
    assert (w.START_TIMEOUT, w.QUERY_TIMEOUT) == (90, 30)


@BOTH
def test_help(script, name):
    """没有 argparse 的话，--help 会启动一次计费的运行。"""
    done = script(name).run("--help")
    words = [
        "COZE_API_TOKEN",
        "COZE_WORKFLOW_ID",
        "COZE_API_BASE",
        "<run_id>_<created_at>.json",
        "已经发布",
        "权限",
    ]
    words += (
        ["付费版", "接着等", "python workflow_async.py <run_id>_<created_at>.json"]
        if name == ASYNC
        else []
    )
    assert (done.status, done.stderr, [word for word in words if word not in done.stdout]) == (
        0,
        "",
        [],
    )
    statuses = re.findall(r"^  (\d+) ", done.stdout, re.MULTILINE)
    assert statuses == (["0", "1", "2", "3", "130"])
    done = script(name).run("--nonsense")
    assert (done.status, done.stdout) == (2, "")


OLD_URLLIB3 = {
    "requests/__init__.py": "Session = 1",
    "requests/adapters.py": "HTTPAdapter = 1",
    "urllib3/__init__.py": "",
    "urllib3/util/__init__.py": "def Retry(): pass",
}


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
    assert re.search(r'"[^"]*python[^"]*" -m pip install requests "urllib3>=1.26"', done.stderr)
    assert len(done.stderr.splitlines()) == 2
