"""README 里说的是真的：命令、示例、小脚本、列出来的配置和错误码、数字。"""

import ast
import itertools
import json
import os
import re
import signal
import statistics
import time

import pytest
from conftest import PYTHON, ROOT, SYNC, bands, expect, success

import workflow_async
import workflow_sync

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = README.splitlines()
SAMPLE = re.compile(r"(?s)<!-- sample: sync -->\n```text\n……\n(.*?)```")
ROWS = re.search(r"(?s)```python\n(import csv, .*?)```", README)[1]
FROM_A_FILE = 'INPUTS = json.loads(open("inputs.json", "rb").read())'


def test_it_is_short():
    assert len(LINES) <= 230, "合并或者删掉少有人看的一行"


def test_demo_comes_before_filling_in():
    demo = "pip install -r requirements.txt && python tests/fake_coze.py workflow_async.py"
    assert f"```bash\n{demo}\n```" in README
    assert LINES.index(demo) < 70
    assert LINES.index(demo) < LINES.index("## 第 6 步：填三项，保存（Ctrl+S）")


def test_command_that_runs_the_tests():
    command = "pip install -r tests/requirements.txt && python -m pytest"
    assert f"```bash\n{command}\n```" in README


def test_what_windows_users_type_has_no_double_ampersand():
    """PowerShell 5 没有 &&。"""
    blocks = re.findall(r"```powershell\n(.*?)```", README, re.DOTALL)
    assert blocks
    assert not any("&&" in block for block in blocks)


def test_last_lines_of_a_sync_run(run):
    """示例的开头省略了（一行 ……），其余都是真的打印出来的；只有文件名里的时间不同。"""
    sample = SAMPLE.search(README)[1]
    run_id = re.search(r"(\d+)_\d{8}T\d{6}\.json", sample)[1]
    page = re.search("（7 天内有效）: (.*)", sample)[1]
    reply = {"code": 0, "data": '{"output": "来自本地替身的回答"}', "execute_id": run_id}
    reply.update(debug_url=page, usage={"token_count": 150})
    done = expect(run(SYNC, reply), 0)
    shown = re.sub(r"_\d{8}T\d{6}", "_time", done.stdout)
    assert shown.endswith(re.sub(r"_\d{8}T\d{6}", "_time", sample))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_inputs_from_a_file_that_notepad_wrote(coze, script, tmp_path, encoding):
    assert FROM_A_FILE in README
    one = script(SYNC, coze())
    one.rewrite('INPUTS = {"param1": "value1", "param2": "value2"}', FROM_A_FILE)
    text = '{"question": "你好", "search": true}'
    (tmp_path / "inputs.json").write_text(text, encoding=encoding)
    process = one.start()
    process.communicate(timeout=40)
    assert process.returncode == 0
    assert parameters(one.server) == [{"question": "你好", "search": True}]


def parameters(server):
    """服务器收到的各次运行的输入。"""
    return [json.loads(body)["parameters"] for *_, body in server.requests]


@pytest.fixture
def table(coze, script, tmp_path):
    """rows.py 和两行的表格：table(reply, …) -> Script。"""

    def prepare(*replies):
        one = script(SYNC, coze(*replies))
        one.rewrite('INPUTS = {"param1": "value1", "param2": "value2"}', FROM_A_FILE)
        (tmp_path / "rows.py").write_text(ROWS, encoding="utf-8")
        rows = "question,n\r\n你好,1\r\n再见,2\r\n"
        (tmp_path / "rows.csv").write_bytes(rows.encode("utf-8-sig"))
        return one

    return prepare


def test_each_row_of_a_table_is_a_run(table):
    one = table()
    process = one.start(command=[PYTHON, "rows.py"])
    process.communicate(timeout=60)
    assert process.returncode == 0
    first = {"question": "你好", "n": "1"}
    second = {"question": "再见", "n": "2"}
    assert parameters(one.server) == [first, second]


def test_row_that_fails_is_the_last(table):
    one = table({"code": 4000, "msg": "no"})
    process = one.start(command=[PYTHON, "rows.py"])
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "第 2 行没有成功，后面的没有运行" in stderr.decode("utf-8")
    assert len(one.server.requests) == 1


