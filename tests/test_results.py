"""收到的结果不会丢：原子保存、先存后显、控制台、文件名、20 MB。"""

import json
import os
import re
import subprocess
import sys
import time

import pytest
from conftest import ASYNC, SYNC, no_file_may_grow, posix
from fake_coze import Reply

import workflow_sync as w

STARTED = {"code": 0, "msg": "", "execute_id": "7"}
BOTH = pytest.mark.parametrize("name", [SYNC, ASYNC])
MB = 2**20


def success(name, outputs, **extra):
    """工作流输出 outputs（文本）时，Coze 的各个回复。"""
    if name == SYNC:
        return [{"code": 0, "data": outputs, "execute_id": "7", **extra}]
    output = json.dumps({"Output": outputs}, ensure_ascii=False)
    return [STARTED, {"code": 0, "data": [{"execute_status": "Success", "output": output}], **extra}]


# ---------------------------------- 保存 ----------------------------------


@posix
@pytest.mark.full_disk
@BOTH
def test_result_that_cannot_be_saved_is_printed(coze, script, name):
    done = script(name, coze(*success(name, '{"a": "甲"}')), INPUTS={}).run(preexec_fn=no_file_may_grow)
    assert (done.status, done.names, done.leftovers) == (1, [], [])
    assert "没有写成" in done.stderr
    assert "结果已保存" not in done.stdout
    start = done.stdout.index('{\n  "run_id"')
    record, _ = json.JSONDecoder().raw_decode(done.stdout[start:])
    assert (record["run_id"], record["outputs"]) == ("7", {"a": "甲"})
    assert record["response"]["code"] == 0


@posix
@pytest.mark.full_disk
@BOTH
def test_no_disk_and_no_stdout_leaves_stderr(coze, script, name):
    process = script(name, coze(*success(name, '"the result"'))).start(preexec_fn=no_file_may_grow)
    process.stdout.close()
    text = process.stderr.read().decode("utf-8")
    assert process.wait(20) == 1
    assert '"outputs": "the result"' in text


@BOTH
def test_name_that_is_taken_by_a_folder(coze, script, tmp_path, name):
    """替换不了目标：记录打印出来，不留下临时文件。"""
    times = {"created_at": "2025-10-28T15:58:40Z", "updated_at": "2025-10-28T15:58:40Z"}
    started = [{"run_id": "run123", **times}, {"run_id": "run123", "status": "running"}] if name == ASYNC else []
    server = coze(*started, {"run_id": "run123", "status": "completed", "output": [1], **times})
    folder = tmp_path / "run123_20251028T155840.json"
    folder.mkdir()
    process = script(name, server).start()
    out, err = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "没有写成" in err.decode("utf-8")
    out = out.decode("utf-8")
    record, _ = json.JSONDecoder().raw_decode(out[out.index('{\n  "run_id": "run123",\n  "workflow_id"') :])
    assert record["outputs"] == [1]
    assert [path.name for path in tmp_path.iterdir() if path.name not in (name, folder.name)] == []


@posix
def test_killed_while_saving_leaves_old_or_new(coze, script, tmp_path):
    """正在把 8 MB 的结果写进已有的文件时 kill -9。"""
    big = success(ASYNC, "x" * 8 * MB)[1]
    seen = set()
    for delay in range(10):
        server = coze(STARTED, Reply(big))
        one = script(ASYNC, server)
        process = one.start(stdout=subprocess.DEVNULL)
        while len(server.requests) < 2:
            time.sleep(0.005)
        time.sleep(0.02 * delay)
        process.kill()
        done = one.finish(process)
        seen.add(done.record["status"])
        assert done.record["status"] == "pending" or len(done.record["outputs"]) == 8 * MB
        assert len(done.leftovers) <= 1
        for path in [*tmp_path.glob("*.json"), *tmp_path.glob("*.tmp")]:
            path.unlink()
    assert "pending" in seen


