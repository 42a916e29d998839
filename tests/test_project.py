"""项目的约定：两个脚本逐字相同的部分、依赖、布局、README 里说的、评测里的计算。"""

import ast
import json
import re
import subprocess
import sys
from datetime import datetime, timezone

import benchmark
import pytest
from conftest import ASYNC, BOTH, ROOT, SYNC, edit_settings

import workflow_async

README = (ROOT / "README.md").read_text(encoding="utf-8")
SOURCES = {name: (ROOT / name).read_text(encoding="utf-8") for name in (SYNC, ASYNC)}
BLOCK = re.compile(r"(?m)^# /// (?P<type>[a-zA-Z0-9-]+)$\s(?P<content>(^#(| .*)$\s)+)^# ///$")  # PEP 723 的参考实现


def definitions(name):
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {
        n.name: ast.get_source_segment(SOURCES[name], n) for n in ast.parse(SOURCES[name]).body if isinstance(n, kinds)
    }


def test_same_name_same_code():
    one, other = definitions(SYNC), definitions(ASYNC)
    shared = set(one) & set(other) - {"main"}
    assert set(one) - shared == {"main"}
    assert [name for name in shared if one[name] != other[name]] == []


def test_same_setting_same_default():
    """两个脚本共有的配置、表格和话也一样；各自的就这几个。"""
    one, other = [
        {n.targets[0].id: ast.get_source_segment(SOURCES[name], n) for n in ast.parse(SOURCES[name]).body if is_name(n)}
        for name in (SYNC, ASYNC)
    ]
    shared = set(one) & set(other) - {"ASYNC_SCRIPT", "MAYBE_RUNNING"}
    assert [name for name in shared if one[name] != other[name]] == []
    assert set(one) - set(other) == {"TIMEOUT"}
    polling = {"INITIAL_POLL_INTERVAL", "MAX_POLL_INTERVAL", "MAX_POLL_ATTEMPTS", "RUN_HISTORY_PATH"}
    words = {"START_TIMEOUT", "QUERY_TIMEOUT", "CHECK_HISTORY_PATH", "PROGRESS", "TIMES", "PATH", "POLL_RULES"}
    assert set(other) - set(one) == polling | words


def is_name(node):
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)


