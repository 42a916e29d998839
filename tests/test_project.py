"""项目的约定：两个脚本逐字相同的部分、五段各自碰什么、依赖、布局。"""

import ast
import builtins
import json
import re
import subprocess
import sys

import fake_coze
import pytest
from conftest import ASYNC, BOTH, ROOT, SHIPPED, SYNC, bands, edit_settings

SYNC_SOURCE = (ROOT / SYNC).read_text(encoding="utf-8")
ASYNC_SOURCE = (ROOT / ASYNC).read_text(encoding="utf-8")
SOURCES = {SYNC: SYNC_SOURCE, ASYNC: ASYNC_SOURCE}
ASSIGNMENTS = (ast.Assign, ast.AnnAssign)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
DEFINITIONS = (*FUNCTIONS, ast.ClassDef)
IS_CLONE = (ROOT / ".git").exists()
IN_A_CLONE = pytest.mark.skipif(not IS_CLONE, reason="下载的 ZIP 里没有 .git")


# ---- 读脚本 ----


def source_of(lines, node):
    """这个函数、类或赋值的源代码，连同它的装饰器。"""
    first = node.lineno
    for decorator in getattr(node, "decorator_list", []):
        first = min(first, decorator.lineno)
    return "\n".join(lines[first - 1 : node.end_lineno])


def name_of(node):
    """它的名字；不是给一个名字赋值的是 None。"""
    if isinstance(node, DEFINITIONS):
        return node.name
    if isinstance(node, ast.AnnAssign):
        return getattr(node.target, "id", None)
    return getattr(node.targets[0], "id", None)


def top_level(source, *kinds):
    """模块一层的函数、类或赋值 {名字: 源代码}。"""
    lines = source.splitlines()
    nodes = [node for node in ast.parse(source).body if isinstance(node, kinds)]
    found = {name_of(node): source_of(lines, node) for node in nodes}
    found.pop(None, None)
    return found


def settings_of(source):
    """「配置」一段里的名字。"""
    return set(top_level(bands(source)["配置"], *ASSIGNMENTS))


# ---- 两个脚本 ----


def test_same_name_same_code():
    """两个脚本里同名的函数、类、配置、表格和话逐字相同；用户填写的几项不比。"""
    kinds = [*DEFINITIONS, *ASSIGNMENTS]
    one = top_level(SYNC_SOURCE, *kinds)
    other = top_level(ASYNC_SOURCE, *kinds)
    shared = one.keys() & other.keys()
    different = {name for name in shared if one[name] != other[name]}
    assert different - SHIPPED.keys() == {"main"}


def test_each_script_has_its_own_few_settings():
    of_sync = settings_of(SYNC_SOURCE)
    of_async = settings_of(ASYNC_SOURCE)
    assert of_sync - of_async == {"TIMEOUT"}
    assert of_async - of_sync == {
        "INITIAL_POLL_INTERVAL",
        "MAX_POLL_INTERVAL",
        "MAX_POLL_ATTEMPTS",
        "RUN_HISTORY_PATH",
    }


def other_statements(source):
    """模块一层没有名字的语句：SESSION 的设置，GBK 控制台，和 __main__ 里的。"""
    kinds = (ast.Expr, ast.For, ast.Try, ast.With, ast.If)
    after_docstring = ast.parse(source).body[1:]
    return [ast.dump(node) for node in after_docstring if isinstance(node, kinds)]


def test_statements_without_a_name_are_the_same():
    assert other_statements(SYNC_SOURCE) == other_statements(ASYNC_SOURCE)


# ---- 五段：核心以外，只出现列出来的名字；新用一个别的，这里就失败 ----

