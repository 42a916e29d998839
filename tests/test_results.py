"""收到的结果不会丢：原子保存、先存后显、屏幕、控制台、20 MB。"""

import json
import os
import re
import subprocess
import sys
import time

import pytest
from conftest import ASYNC, BOTH, MB, PYTHON, SYNC, TIMES, success, wait_for
from fake_coze import Reply

import workflow_async as w

# ---------------------------------- 保存 ----------------------------------


@pytest.mark.posix
@BOTH
@pytest.mark.parametrize("screen", ["stdout", "stderr"])
def test_result_that_cannot_be_saved_is_on_the_screen(coze, script, name, screen):
    one = script(name, coze(*success(name, '{"a": "甲"}')), INPUTS={})
    process = one.start(disk=0)
    if screen == "stderr":
        process.stdout.close()
        process.stdout = None
    done = one.finish(process)
    assert (done.status, done.names, done.leftovers) == (1, [], [])
    assert "没有写成" in done.stderr
    assert "结果已保存" not in done.stdout
    text = done.stdout if screen == "stdout" else done.stderr
    assert '"outputs": {\n    "a": "\\u7532"\n  }' in text
    assert screen == "stderr" or any(record.get("response") for record in done.printed)


@BOTH
def test_name_that_is_taken_by_a_folder(coze, script, tmp_path, name):
    """替换不了目标：记录打印出来，不留下临时文件。"""
    started = [{"run_id": "r", **TIMES}, {"run_id": "r", "status": "running"}] if name == ASYNC else []
    (tmp_path / "r_20251028T155840.json").mkdir()
    done = script(name, coze(*started, {"run_id": "r", "status": "completed", "output": [1], **TIMES})).run()
    assert (done.status, done.printed[-1]["outputs"], done.leftovers) == (1, [1], [])
    assert "没有写成" in done.stderr


@pytest.mark.posix
def test_killed_while_saving_leaves_old_or_new(coze, script, tmp_path):
    """正在把 8 MB 的结果写进已有的文件时 kill -9。"""
    seen = set()
    for delay in range(6):
        server = coze(*success(ASYNC, "x" * 8 * MB))
        one = script(ASYNC, server)
        process = one.start(stdout=subprocess.DEVNULL)
        wait_for(lambda requests=server.requests: len(requests) == 2)
        time.sleep(0.02 * delay)
        process.kill()
        done = one.finish(process)
        seen.add(done.record["status"])
        assert done.record["status"] == "pending" or len(done.record["outputs"]) == 8 * MB
        assert len(done.leftovers) <= 1
        for path in [*tmp_path.glob("*.json"), *tmp_path.glob("*.tmp")]:
            path.unlink()
    assert "pending" in seen


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
    assert process.communicate()[1] == b""
    assert json.loads(path.read_bytes())["status"] == "completed"
    assert len(sizes) == 2


def test_same_run_same_file(coze, script):
    replies = [{"run_id": "r", "status": "completed", "output": n, "created_at": 1730174063} for n in (1, 2)]
    one = script(SYNC, coze(*replies))
    one.run()
    assert one.run().record["outputs"] == 2


@pytest.mark.parametrize(
    ("name", "run_id", "created_at"),
    [
        (SYNC, "../../etc/x", "../../x"),
        (ASYNC, "C:\\x", 10**40),
        (SYNC, "a\0b\nc", None),
        (ASYNC, "x" * 400, "x" * 400),
        (ASYNC, "\ud800", "\ud800"),
        (SYNC, 10**40, True),
    ],
)
def test_ids_and_times_from_the_server(coze, script, tmp_path, name, run_id, created_at):
    gateway = {"run_id": run_id, "created_at": created_at, "status": "completed", "output": "x"}
    start = [Reply(json.dumps({"run_id": run_id, "created_at": created_at}))] if name == ASYNC else []
    done = script(name, coze(*start, Reply(json.dumps(gateway)))).run()
    assert (done.status, done.record["run_id"]) == (0, str(run_id))
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.json", done.names[0])
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", done.record["created_at"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, *done.names])


# ---------------------------------- 屏幕 ----------------------------------


@pytest.mark.posix
@BOTH
@pytest.mark.parametrize(
    "how", [">&-", "2>&-", ">&- 2>&-", "> /dev/full", "2> /dev/full", "| true", "2>&1 | head -c 100"]
)
def test_screen_that_is_gone_only_silences(coze, script, name, tmp_path, how):
    """关着的、写满的、没有人读的标准输出：退出状态和另一个流都不变，结果在文件里。"""
    if how == "> /dev/full" and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    one = script(name, coze(*success(name, "x" * MB, is_output_trimmed=True)))
    one.environment["PYTHONUNBUFFERED"] = "1" if name == SYNC else ""
    command = (
        f"( '{PYTHON}' {name} {how.partition('|')[0]}; echo $? > status ) {how[how.index('|') :] if '|' in how else ''}"
    )
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, env=one.environment, capture_output=True, check=False)
    assert (tmp_path / "status").read_text() == "0\n"
    (path,) = tmp_path.glob("*.json")
    assert json.loads(path.read_bytes())["outputs"] == "x" * MB
    trouble = done.stderr.decode("utf-8")
    assert trouble.strip("\n") in ("", "注意: 输出太大，Coze 把它截断了（is_output_trimmed），结果不完整。")
    assert trouble or "2>" in how or name == ASYNC


