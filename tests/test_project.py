"""项目的约定：两个脚本逐字相同的部分、依赖、布局、README 里说的。"""

import ast
import itertools
import json
import re
import statistics
import subprocess
import sys
from datetime import datetime, timezone

import pytest
from conftest import ASYNC, BOTH, ROOT, SYNC, edit_settings

import workflow_async

README = (ROOT / "README.md").read_text(encoding="utf-8")
SAMPLES = dict(re.findall(r"<!-- sample: (\w+) -->\n```text\n(.*?)```", README, re.DOTALL))
SOURCES = {name: (ROOT / name).read_text(encoding="utf-8") for name in (SYNC, ASYNC)}
BLOCK = re.compile(
    r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$"
)  # PEP 723 的参考实现


def named(source, *kinds):
    """模块一层的函数、类或赋值 {名字: 源代码}。"""
    nodes = [node for node in ast.parse(source).body if isinstance(node, kinds)]
    names = [
        node.name if hasattr(node, "name") else getattr(node.targets[0], "id", None)
        for node in nodes
    ]
    return {name: ast.get_source_segment(source, node) for name, node in zip(names, nodes) if name}


def test_same_name_same_code():
    """两个脚本里同名的函数、类、配置、表格和话逐字相同；各自的配置就这几个。"""
    kinds = (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)
    one, other = (named(source, *kinds) for source in SOURCES.values())
    assert {name for name in set(one) & set(other) if one[name] != other[name]} == {"main"}
    settings = [
        named(source[: source.index("\n# ======== 信任")], ast.Assign)
        for source in SOURCES.values()
    ]
    assert set(settings[0]) - set(settings[1]) == {"TIMEOUT"}
    polling = {"INITIAL_POLL_INTERVAL", "MAX_POLL_INTERVAL", "MAX_POLL_ATTEMPTS"}
    assert set(settings[1]) - set(settings[0]) == {*polling, "RUN_HISTORY_PATH"}
    others = (ast.Expr, ast.For, ast.Try, ast.With, ast.If)
    rest = [
        [ast.dump(n) for n in ast.parse(s).body[1:] if isinstance(n, others)]
        for s in SOURCES.values()
    ]
    assert rest[0] == rest[1]  # SESSION 的设置，GBK 控制台，和 __main__ 里的


BANDS = ["配置", "信任的核心", "翻译", "说明", "流程"]
# 核心以外能用的名字：不碰外界的内置函数、标准库里纯的部分，和核心自己的几个函数
PURE = (
    "all any bool dict enumerate filter float int isinstance len list map max min range round set"
)
PURE += " sorted str sum tuple type zip repr reversed None True False __doc__ __name__"
PURE += " Exception OSError TypeError ValueError RecursionError KeyboardInterrupt"
PURE += " json re datetime timezone quote math object NamedTuple"
CORE = "Answer NoAnswer RunBody"
FLOW = "argparse os sys SCRIPT IS_COZE choose_setting account_problems post_run upload_file get_history"
FLOW += (
    " wait say ctrl_c_noted quiet_interrupt try_folder write_file read_file find_files rewrite_line"
)
ATTRIBUTES = {"os": {"path", "name", "getcwd", "urandom"}, "sys": {"argv", "exit", "excepthook"}}


def bands(source):
    """五段的源代码 {名字: 源代码}；顺序就是这个。"""
    rules = list(re.finditer("(?m)^# ====.*$", source))
    assert [
        next(b for b in BANDS if rule[0].startswith(f"# ======== {b}")) for rule in rules
    ] == BANDS
    ends = [*(rule.start() for rule in rules[1:]), len(source)]
    return {band: source[rule.start() : end] for band, rule, end in zip(BANDS, rules, ends)}


@BOTH
def test_only_the_trusted_core_touches_the_world(name):
    """核心以外，只出现列出来的名字：新用一个别的，这里就失败。"""
    parts = bands(SOURCES[name])
    settings = set(named(parts["配置"], ast.Assign)) - {"YOUR_ACCESS_TOKEN"}
    known = {*PURE.split(), *CORE.split()}
    assert all(isinstance(node, ast.Assign) for node in ast.parse(parts["配置"]).body)
    for band in "翻译", "说明", "流程":
        tree = ast.parse(parts[band])
        if band == "流程":
            known |= {*FLOW.split(), *settings}
        nodes = list(ast.walk(tree))
        stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        stored |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        stored |= {n.arg for n in nodes if isinstance(n, ast.arg)}
        stored |= {n.name for n in nodes if isinstance(n, ast.ExceptHandler) and n.name}
        loaded = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        assert loaded - stored - known == set()
        assert not any(isinstance(n, (ast.Import, ast.ImportFrom, ast.Global)) for n in nodes)
        known |= set(named(parts[band], ast.FunctionDef, ast.ClassDef, ast.Assign))
        for node in nodes:
            if isinstance(node, ast.Attribute):
                assert not node.attr.startswith("__")
                of = getattr(node.value, "id", None)
                assert of not in ATTRIBUTES or node.attr in ATTRIBUTES[of]
                assert node.attr != "now" or band == "流程"


@BOTH
def test_only_requests_and_the_standard_library(name):
    modules = set(re.findall(r"(?m)^ *(?:from|import) (\w+)", SOURCES[name]))
    allowed = {"requests", "urllib3"}
    assert (
        modules - getattr(sys, "stdlib_module_names", modules - allowed) == allowed
    )  # 3.10 起才有这张表
    (block,) = BLOCK.finditer(SOURCES[name])
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert requirements == ["requests>=2.31", "urllib3>=1.26"]
    assert block["type"] == "script"
    assert (
        block["content"]
        == f'# requires-python = ">=3.8"\n# dependencies = {json.dumps(requirements)}\n'
    )