@posix
def test_nobody_ever_sees_a_half_written_file(coze, script, tmp_path):
    """盯着文件的大小：只有旧的和新的，没有中间的。"""
    server = coze(STARTED, Reply(success(ASYNC, "x" * 20 * MB)[1], delay=0.2))
    process = script(ASYNC, server).start(stdout=subprocess.DEVNULL)
    while not list(tmp_path.glob("*.json")):
        time.sleep(0.001)
    (path,) = tmp_path.glob("*.json")
    sizes = set()
    while process.poll() is None:
        for _ in range(200):
            sizes.add(path.stat().st_size)
    assert process.communicate()[1] == b""
    assert json.loads(path.read_bytes())["status"] == "completed"
    assert len(sizes) == 2


@posix
@BOTH
def test_closed_pipe_only_silences(coze, script, name):
    process = script(name, coze(*success(name, "x" * MB))).start()
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(20) == 0
    assert err == b""


@posix
@BOTH
def test_both_pipes_closed(coze, script, name, tmp_path):
    replies = success(name, "x" * MB, is_output_trimmed=True)
    process = script(name, coze(*replies)).start()
    process.stdout.close()
    process.stderr.close()
    assert process.wait(20) == 0
    assert len(list(tmp_path.glob("*.json"))) == 1


@posix
@BOTH
def test_no_stdout_at_all(coze, script, name, tmp_path):
    one = script(name, coze(*success(name, "x")))
    command = f"exec '{sys.executable}' {one.path.name} >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], cwd=tmp_path, env=one.environment, check=False).returncode == 0
    assert len(list(tmp_path.glob("*.json"))) == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@BOTH
def test_full_stdout(coze, script, name):
    one = script(name, coze(*success(name, "x")))
    with open("/dev/full", "wb") as full:
        done = one.run(stdout=full)
    assert (done.status, done.record["outputs"]) == (0, "x")


@BOTH
def test_saved_before_it_is_shown(coze, script, name, tmp_path):
    """没有人读标准输出，脚本卡在打印上，文件已经在了。"""
    process = script(name, coze(*success(name, "x" * MB))).start()
    end = time.monotonic() + 10
    while not any(json.loads(path.read_bytes())["status"] == "completed" for path in tmp_path.glob("*.json")):
        assert time.monotonic() < end
        time.sleep(0.02)
    assert process.poll() is None
    assert process.communicate(timeout=20)[1] == b""
    assert process.returncode == 0


# --------------------------------- 控制台 ---------------------------------

STRANGE = "表情 😀 代理 \ud83d 空 \0 转义 \x1b[31m 分隔 \u2028 é"


@BOTH
@pytest.mark.parametrize("encoding", ["gbk", "ascii:strict"])
def test_console_that_cannot_print(coze, script, name, encoding, tmp_path):
    outputs = json.dumps({"文本": STRANGE})
    replies = success(name, outputs, msg=STRANGE)
    one = script(name, coze(*[Reply(json.dumps(reply)) for reply in replies]), INPUTS={"输入": STRANGE})
    one.environment["PYTHONIOENCODING"] = encoding
    process = one.start()
    out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert b"completed" in out
    (path,) = tmp_path.glob("*.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["outputs"] == {"文本": STRANGE}
    assert record["inputs"] == {"输入": STRANGE}
    assert record["response"] == replies[-1]
    assert "表情 😀" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "depth"), [(SYNC, 100_000), (SYNC, 700), (ASYNC, 700)])
def test_reply_that_is_nested_too_deep_is_shown(coze, script, name, depth):
    deep = '{"code": 0, "data": ' + "[" * depth + "]" * depth + "}"
    done = script(name, coze(Reply(deep))).run()
    assert (done.status, done.names) == (1, [])
    assert deep in done.stderr


# --------------------------------- 文件名 ---------------------------------

