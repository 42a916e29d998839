"""结果的文件：名字安全，从来不会只写了一半，20 MB 的结果也写得下。"""

import json
import re
import shlex
import subprocess
import sys

import pytest
from conftest import ASYNC, MAYBE, MB, PYTHON, SYNC, TIMES, expect, success, wait_for
from fake_coze import Reply

import workflow_async as w
import workflow_sync

NOW = "2026-01-01T00:00:00Z"
SAFE_NAME = r"[A-Za-z0-9_-]{1,100}\.json"


# ---- 名字 ----


def name_for(**fields):
    """服务器的回复里有这些时，文件的名字。"""
    reply = w.read_reply(fields, w.Answer(200, {}, ""))
    run = {"run_id": reply.run_id, "workflow_id": "w1", "inputs": {}}
    record = w.make_record(run, reply, "completed", NOW)
    return w.file_name(record)


def test_name_is_the_id_and_the_time_it_was_created():
    assert name_for(run_id="run123", **TIMES) == "run123_20251028T155840.json"


CREATED = {
    NOW: "20260101T000000",
    "2025-10-28T15:58:40.5Z": "20251028T1558405",
    "Zero Z": "Zero",
}


@pytest.mark.parametrize("created_at", CREATED)
def test_time_in_the_name(created_at):
    name = name_for(run_id="7_A-b", created_at=created_at)
    assert name == f"7_A-b_{CREATED[created_at]}.json"


STRANGE = {
    "climbs_up": "../../etc/passwd",
    "parent": "..",
    "root": "/root/x",
    "windows_path": "C:\\windows\\x",
    "windows_device": "con",
    "windows_device_in_capitals": "NUL",
    "control_characters": "a\nb\tc\0d",
    "long": "x" * 400,
    "huge_number": 10**40,
    "chinese": "甲乙丙",
    "option": "-rf",
    "space": "a b",
    "wildcard": "a?b",
    "dot_at_the_end": "ends.",
    "emoji": "😀",
    "half_an_emoji": "\ud800",
    "markup": '"><|',
    "true": True,
    "null": None,
}


@pytest.mark.parametrize("case", STRANGE)
def test_strange_id_makes_a_safe_name(case):
    name = name_for(run_id=STRANGE[case], created_at=NOW)
    assert re.fullmatch(SAFE_NAME, name)
    assert name.split(".")[0].lower() not in ("con", "nul")


@pytest.mark.parametrize("case", STRANGE)
def test_strange_time_makes_a_safe_name(case):
    name = name_for(run_id="7", created_at=STRANGE[case])
    assert re.fullmatch(SAFE_NAME, name)


def ends_with_a_strange_name(done, folder, script_name, run_id):
    """结果在唯一的新文件里，ID 在里面一字不改。"""
    expect(done, 0, run_id=run_id)
    assert re.fullmatch(SAFE_NAME, done.names[0])
    found = {path.name for path in folder.iterdir()}
    assert found == {script_name, *done.names}


def test_sync_script_writes_to_no_other_place(run, tmp_path):
    run_id = "../../etc/a\0b\nc"
    end = {"run_id": run_id, "created_at": "../../x", "status": "completed", "output": "x"}
    done = run(SYNC, end)
    ends_with_a_strange_name(done, tmp_path, SYNC, run_id)


def test_async_script_writes_to_no_other_place(run, tmp_path):
    """半个表情写不成 UTF-8，文件和查询的地址里都用别的代替。"""
    run_id = "..\\x\ud800"
    start = {"run_id": run_id, "created_at": "\ud800"}
    end = {**start, "status": "completed", "output": "x"}
    replies = [Reply(json.dumps(reply)) for reply in (start, end)]
    done = run(ASYNC, *replies)
    ends_with_a_strange_name(done, tmp_path, ASYNC, run_id)


# ---- 没有 ID 的结果 ----

WITHOUT_ID = {"code": 0, "data": "the text", "created_at": 1730174063}


def test_result_without_an_id_is_saved(run):
    done = run(SYNC, WITHOUT_ID)
    expect(done, 0, outputs="the text")
    assert re.fullmatch("unknown-[0-9a-f]{8}_20241029T035423.json", done.names[0])
    assert done.names[0].startswith(f"{done.record['run_id']}_")


def test_results_without_an_id_never_share_a_file():
    """同一秒的两次运行也是。"""
    reply = w.read_reply(WITHOUT_ID, w.Answer(200, {}, ""))
    records = [workflow_sync.sync_record(reply, {}, NOW) for _ in range(2)]
    names = {w.file_name(record) for record in records}
    assert len(names) == 2


def test_async_start_without_an_id_is_told_in_full(run):
    """没有 ID 就没有可以等的。"""
    done = run(ASYNC, WITHOUT_ID)
    expect(done, 1, "the text", MAYBE)
    assert done.names == []


# ---- 完整 ----


@pytest.mark.posix
def test_nobody_ever_sees_a_half_written_file(coze, script, tmp_path):
    """盯着文件的大小：只有旧的和新的，没有中间的。"""
    start, end = success(ASYNC, "x" * 20 * MB)
    server = coze(start, Reply(end, delay=0.2))
    process = script(ASYNC, server).start(stdout=subprocess.DEVNULL)
    wait_for(lambda: list(tmp_path.glob("*.json")))
    (path,) = tmp_path.glob("*.json")
    sizes = set()
    while process.poll() is None:
        sizes.update(path.stat().st_size for _ in range(200))
    _, stderr = process.communicate()
    assert stderr == b""
    assert json.loads(path.read_bytes())["status"] == "completed"
    assert len(sizes) == 2


# 运行脚本，最后说出内存的峰值。要由小的 sh 启动：由测试的进程启动，会把它的也算进去
MEASURED = """
import atexit, resource, runpy, sys
def report():
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
atexit.register(report)
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
PEAK_UNIT = {"linux": 1024}.get(sys.platform, 1)  # ru_maxrss 的单位，macOS 是字节
LARGE = {
    "sync_chinese": (SYNC, "字", 3, 200),
    "async_ascii": (ASYNC, "x", 1, 300),
    "async_emoji": (ASYNC, "行 😀\n", 9, 600),
}


@pytest.mark.posix
@pytest.mark.parametrize("case", LARGE)
def test_20_mb_as_one_text(coze, script, case):
    """size: 文字的字节数；limit: 内存最多用多少 MB。"""
    name, text, size, limit = LARGE[case]
    outputs = text * (20 * MB // size)
    one = script(name, coze(*success(name, outputs)))
    one.environment.pop("COVERAGE_PROCESS_START", None)
    line = f"'{PYTHON}' -c {shlex.quote(MEASURED)} {name} > out.txt; exit $?"
    done = one.run(command=["sh", "-c", line])
    assert done.status == 0
    assert int(done.stderr) * PEAK_UNIT < limit * MB
    assert done.record["outputs"] == outputs