# 不碰外界的内置函数、标准库里纯的部分
PURE = """
    all any bool dict enumerate filter float int isinstance len list map max min
    range repr reversed round set sorted str sum tuple type zip object
    None True False __doc__ __name__
    Exception OSError TypeError ValueError RecursionError KeyboardInterrupt
    json re datetime timezone quote math NamedTuple
"""
# 核心里哪一段都能用的类
CORE_CLASSES = "Answer NoAnswer RunBody"
# 核心里只有流程能用的函数，和它用的标准库
CORE_FUNCTIONS = """
    SCRIPT IS_COZE choose_setting account_problems
    post_run upload_file get_history wait say rewrite_line
    ctrl_c_noted quiet_interrupt try_folder write_file read_file find_files
"""
FLOW_MODULES = "argparse os sys"
# 这些模块里能用的
MODULE_ATTRIBUTES = {
    "os": {"path", "name", "getcwd", "urandom"},
    "sys": {"argv", "exit", "excepthook"},
}
OUTSIDE_THE_CORE = ["翻译", "说明", "流程"]
TRANSLATION = pytest.param("翻译", id="translation")
EXPLANATION = pytest.param("说明", id="explanation")
FLOW = pytest.param("流程", id="flow")
BAND = pytest.mark.parametrize("band", [TRANSLATION, EXPLANATION, FLOW])


def nodes_of(name, band):
    """一个脚本的一段里所有的语法节点。"""
    source = bands(SOURCES[name])[band]
    return list(ast.walk(ast.parse(source)))


def names(nodes, context):
    """被使用（ast.Load）或者被赋值（ast.Store）的变量。"""
    variables = [node for node in nodes if isinstance(node, ast.Name)]
    return {node.id for node in variables if isinstance(node.ctx, context)}


def names_made(nodes):
    """这一段自己的名字：变量、函数、类、参数、接住的错误。"""
    definitions = {node.name for node in nodes if isinstance(node, DEFINITIONS)}
    arguments = {node.arg for node in nodes if isinstance(node, ast.arg)}
    errors = {node.name for node in nodes if isinstance(node, ast.ExceptHandler)}
    return names(nodes, ast.Store) | definitions | arguments | errors


def names_before(name, band):
    """这一段以前、核心以外的各段，模块一层的名字。"""
    found = set()
    parts = bands(SOURCES[name])
    for earlier in OUTSIDE_THE_CORE[: OUTSIDE_THE_CORE.index(band)]:
        found |= top_level(parts[earlier], *DEFINITIONS, *ASSIGNMENTS).keys()
    return found


def names_for_the_flow(name):
    """只有流程能用的：核心的函数，和令牌以外的配置。"""
    settings = settings_of(SOURCES[name]) - {"YOUR_ACCESS_TOKEN"}
    return {*CORE_FUNCTIONS.split(), *FLOW_MODULES.split(), *settings}


def names_allowed(name, band):
    pure = {*PURE.split(), *CORE_CLASSES.split()}
    allowed = pure | names_before(name, band)
    if band == "流程":
        allowed |= names_for_the_flow(name)
    return allowed


@BOTH
@BAND
def test_band_uses_only_the_names_it_may(name, band):
    nodes = nodes_of(name, band)
    foreign = names(nodes, ast.Load) - names_made(nodes)
    forbidden = foreign - names_allowed(name, band)
    assert forbidden == set()


@BOTH
@BAND
def test_band_hides_no_name_of_python_and_the_core(name, band):
    """不然一个叫 open 的变量，会让别处真的 open 也算是它自己的名字。"""
    core = top_level(bands(SOURCES[name])["信任的核心"], *DEFINITIONS, *ASSIGNMENTS)
    made = names_made(nodes_of(name, band))
    assert made & {*dir(builtins), *core} == set()


@BOTH
@BAND
def test_band_imports_nothing(name, band):
    """也不改动别的段的变量。"""
    kinds = (ast.Import, ast.ImportFrom, ast.Global)
    nodes = nodes_of(name, band)
    assert not any(isinstance(node, kinds) for node in nodes)


def attributes(name, band):
    """这一段里每个 a.b 的 (a, b)；a 不是一个名字时是 None。"""
    nodes = nodes_of(name, band)
    found = [node for node in nodes if isinstance(node, ast.Attribute)]
    owners = [getattr(node.value, "id", None) for node in found]
    return {(owner, node.attr) for owner, node in zip(owners, found)}


@BOTH
@BAND
def test_band_uses_no_hidden_attribute(name, band):
    """例如 __globals__、__builtins__。"""
    used = {attribute for _, attribute in attributes(name, band)}
    hidden = {attribute for attribute in used if attribute.startswith("__")}
    assert hidden == set()