IDS = [
    "../../etc/passwd",
    "..",
    ".",
    "/root/x",
    "C:\\windows\\x",
    "C:x",
    "con",
    "con.txt",
    "NUL",
    "a\nb\tc\0d",
    "x" * 400,
    "x" * 401,
    "甲乙丙",
    "甲乙丁",
    "-rf",
    "a b",
    "a?b",
    "a*b",
    "ends.",
    "😀",
    "\ud800",
    '"><|',
]
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*\.json")


def test_names_are_safe_and_distinct():
    record = {"created_at": "2025-10-28T15:58:40Z"}
    names = [w.file_name({**record, "run_id": run_id}) for run_id in IDS]
    assert len({name.lower() for name in names}) == len(IDS)
    for run_id, name in zip(IDS, names):
        assert NAME.fullmatch(name)
        assert len(name) <= 150
        assert name.split(".")[0].lower() not in ("con", "nul")
        if run_id not in ("con", "NUL"):
            assert re.search(r"_[0-9a-f]{8}\.json$", name)
    assert w.file_name({**record, "run_id": "run123"}) == "run123_20251028T155840.json"
    assert w.file_name({**record, "run_id": "7_A-b"}) == "7_A-b_20251028T155840.json"


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
    replies = [Reply(json.dumps(gateway))]
    if name == ASYNC:
        replies.insert(0, Reply(json.dumps({"run_id": run_id, "created_at": created_at})))
    done = script(name, coze(*replies)).run()
    assert done.status == 0
    assert NAME.fullmatch(done.names[0])
    assert done.record["run_id"] == str(run_id)
    assert re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", done.record["created_at"])
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, *done.names])


def test_runs_without_an_id_never_share_a_file(coze, script):
    server = coze(*[{"code": 0, "data": "x", "created_at": 1730174063}] * 3)
    one = script(SYNC, server)
    assert [one.run().status for _ in range(2)] == [0, 0]
    assert len(one.run().names) == 3


def test_same_run_same_file(coze, script):
    server = coze(*[{"run_id": "r", "status": "completed", "output": n, "created_at": 1730174063} for n in (1, 2)])
    one = script(SYNC, server)
    one.run()
    assert one.run().record["outputs"] == 2


# ---------------------------------- 20 MB ----------------------------------


MEASURE = """
import resource, subprocess, sys
with open("out.txt", "wb") as out:
    status = subprocess.call([sys.executable, sys.argv[1]], stdout=out, stderr=out)
print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def run_and_measure(one):
    """脚本的退出状态和内存峰值（MiB）。由一个小进程启动：大的父进程会被算进峰值。"""
    command = [sys.executable, "-c", MEASURE, one.path.name]
    out = subprocess.run(command, cwd=one.folder, env=one.environment, capture_output=True, text=True, check=True)
    status, peak = map(int, out.stdout.split())
    return status, peak / (1024 if sys.platform == "linux" else MB)


@posix
@BOTH
@pytest.mark.parametrize(
    "text", ["x" * 20 * MB, "字" * (20 * MB // 3), "行 😀\n" * (20 * MB // 10)], ids=["x", "字", "😀"]
)
def test_20_mb_as_one_text(coze, script, tmp_path, name, text):
    if sys.version_info < (3, 9) and "\n" in text:
        pytest.skip("CPython 3.8 takes 346 MiB for json.loads alone when a text has so many escapes")
    one = script(name, coze(*success(name, text)))
    status, peak = run_and_measure(one)
    assert status == 0
    assert peak < 300
    (path,) = tmp_path.glob("*.json")
    assert json.loads(path.read_bytes())["outputs"] == text


@posix
def test_20_mb_as_rows(coze, script, tmp_path):
    rows = [{"id": n, "text": f"第 {n} 行" * 25, "price": n / 7, "tags": ["a", None]} for n in range(55_000)]
    data = json.dumps(rows, ensure_ascii=False)
    assert len(data.encode()) > 18 * MB
    status, _ = run_and_measure(script(SYNC, coze(*success(SYNC, data))))
    assert status == 0
    (path,) = tmp_path.glob("*.json")
    assert json.loads(path.read_bytes())["outputs"] == rows
