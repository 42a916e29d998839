"""承诺：启动了的运行，第一次查询之前就在文件里，总是完整的；写不成的，整个打印出来，一次。"""

import json
import os

import pytest
from conftest import ASYNC, BOTH, MB, PYTHON, STARTED, SYNC, expect, history, limit_files, success
from fake_coze import Reply

import workflow_async as w

DONE = history("Success", output='{"Output":"done"}')


def test_started_run_is_on_disk_before_the_first_query(coze, script):
    one = script(
        ASYNC,
        coze(STARTED, Reply(DONE, delay=0.5)),
        INPUTS={"a": "你好"},
    )
    process = one.start(until=2)
    (path,) = one.folder.glob("*_*.json")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["run_id"] == "7"
    assert record["status"] == "pending"
    assert record["inputs"] == {"a": "你好"}
    done = expect(
        one.finish(process),
        0,
        status="completed",
        created_at=record["created_at"],
    )
    assert done.names == [path.name]


def test_file_is_whole_whenever_it_is_read(coze, script):
    states = [history(state, msg="x" * MB) for state in ("Running", "Queued") * 5]
    one = script(ASYNC, coze(STARTED, *states, DONE))
    process = one.start(until=2)
    seen = set()
    while process.poll() is None:
        for path in one.folder.glob("*_*.json"):
            seen.add(json.loads(path.read_text(encoding="utf-8"))["status"])
    assert {"running", "Queued"} <= seen
    done = expect(one.finish(process), 0, status="completed")
    assert done.leftovers == []


@BOTH
@pytest.mark.posix
def test_result_that_a_full_disk_refuses_is_printed_whole(coze, script, name):
    outputs = "结果" * 5000 + "\ud83d"
    replies = [Reply(json.dumps(reply)) for reply in success(name, outputs)]
    one = script(name, coze(*replies))
    done = expect(one.run(disk=2000), 1, "文件没有写成")
    assert [record["outputs"] for record in done.printed] == [outputs]
    assert done.leftovers == []
    if name == SYNC:
        assert done.names == []
    else:
        expect(done, 1, status="pending")
        assert done.command[-1] == "7"


@pytest.mark.posix
def test_start_that_cannot_be_saved_is_printed_and_the_run_waited_for(coze, script):
    """后来又能写了的，结果在文件里。"""
    one = script(ASYNC, coze(STARTED, Reply(DONE, delay=0.5)))
    process = one.start(until=2, disk=100)
    limit_files(process.pid, -1)
    done = expect(
        one.finish(process),
        0,
        "文件没有写成",
        status="completed",
        outputs="done",
    )
    assert [record["status"] for record in done.printed] == ["pending"]


@BOTH
def test_result_whose_place_is_taken_is_printed_whole(coze, script, name):
    """Windows 上别的程序占着文件，也是这样：过两秒再试一次。"""
    times = {"created_at": "2025-10-28T15:58:40Z"}
    replies = success(name)
    replies[0] = {**replies[0], **times}
    one = script(name, coze(*replies))
    (one.folder / "7_20251028T155840.json").mkdir()
    done = expect(one.run(), 1, "7_20251028T155840.json", "文件没有写成")
    assert [record["outputs"] for record in done.printed if "outputs" in record] == ["done"]
    assert done.leftovers == []
    assert "结果已保存" not in done.stdout


def test_file_that_is_held_for_a_moment_is_tried_again(tmp_path, monkeypatch):
    """Windows 上，杀毒或同步的程序会占着文件一小会儿。"""
    held = [PermissionError("held")]
    replace = os.replace

    def replace_later(*names):
        while held:
            raise held.pop()
        replace(*names)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(w.os, "replace", replace_later)
    monkeypatch.setattr(w.time, "sleep", lambda _: None)
    assert w.save({"run_id": "7", "created_at": "2025-10-28T15:58:40Z"})
    assert os.listdir() == ["7_20251028T155840.json"]


def test_runs_of_several_threads_have_files_of_their_own(coze, script):
    """没有 run_id 的结果，同一秒里的也不互相覆盖。"""
    one = script(SYNC, coze(*[{"code": 0, "data": "x"}] * 4))
    program = "import threading, workflow_sync as w\n"
    program += "for _ in range(4): threading.Thread(target=w.run, args=[{}]).start()"
    done = one.run(command=[PYTHON, "-c", program])
    assert [record["outputs"] for record in done.records] == ["x"] * 4