@BOTH
@BAND
def test_band_uses_only_a_few_things_of_a_module(name, band):
    used = attributes(name, band)
    for module, allowed in MODULE_ATTRIBUTES.items():
        of_module = {attribute for owner, attribute in used if owner == module}
        assert of_module - allowed == set()


@BOTH
@pytest.mark.parametrize("band", [TRANSLATION, EXPLANATION])
def test_pure_band_has_no_clock(name, band):
    used = {attribute for _, attribute in attributes(name, band)}
    assert "now" not in used


@BOTH
def test_settings_are_assignments_alone(name):
    statements = ast.parse(bands(SOURCES[name])["配置"]).body
    assert all(isinstance(statement, ast.Assign) for statement in statements)


# ---- 依赖和布局 ----

# PEP 723 的参考实现
BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")
REQUIREMENTS = ["requests>=2.31", "urllib3>=1.26"]


@BOTH
def test_only_requests_and_the_standard_library(name):
    modules = set(re.findall(r"(?m)^ *(?:from|import) (\w+)", SOURCES[name]))
    allowed = {"requests", "urllib3"}
    standard = getattr(sys, "stdlib_module_names", modules - allowed)  # 3.10 起才有这张表
    assert modules - standard == allowed


@BOTH
def test_script_names_what_it_needs(name):
    """uv 和 pipx 读脚本开头的那一块。"""
    (block,) = BLOCK.finditer(SOURCES[name])
    dependencies = json.dumps(REQUIREMENTS)
    assert block["type"] == "script"
    assert block["content"].splitlines() == [
        '# requires-python = ">=3.8"',
        f"# dependencies = {dependencies}",
    ]


def test_requirements_are_the_same():
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    assert requirements.splitlines() == REQUIREMENTS


def git(*arguments):
    """git 打印的各行。"""
    printed = subprocess.check_output(["git", *arguments], cwd=ROOT, text=True)
    return printed.splitlines()


@IN_A_CLONE
def test_files_of_the_project():
    listing = [path for path in git("ls-files") if not path.startswith(".")]
    first_parts = {path.split("/")[0] for path in listing}
    assert first_parts == {SYNC, ASYNC, "requirements.txt", "README.md", "tests"}


@IN_A_CLONE
def test_what_git_ignores():
    """运行的结果、令牌和虚拟环境不会提交上去。"""
    result = "7_20251028T155840.json"
    caches = ["venv/x", "__pycache__/x.pyc"]
    paths = [result, f"{result}.4711.tmp", ".env", ".env.x", *caches]
    assert git("check-ignore", "--no-index", *paths) == paths


# ---- 用户填好脚本再运行测试，或者再对着替身试：都不能真的运行他的工作流 ----


@pytest.fixture
def filled_in(script):
    """填写了一项的脚本；真的运行它，退出状态是 9：filled_in(SYNC, "API_BASE")。"""

    def filled_in(name, setting):
        one = script(name, **{setting: "https://real.example"})
        runs = '"https://real.example"\nraise SystemExit(9)'
        one.rewrite("'https://real.example'", runs)
        return one

    return filled_in


ACCOUNT = pytest.mark.parametrize("setting", ["YOUR_ACCESS_TOKEN", "WORKFLOW_ID", "API_BASE"])


@BOTH
@ACCOUNT
def test_stand_in_never_runs_a_script_that_is_filled_in(filled_in, capsys, name, setting):
    one = filled_in(name, setting)
    assert fake_coze.main([str(one.path)]) == 2
    assert capsys.readouterr().out == ""


def test_stand_in_refuses_on_the_command_line(filled_in):
    one = filled_in(SYNC, "WORKFLOW_ID")
    stand_in = ROOT / "tests/fake_coze.py"
    done = one.run(command=[sys.executable, stand_in, one.path])
    assert done.status == 2
    assert done.stdout == ""


@BOTH
@ACCOUNT
def test_tests_never_use_what_the_user_filled_in(filled_in, name, setting):
    one = filled_in(name, setting)
    edit_settings(one.path, {})
    assert "real.example" not in one.path.read_text(encoding="utf-8")
