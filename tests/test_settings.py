"""配置检查：发送之前一次说完所有问题，每个都带名字。导入失败、帮助。"""

import importlib.util
import json
import re
import sys

import pytest
from conftest import ASYNC, BOTH, PYTHON, SYNC, expect
from fake_coze import TOKEN, WORKFLOW_ID

import workflow_async as w

NAN = float("nan")
INF = float("inf")


@pytest.fixture
def import_script(tmp_path, monkeypatch):
    """在测试的进程里导入一份脚本：import_script(one) -> 模块。

    token、workflow、base 是环境变量；没有说到的没有设置。
    """

    def import_script(one, token="", workflow="", base=""):
        monkeypatch.setenv("COZE_API_TOKEN", token)
        monkeypatch.setenv("COZE_WORKFLOW_ID", workflow)
        monkeypatch.setenv("COZE_API_BASE", base)
        monkeypatch.setattr(sys, "argv", [one.path.name])
        monkeypatch.chdir(tmp_path)
        spec = importlib.util.spec_from_file_location("filled_in", one.path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return import_script


@pytest.fixture
def load(script, import_script):
    """改好配置，再导入：load(SYNC, token="t", WORKFLOW_ID="7") -> 模块。"""

    def load(name, token="", workflow="", base="", **settings):
        one = script(name, **settings)
        return import_script(one, token, workflow, base)

    return load


def problems_of(module):
    """脚本启动运行之前会说的，每处一句话。"""
    return [*module.run_problems(), *module.input_problems()]


def first_words(text):
    """每个问题开头的配置名字。"""
    return re.findall(r"^  - (\w+)", text, re.MULTILINE)


NO_TOKENS = ["", "  \n", "Bearer ", "''", "<>", ("pat_SECRET",), None, 12345]
CANNOT_BE_SENT = [" ", "\n", "\0", "令牌", "é"]  # 请求头里放不下
UNUSABLE = {
    "YOUR_ACCESS_TOKEN": [*NO_TOKENS, *map("pat_SECRET{}0123".format, CANNOT_BE_SENT)],
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
UNUSABLE_SYNC = {
    "TIMEOUT": [0, -1, "300", None, True, NAN, INF, 10**400, 86401],
}
UNUSABLE_ASYNC = {
    "INITIAL_POLL_INTERVAL": [0, NAN, 86401],
    "MAX_POLL_INTERVAL": ["30", INF],
    "MAX_POLL_ATTEMPTS": [0, -3, 1.5, "9", False],
    "RUN_HISTORY_PATH": [
        None,
        "/v1/{workflow_id}",
        "/v1/{execute_id}",
        ("{workflow_id}{execute_id}",),
    ],
}
RUN_WITH_EACH_VALUE = """
import re, sys
name = sys.argv.pop(1)
cases = eval(sys.argv.pop(1), {"nan": float("nan"), "inf": float("inf")})
with open(name, encoding="utf-8") as file:
    source = file.read()
for setting, values in cases.items():
    edited = re.sub(f"(?m)^{setting} = .*", f"{setting} = VALUE", source)
    code = compile(edited, name, "exec")
    for value in values:
        space = {"__name__": "script", "VALUE": value}
        exec(code, space)
        print(space["main"](), file=sys.stderr)
"""


@BOTH
def test_unusable_settings_are_named(coze, script, name):
    """每个值都在运行一遍脚本：没有请求，一行话，以配置的名字开头，不含它的值。"""
    cases = {**UNUSABLE, **UNUSABLE_ASYNC}
    if name == SYNC:
        cases = {**UNUSABLE, **UNUSABLE_SYNC}
    command = [PYTHON, "-c", RUN_WITH_EACH_VALUE, name, repr(cases)]
    done = script(name, coze()).run(command=command)
    told = re.findall(r"\n配置有问题，没有发送任何请求:\n  - (\S+) .*\n2\n", done.stderr)
    assert told == [setting for setting, values in cases.items() for _ in values]
    assert done.stdout == ""
    assert done.requests == []
    assert "SECRET" not in done.stderr


@BOTH
def test_all_problems_at_once(load, capsys, tmp_path, name):
    """空的环境变量算作没有设置；没有设置 API_BASE 不是问题。"""
    module = load(name, INPUTS=[], EXT={"user_id": {1}})
    assert module.main() == 2
    printed = capsys.readouterr()
    told = first_words(printed.err)
    assert told == ["YOUR_ACCESS_TOKEN", "WORKFLOW_ID", "INPUTS", "INPUTS"]
    assert "EXT" in printed.err
    assert printed.out == ""
    assert list(tmp_path.glob("*.json")) == []


@BOTH
def test_what_was_not_filled_in_is_not_sent_to_a_server_of_ones_own(load, name):
    module = load(name, base="http://127.0.0.1:9")
    token, workflow = problems_of(module)
    assert token.startswith("YOUR_ACCESS_TOKEN 还没有填写")
    assert workflow.startswith("WORKFLOW_ID 还没有填写")


SITES = {
    "cn_clear": ("http://api.coze.cn", True),
    "com_clear_with_port": ("HTTP://API.COZE.COM:80/", True),
    "cn": ("https://api.coze.cn", False),
    "com": ("https://api.coze.com/", False),
}


@BOTH
@pytest.mark.parametrize("case", SITES)
def test_coze_itself_is_asked_with_https_and_digits(load, name, case):
    base, is_clear = SITES[case]
    page = "https://www.coze.cn/work_flow?space_id=1&workflow_id=74"
    module = load(name, API_BASE=base, WORKFLOW_ID=page, YOUR_ACCESS_TOKEN="pat_x")
    told = "\n".join(problems_of(module))
    assert ("API_BASE 要" in told) == is_clear
    assert "要全是数字" in told
    assert "workflow_id= 后面" in told
    assert "/workflow/ 后面" in told


def test_other_servers_choose_their_ids(script, coze):
    done = script(SYNC, coze({"code": 4200}), WORKFLOW_ID="my-flow").run()
    assert json.loads(done.requests[0][3])["workflow_id"] == "my-flow"


@BOTH
def test_other_servers_may_be_asked_without_https(load, name):
    """开头像 Coze 的地址，不是 Coze。"""
    module = load(name, token="t", API_BASE="http://api.coze.cn.example/", WORKFLOW_ID="my-flow")
    assert problems_of(module) == []


PASTED = {
    "blanks": "  {}\r\n",
    "single_quotes": "'{}'",
    "chinese_quotes": "‘{}’",
    "double_quotes": '"{}"',
    "angle_brackets": "<{}>",
    "angle_quotes": "‹{}›",
    "byte_order_mark": "\ufeff{}",
    "zero_width": "\u200b{}\u2060",
    "wide_blanks": "\u3000{}\xa0",
}


@pytest.mark.parametrize("case", PASTED)
def test_what_pasting_adds_is_taken_off(monkeypatch, case):
    pasted = PASTED[case].format("pat_x")
    assert w.choose_setting(pasted, "your_actual_", "MY_TOKEN") == "pat_x"
    monkeypatch.setenv("MY_TOKEN", pasted)
    assert w.choose_setting("your_actual_token", "your_actual_", "MY_TOKEN") == "pat_x"


def test_pasted_settings_run(script, coze):
    settings = {"YOUR_ACCESS_TOKEN": f"<{TOKEN}>", "WORKFLOW_ID": f"'{WORKFLOW_ID}'"}
    one = script(SYNC, coze(), **settings)
    one.environment["COZE_API_BASE"] = f' "{one.server.url}/" '
    assert one.run().status == 0


@BOTH
def test_id_without_quotes_is_a_number(load, name):
    module = load(name, token="t", WORKFLOW_ID=int(WORKFLOW_ID))
    assert problems_of(module) == []
    assert module.WORKFLOW == WORKFLOW_ID
    body = module.make_body({}, is_async=False).read()
    assert json.loads(body)["workflow_id"] == WORKFLOW_ID


@BOTH
def test_filled_in_line_beats_the_environment(script, coze, name):
    """旧的环境变量不会悄悄换掉令牌、工作流和地址。"""
    server = coze({"code": 4200})
    other = coze()
    one = script(name, server, YOUR_ACCESS_TOKEN="pat_mine", WORKFLOW_ID="77", API_BASE=server.url)
    one.environment.update(other.environment)
    (request,) = one.run().requests
    assert request[2]["Authorization"] == "Bearer pat_mine"
    assert json.loads(request[3])["workflow_id"] == "77"
    assert other.requests == []


@BOTH
def test_emptied_line_beats_the_environment_too(load, name):
    module = load(name, token=TOKEN, workflow="1", YOUR_ACCESS_TOKEN="", WORKFLOW_ID="77")
    (problem,) = problems_of(module)
    assert problem.startswith("YOUR_ACCESS_TOKEN")
    assert TOKEN not in problem


def replace_all(one, server):
    """编辑器的「全部替换」也会改到脚本别的地方。"""
    one.rewrite("your_actual_access_token", TOKEN)
    one.rewrite("your_actual_workflow_id", WORKFLOW_ID)
    one.rewrite("https://api.coze.cn", server.url)


@BOTH
def test_replace_all_of_an_editor_keeps_what_is_filled_in(script, coze, import_script, name):
    server = coze()
    one = script(name)
    replace_all(one, server)
    module = import_script(one)
    assert problems_of(module) == []
    assert (module.TOKEN, module.WORKFLOW, module.BASE) == (TOKEN, WORKFLOW_ID, server.url)


def test_replace_all_of_an_editor_runs(script, coze):
    server = coze()
    one = script(ASYNC)
    replace_all(one, server)
    assert one.run().status == 0
    assert server.requests[0][0] == "POST"


@BOTH
def test_default_address_gives_way_to_the_environment(load, name):
    base = "http://127.0.0.1:8888"
    module = load(name, base=f"{base}/", API_BASE="https://api.coze.cn")
    assert module.BASE == base


IN_A_NOTEBOOK = """
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
    done = one.run(command=[PYTHON, "-c", IN_A_NOTEBOOK.format(name)])
    expect(done, 0, status="completed")
    assert "the kernel lives on" in done.stdout
    assert f"{done.names[0]}\n所在的文件夹: " in done.stdout


SECONDS = {
    "a_day": (SYNC, {"TIMEOUT": 86400}),
    "a_day_or_nothing": (ASYNC, {"MAX_POLL_INTERVAL": 86400, "INITIAL_POLL_INTERVAL": 1e-9}),
}


@pytest.mark.parametrize("case", SECONDS)
def test_seconds_from_almost_nothing_to_a_day(run, case):
    name, settings = SECONDS[case]
    expect(run(name, **settings), 0)


def test_fixed_seconds():
    assert w.START_TIMEOUT == 90
    assert w.QUERY_TIMEOUT == 30


HELP = [
    "COZE_API_TOKEN",
    "COZE_WORKFLOW_ID",
    "COZE_API_BASE",
    "<run_id>_<created_at>.json",
    "已经发布",
    "权限",
]
HELP_OF = {
    SYNC: HELP,
    ASYNC: [*HELP, "付费版", "接着等", "python workflow_async.py <run_id>_<created_at>.json"],
}


@BOTH
def test_help(script, name):
    """没有 argparse 的话，--help 会启动一次计费的运行。"""
    done = expect(script(name).run("--help"), 0)
    assert [word for word in HELP_OF[name] if word not in done.stdout] == []
    statuses = re.findall(r"^  (\d+) ", done.stdout, re.MULTILINE)
    assert statuses == ["0", "1", "2", "3", "130"]


@BOTH
def test_unknown_option_runs_nothing(load, coze, monkeypatch, capsys, name):
    server = coze()
    module = load(name, token=TOKEN, workflow=WORKFLOW_ID, base=server.url)
    monkeypatch.setattr(sys, "argv", [name, "--nonsense"])
    with pytest.raises(SystemExit) as end:
        module.main()
    assert end.value.code == 2
    assert capsys.readouterr().out == ""
    assert server.requests == []


NOT_IMPORTED = {
    "too_old_openssl": (
        SYNC,
        {"requests.py": "raise ImportError('OpenSSL is too old')"},
        "OpenSSL is too old",
    ),
    "file_of_the_user": (ASYNC, {"requests.py": "print(1)"}, "requests"),
    "too_old_urllib3": (  # 1.25 的 Retry 没有 other
        SYNC,
        {
            "requests/__init__.py": "Session = Request = 1",
            "requests/adapters.py": "HTTPAdapter = 1",
            "urllib3/__init__.py": "",
            "urllib3/util/__init__.py": "def Retry(): pass",
        },
        "ssltransport",
    ),
}


@pytest.mark.parametrize("case", NOT_IMPORTED)
def test_import_that_fails_is_told_in_its_own_words(script, tmp_path, case):
    """没有安装，版本不合，或者旁边有用户自己的同名文件。"""
    name, files, word = NOT_IMPORTED[case]
    for path, text in files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    done = expect(script(name).run(), 1, "pip install requests", word)
    assert re.search(r'"[^"]*python[^"]*" -m pip install requests "urllib3>=1.26"', done.stderr)
    assert len(done.stderr.splitlines()) == 2