@BOTH
def test_saved_before_it_is_shown(coze, script, name, tmp_path):
    """没有人读标准输出，脚本卡在打印上，文件已经在了。"""
    one = script(name, coze(*success(name, "x" * MB)))
    process = one.start()
    wait_for(lambda: any(b'"completed"' in path.read_bytes() for path in tmp_path.glob("*.json")))
    assert process.poll() is None
    assert one.finish(process).status == 0


STRANGE = "表情 😀 代理 \ud83d 空 \0 转义 \x1b[31m 分隔 \u2028 é"


@BOTH
@pytest.mark.parametrize("encoding", ["gbk", "ascii:strict"])
def test_console_that_cannot_print(coze, script, name, encoding):
    replies = success(name, json.dumps({"文本": STRANGE}), msg=STRANGE)
    one = script(name, coze(*[Reply(json.dumps(reply)) for reply in replies]), INPUTS={"输入": STRANGE})
    one.environment["PYTHONIOENCODING"] = encoding
    done = one.finish(one.start(), encoding=encoding.partition(":")[0])
    assert (done.status, done.stderr) == (0, "")
    assert "completed" in done.stdout
    assert done.record["outputs"] == {"文本": STRANGE}
    assert done.record["inputs"] == {"输入": STRANGE}
    assert done.record["response"] == replies[-1]
    assert "表情 😀" in (one.folder / done.names[0]).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_deep_result_is_saved_and_shown(coze, script, name):
    """嵌套太深、缩进不了的：照样是结果，也照样能接着等。"""
    done = script(name, coze(*success(name, "[" * 900 + "]" * 900))).run()
    assert (done.status, done.stderr) == (0, "")
    assert json.dumps(done.record["outputs"]) == "[" * 900 + "]" * 900
    assert script(ASYNC).run(done.names[0]).status == 0


@pytest.mark.parametrize("depth", range(950, 1000, 3))
def test_what_is_saved_can_be_taken_up(tmp_path, monkeypatch, depth):
    """嵌套到极限（因 CPython 的版本而不同）的回复：收下的就写得进文件，写进文件的就读得回来。"""
    monkeypatch.chdir(tmp_path)
    reply = w.decode('{"code":0,"execute_id":"7","data":' + "[" * depth + "]" * depth + "}")
    if isinstance(reply, dict):
        record = w.first_record(w.Answer(200, {}, reply, ""), TIMES["created_at"], "completed")
        path, saved = w.keep(record, w.file_name(record))
        assert saved
        assert w.load_record(path)["outputs"] == reply["data"]


# ---------------------------------- 20 MB ----------------------------------

MEASURE = """
import resource, subprocess, sys
with open("out.txt", "wb") as out:
    status = subprocess.call([sys.executable, sys.argv[1]], stdout=out, stderr=out)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@pytest.mark.posix
@pytest.mark.parametrize(
    ("name", "text", "limit"),
    [(SYNC, "字" * (20 * MB // 3), 200), (ASYNC, "x" * 20 * MB, 200), (ASYNC, "行 😀\n" * (20 * MB // 10), 500)],
    ids=["字", "x", "😀"],
)
def test_20_mb_as_one_text(coze, script, tmp_path, name, text, limit):
    """内存峰值由一个小进程来量：大的父进程会被算进去。"""
    one = script(name, coze(*success(name, text)))
    one.environment.pop("COVERAGE_PROCESS_START", None)
    command = [PYTHON, "-c", MEASURE, name]
    out = subprocess.run(command, cwd=tmp_path, env=one.environment, capture_output=True, text=True, check=True)
    status, peak = map(int, out.stdout.split())
    assert (status, peak < limit * (1024 if sys.platform == "linux" else MB)) == (0, True)
    (path,) = tmp_path.glob("*.json")
    assert json.loads(path.read_bytes())["outputs"] == text


def test_10_mb_as_rows(coze, script):
    rows = [{"id": n, "text": f"第 {n} 行" * 25, "price": n / 7, "tags": ["a", None]} for n in range(28_000)]
    done = script(SYNC, coze(*success(SYNC, json.dumps(rows, ensure_ascii=False)))).run(stdout=subprocess.DEVNULL)
    assert (done.status, done.record["outputs"]) == (0, rows)