@pytest.mark.posix
def test_ctrl_c_leaves_the_row_its_result(table):
    """终端把 Ctrl-C 也发给 rows.py，它不能在写文件的半秒里结束脚本。"""
    one = table(*success(SYNC, "{}"))
    flush = "            file.flush()\n"
    one.rewrite(flush, f"{flush}            time.sleep(0.5)\n")
    process = one.start(command=[PYTHON, "rows.py"], until=1)
    time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert len(list(one.folder.glob("7_*.json"))) == 1
    assert len(one.server.requests) == 1


def test_text_out_of_a_result(coze, script):
    one = script(SYNC, coze(*success(SYNC, '{"output": "你好"}')))
    (name,) = one.run().names
    code = re.search('`python -c "(.*?)"`', README)[1]
    code = code.replace("文件名.json", name)
    process = one.start(command=[PYTHON, "-c", code])
    stdout, _ = process.communicate(timeout=40)
    assert stdout.decode("utf-8").strip() == "你好"


def settings_of(module):
    """脚本配置那一段里的各项。"""
    source = (ROOT / f"{module.__name__}.py").read_text(encoding="utf-8")
    settings = ast.parse(bands(source)["配置"]).body
    return [setting.targets[0].id for setting in settings]


@pytest.mark.parametrize("module", [workflow_sync, workflow_async])
def test_every_setting_is_listed(module):
    settings = settings_of(module)
    assert "FILES" in settings
    for name in settings:
        assert f"`{name}`" in README


def test_every_error_code_is_listed():
    table = re.search(r"(?s)\| code \| .*?\n(.*?)\n\n", README)[1]
    first_column = re.findall(r"(?m)^\| (.*?) \|", table)
    listed = re.findall(r"\d+", " ".join(first_column))
    assert sorted(listed) == sorted(workflow_async.ADVICE)


def test_every_state_is_listed():
    states = {"pending", *workflow_async.STATUSES.values()}
    for state in states:
        assert f"`{state}`（" in README


def test_default_timeout():
    assert f"`TIMEOUT`（同步） | `{workflow_sync.TIMEOUT}`" in README


def backoff_factor():
    """脚本里，间隔每次乘多少。"""
    source = (ROOT / "workflow_async.py").read_text(encoding="utf-8")
    found = re.search(r"interval \* ([\d.]+)", source)
    assert found, "poll 里没有「interval * 一个数」了"
    return float(found[1])


def growing_waits(count):
    """状态不变时，前 count 次查询之前各等几秒。"""
    factor = backoff_factor()
    waits = [workflow_async.INITIAL_POLL_INTERVAL]
    while len(waits) < count:
        waits.append(min(waits[-1] * factor, workflow_async.MAX_POLL_INTERVAL))
    return waits


def test_default_intervals():
    """默认的间隔和次数，一共等多久。"""
    first = workflow_async.INITIAL_POLL_INTERVAL
    longest = workflow_async.MAX_POLL_INTERVAL
    count = workflow_async.MAX_POLL_ATTEMPTS
    waits = growing_waits(count)
    assert f"每次乘 {backoff_factor():g}" in README
    row = f"`MAX_POLL_INTERVAL`（异步） | `{first}`、`{longest}` |"
    assert row in README
    assert f"`MAX_POLL_ATTEMPTS`（异步） | `{count}` |" in README
    assert README.count(f"约 {sum(waits) / 60:.0f} 分钟") == 2


def test_polling_figures():
    """平均查询几次，结束以后平均多久看到：五分钟上下 30 % 的运行，第一次查询看到 running。"""
    first = workflow_async.INITIAL_POLL_INTERVAL
    waits = [first, *growing_waits(29)]  # 状态由 pending 变成 running，间隔回到开头
    moments = list(itertools.accumulate(waits))
    queries = []
    delays = []
    for end in range(210, 390):
        seen = min(moment for moment in moments if moment >= end)
        queries.append(moments.index(seen) + 1)
        delays.append(seen - end)
    count = f"约查询 {statistics.mean(queries):.0f} 次"
    assert f"{count}，结束后平均 {statistics.mean(delays):.0f} 秒看到" in README