def test_what_git_sees():
    """运行的结果、令牌和虚拟环境不会提交上去。"""
    listing = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    names = {line.split("/")[0] for line in listing.splitlines() if not line.startswith(".")}
    assert names == {SYNC, ASYNC, "requirements.txt", "README.md", "tests"}
    results = [f"7_20251028T155840.json{end}" for end in ("", ".4711.tmp")]
    paths = [*results, ".env", ".env.x", "venv/x", "__pycache__/x.pyc"]
    command = ["git", "check-ignore", "--no-index", *paths]
    assert (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
        == paths
    )


@BOTH
@pytest.mark.parametrize("setting", ["YOUR_ACCESS_TOKEN", "WORKFLOW_ID", "API_BASE"])
def test_tests_and_stand_in_never_use_what_the_user_filled_in(script, name, setting):
    """用户填好脚本再运行测试，或者再对着替身试：都不能真的运行他的工作流。"""
    one = script(name, **{setting: "https://real.example"})
    one.rewrite("'https://real.example'", '"https://real.example"\nraise SystemExit(9)')
    done = one.run(command=[sys.executable, ROOT / "tests/fake_coze.py", one.path])
    assert (done.status, done.stdout) == (2, "")
    edit_settings(one.path, {})
    assert "real.example" not in one.path.read_text(encoding="utf-8")


def reply_after(text, label):
    return json.JSONDecoder().raw_decode(text[text.index(label) + len(label) :].lstrip())[0]


def shape(text):
    """本机时钟决定的文件名和测试里缩短了的等待，不参加比较。"""
    return re.sub(r"_\d{8}T\d{6}\.json", "_….json", re.sub(r"等待 \S+ 秒", "等待 … 秒", text))


def test_sync_sample(run):
    text = SAMPLES["sync"]
    done = run(SYNC, reply_after(text, "响应结果:"))
    assert (done.status, done.stderr, shape(done.stdout)) == (0, "", shape(text))


def test_async_sample(run):
    """示例有省略（一行 ……）；其余都是真的打印出来的，连头带尾。"""
    text = SAMPLES["async"]
    outputs, page = reply_after(text, "输出结果:"), re.search("（7 天内有效）: (.*)", text).group(1)
    frame, output = (
        {"code": 0, "msg": "", "detail": {"logid": "L1"}},
        json.dumps({"Output": json.dumps(outputs)}),
    )
    updated = datetime.strptime(re.search("更新时间: (.*)", text).group(1), "%Y-%m-%dT%H:%M:%SZ")
    entry = {"debug_url": page, "usage": {"token_count": 150}}
    entry["update_time"] = int(updated.replace(tzinfo=timezone.utc).timestamp())
    states = (
        [],
        [{**entry, "execute_status": "Running"}],
        [{**entry, "execute_status": "Success", "output": output}],
    )
    replies = {"code": 0, "debug_url": page}, *[{**frame, "data": data} for data in states]
    done = run(ASYNC, *replies)
    assert (done.status, done.stderr) == (0, "")
    pattern = ".*".join(re.escape(piece) for piece in shape(text).split("……\n"))
    assert re.fullmatch(pattern, shape(done.stdout), re.DOTALL)


def test_commands():
    for command in (
        "pip install -r requirements.txt && python tests/fake_coze.py workflow_async.py",
        "pip install -r tests/requirements.txt && python -m pytest",
    ):
        assert f"```bash\n{command}\n```" in README
        assert README.splitlines().index(command) < 60
    (path,) = re.findall(r"文件: (\S+)", SAMPLES["async"])
    assert f"python workflow_async.py {path}\n" in README
    assert len(README.splitlines()) <= 270


def test_every_setting_advice_and_status_is_listed():
    cut = [text[: text.index("\n# ======== 信任")] for text in SOURCES.values()]
    settings = [name for text in cut for name in named(text, ast.Assign) if name != "SCRIPT"]
    assert [name for name in settings if f"`{name}`" not in README] == []
    codes = re.search(r"\| code \| .*?\n(.*?)\n\n", README, re.DOTALL).group(1)
    assert [code for code in workflow_async.ADVICE if code not in codes] == []
    timeout = re.search("^TIMEOUT = (.*?)$", SOURCES[SYNC], re.MULTILINE).group(1)
    assert f"`TIMEOUT`（同步） | `{timeout}`" in README


def test_polling_figures():
    """每次等待的秒数，README 里平均的查询次数和结束以后平均多久看到。第一次查询看到 running，状态由此变化一次。"""
    waits = [2, 2]
    while len(waits) < 30:
        waits.append(min(waits[-1] * 1.5, workflow_async.MAX_POLL_INTERVAL))
    assert waits[:10] == [2, 2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30]
    assert workflow_async.INITIAL_POLL_INTERVAL == 2
    moments, ends = [*itertools.accumulate(waits)], range(210, 390)  # 五分钟上下 30 %
    queries = statistics.mean(sum(moment < end for moment in moments) + 1 for end in ends)
    delay = statistics.mean(
        min(moment for moment in moments if moment >= end) - end for end in ends
    )
    assert f"约查询 {queries:.0f} 次，结束后平均 {delay:.0f} 秒看到" in README
