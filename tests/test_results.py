"""收到的结果不会丢：原子保存、屏幕、控制台、20 MB。"""

import json
import os
import re
import subprocess
import sys

import pytest
from conftest import ASYNC, BOTH, MB, PYTHON, SYNC, expect, success, wait_for
from fake_coze import Reply


@pytest.mark.posix
def test_nobody_ever_sees_a_half_written_file(coze, script, tmp_path):
    """盯着文件的大小：只有旧的和新的，没有中间的。"""
    start, end = success(ASYNC, "x" * 20 * MB)
    process = script(ASYNC, coze(start, Reply(end, delay=0.2))).start(stdout=subprocess.DEVNULL)
    wait_for(lambda: list(tmp_path.glob("*.json")))
    (path,) = tmp_path.glob("*.json")
    sizes = set()
    while process.poll() is None:
        sizes.update(path.stat().st_size for _ in range(200))
    assert (process.communicate()[1], json.loads(path.read_bytes())["status"], len(sizes)) == (
        b"",
        "completed",
        2,
    )


IDS = ["../../etc/x", "C:\\x", "a\0b\nc", "x" * 400, 10**40, "\ud800"]
CREATED = ["../../x", 10**40, None, "x" * 400, True, "\ud800"]


@pytest.mark.parametrize(("name", "run_id", "created_at"), [*zip([SYNC, ASYNC] * 3, IDS, CREATED)])
def test_ids_and_times_from_the_server(run, tmp_path, name, run_id, created_at):
    gateway = {"run_id": run_id, "created_at": created_at}
    end = Reply(json.dumps({**gateway, "status": "completed", "output": "x"}))
    start = [Reply(json.dumps(gateway))] * (name == ASYNC)
    done = expect(run(name, *start, end), 0, run_id=str(run_id))
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,100}\.json", done.names[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, *done.names])


TRIMMED = "\n注意: 输出太大，Coze 把它截断了（is_output_trimmed），结果不完整。\n"


@pytest.mark.posix
@BOTH
@pytest.mark.parametrize(
    "how", [">&-", "2>&-", ">&- 2>&-", "> /dev/full", "2> /dev/full", "| true", "2>&1 | head -c 9"]
)
def test_screen_that_is_gone_only_silences(coze, script, name, tmp_path, how):
    """关着的、写满的、没有人读的标准输出：退出状态和另一个流都不变，结果在文件里。"""
    if how.endswith("/dev/full") and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    one = script(name, coze(*success(name, "x" * MB, is_output_trimmed=True)))
    one.environment["PYTHONUNBUFFERED"] = "1" if name == SYNC else ""
    redirected, pipe, reader = how.partition("|")
    done = one.run(
        command=["sh", "-c", f"('{PYTHON}' {name} {redirected}; echo $? > status) {pipe} {reader}"]
    )
    assert ((tmp_path / "status").read_text(), done.record["outputs"]) == ("0\n", "x" * MB)
    assert done.stderr == ("" if "2>" in how else TRIMMED)


STRANGE = "表情 😀 代理 \ud83d 空 \0 转义 \x1b[31m 分隔 \u2028 é"


@BOTH
@pytest.mark.parametrize("encoding", ["gbk", "ascii:strict"])
def test_console_that_cannot_print(coze, script, name, encoding):
    replies = success(name, json.dumps({"文本": STRANGE}), msg=STRANGE)
    inputs = {"输入": STRANGE.replace("\ud83d", "")}
    one = script(name, coze(*[Reply(json.dumps(reply)) for reply in replies]), INPUTS=inputs)
    one.environment["PYTHONIOENCODING"] = encoding
    done = one.run()
    assert (done.status, done.stderr, "completed" in done.stdout) == (0, "", True)
    assert (done.record["outputs"], done.record["inputs"]) == ({"文本": STRANGE}, inputs)
    assert done.record["response"] == replies[-1]
    assert "表情 😀" in (one.folder / done.names[0]).read_text(encoding="utf-8")


MEASURE = """
import resource, subprocess, sys
with open("out.txt", "wb") as out:
    status = subprocess.call([sys.executable, sys.argv[1]], stdout=out, stderr=out)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.posix
@pytest.mark.parametrize(
    ("name", "text", "size", "limit"),
    [(SYNC, "字", 3, 200), (ASYNC, "x", 1, 300), (ASYNC, "行 😀\n", 9, 600)],
)
def test_20_mb_as_one_text(coze, script, name, text, size, limit):
    """内存峰值由一个小进程来量：大的父进程会被算进去。"""
    one = script(name, coze(*success(name, text * (20 * MB // size))))
    one.environment.pop("COVERAGE_PROCESS_START", None)
    done = one.run(command=[PYTHON, "-c", MEASURE, name])
    status, peak = map(int, done.stdout.split())
    assert (status, peak < limit * (1024 if sys.platform == "linux" else MB)) == (0, True)
    assert done.record["outputs"] == text * (20 * MB // size)