@BOTH
def test_only_requests_and_the_standard_library(name):
    modules = set()
    for node in ast.walk(ast.parse(SOURCES[name])):
        modules |= {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
        modules |= {node.module} if isinstance(node, ast.ImportFrom) else set()
    assert {module for module in modules if module.startswith(("requests", "urllib3"))} == {"requests", "urllib3.util"}
    assert not {module for module in modules if (ROOT / f"{module}.py").exists()}
    (block,) = BLOCK.finditer(SOURCES[name])
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    assert requirements == ["requests>=2.31", "urllib3>=1.26"]
    assert block["type"] == "script"
    assert block["content"] == f'# requires-python = ">=3.8"\n# dependencies = {json.dumps(requirements)}\n'


def test_top_level():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = {line.split("/")[0] for line in listing.splitlines() if not line.startswith(".")}
    assert names <= {SYNC, ASYNC, "requirements.txt", "README.md", "tests"}


@pytest.mark.parametrize(
    "path",
    ["7_20251028T155840.json", "7_20251028T155840.json.4711.tmp", ".env", ".env.x", "venv/x", "__pycache__/x.pyc"],
)
def test_git_ignores(path):
    command = ["git", "check-ignore", "-q", "--no-index", path]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@BOTH
def test_tests_and_stand_in_never_use_what_the_user_filled_in(tmp_path, name):
    """用户填好脚本再运行测试，或者再对着替身试：都不能真的运行他的工作流。"""
    path = tmp_path / name
    filled = SOURCES[name].replace('os.environ.get("COZE_', 'str("https://real.example/') + "\nraise SystemExit(9)\n"
    path.write_text(filled, encoding="utf-8")
    process = subprocess.run([sys.executable, ROOT / "tests/fake_coze.py", path], capture_output=True, check=False)
    assert (process.returncode, process.stdout) == (2, b"")
    edit_settings(path, {})
    assert (
        path.read_text(encoding="utf-8")
        == SOURCES[name]
        .replace("  # 工作流页面地址里的数字", "")
        .replace("  # 输入参数，名称与工作流「开始」节点的一致", "")
        + "\nraise SystemExit(9)\n"
    )


# ---------------------------------- README ----------------------------------


def sample(name):
    return re.search(rf"<!-- sample: {name} -->\n```text\n(.*?)```", README, re.DOTALL).group(1)


def reply_after(text, label):
    return json.JSONDecoder().raw_decode(text[text.index(label) + len(label) :].lstrip())[0]


def shape(text):
    """本机时钟决定的文件名、测试里缩短了的等待和随机的 logid，不参加比较。"""
    text = re.sub(r"_\d{8}T\d{6}\.json", "_….json", re.sub(r"等待 \S+ 秒", "等待 … 秒", text))
    return re.sub(r'"logid": "\w+"', '"logid": "…"', text)


def test_sync_sample(coze, script):
    text = sample("sync")
    done = script(SYNC, coze(reply_after(text, "响应结果:"))).run(stderr=subprocess.STDOUT)
    assert (done.status, shape(done.stdout)) == (0, shape(text))


def test_async_sample(coze, script):
    """示例有省略（一行 ……）；其余都是真的打印出来的，连头带尾。"""
    text = sample("async")
    outputs, page = reply_after(text, "输出结果:"), re.search("（7 天内有效）: (.*)", text).group(1)
    frame, output = {"code": 0, "msg": "", "detail": {"logid": "L1"}}, json.dumps({"Output": json.dumps(outputs)})
    updated = datetime.strptime(re.search("更新时间: (.*)", text).group(1), "%Y-%m-%dT%H:%M:%SZ")
    entry = {"debug_url": page, "usage": {"token_count": 150}}
    entry["update_time"] = int(updated.replace(tzinfo=timezone.utc).timestamp())
    states = [], [{**entry, "execute_status": "Running"}], [{**entry, "execute_status": "Success", "output": output}]
    replies = {"code": 0, "debug_url": page}, *[{**frame, "data": data} for data in states]
    done = script(ASYNC, coze(*replies)).run(stderr=subprocess.STDOUT)
    assert done.status == 0
    pattern = ".*".join(re.escape(piece) for piece in shape(text).split("……\n"))
    assert re.fullmatch(pattern, shape(done.stdout), re.DOTALL)


def test_commands():
    for command in (
        "pip install -r requirements.txt && python tests/fake_coze.py workflow_async.py",
        "pip install -r tests/requirements.txt && python -m pytest",
    ):
        assert f"```bash\n{command}\n```" in README
        assert README.splitlines().index(command) < 60
    (path,) = re.findall(r"文件: (\S+)", sample("async"))
    assert f"python workflow_async.py {path}\n" in README
    assert len(README.splitlines()) <= 230


def test_every_setting_advice_and_status_is_listed():
    settings = [
        name
        for text in SOURCES.values()
        for name in re.findall(r"^([A-Z_]+) = ", text[: text.index("TOKEN = re")], re.MULTILINE)
    ]
    assert [name for name in settings if f"`{name}`" not in README] == []
    codes = re.search(r"\| code \| .*?\n(.*?)\n\n", README, re.DOTALL).group(1)
    assert [code for code in {*workflow_async.HINTS, *workflow_async.REFUSED} if code not in codes] == []
    assert f"`TIMEOUT`（同步） | `{re.search('^TIMEOUT = (.*?)  #', SOURCES[SYNC], re.MULTILINE).group(1)}`" in README


# ----------------------------------- 评测 -----------------------------------


def test_intervals():
    intervals, interval = [], workflow_async.INITIAL_POLL_INTERVAL
    for changed in [False] * 8 + [True]:
        interval = workflow_async.next_interval(interval, changed)
        intervals.append(interval)
    assert intervals == [3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30, 2]


def test_polling_figures():
    waits = [2, 2, 3, 4.5, 6.75, 10.125, 15.1875, 22.78125, 30, 30]
    for seconds, expected in {1: (1, 1), 4: (2, 0), 5: (3, 2), 100: (len(waits), sum(waits) - 100)}.items():
        assert benchmark.polling(seconds, workflow_async.next_interval, 2) == expected
    queries, delay = benchmark.polling_means(60, lambda interval, changed: 1, 1)
    assert (queries, delay) == (pytest.approx(60.5, abs=0.1), pytest.approx(0.5, abs=0.1))
