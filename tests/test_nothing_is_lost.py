"""启动了的运行不会丢：记录在文件里，写不成就在屏幕上，照着它总能接着等。"""

import json
import os
import random
import re
import shutil
import signal
import time
from contextlib import contextmanager

import pytest
from conftest import (
    ASYNC,
    BOTH,
    CTRL_C,
    NOT_RUN,
    PYTHON,
    STARTED,
    SYNC,
    TIMES,
    WINDOWS,
    expect,
    history,
    limit_files,
    wait_for,
)
from fake_coze import Reply

import workflow_async as w

SUCCESS = history("Success", output='{"Output": "done"}')
RUNNING = history("Running")
MOVED = history("Running", create_time=1730174063)
HANG = Reply({}, fault="hang")
CREATED = "2025-10-28T15:58:40Z"


def saved_record(**changes):
    """一份记录文件的内容；None 是没有这一项。"""
    record = {
        "run_id": "77",
        "workflow_id": "w/9",
        "status": "running",
        "inputs": {"from": "file"},
        "response": STARTED,
        **TIMES,
        **changes,
    }
    return w.fields_of(record)


def save(path, **changes):
    path.write_text(json.dumps(saved_record(**changes)), encoding="utf-8")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def goes_on(done, exit_status, **fields):
    """脚本停了，运行还在继续：说出 ID 和命令，记录在命令里的文件中。"""
    expect(done, exit_status, "运行 ID (run_id): 7\n", **fields)
    expect(done, exit_status, "在 Coze 上继续", "不会重复计费")
    assert done.command[-1] == done.names[0]


# ---- 文件：第一次查询之前就在，什么时候停下都是完整的，名字不变 ----


MOMENTS = {
    "killed_before_a_state": ("SIGKILL", [], "pending"),
    "ended_after_a_state": ("SIGTERM", [MOVED], "running"),
}


@pytest.mark.posix
@pytest.mark.parametrize("case", MOMENTS)
def test_folder_holds_the_run_however_the_script_ends(coze, script, tmp_path, case):
    how, states, status = MOMENTS[case]
    number = getattr(signal, how)
    one = script(ASYNC, coze(STARTED, *states, HANG), INPUTS={"a": "甲"})
    process = one.start(until=2 + len(states))
    assert len(list(tmp_path.glob("*.json"))) == 1
    process.send_signal(number)
    done = one.finish(process)
    expect(done, -number, run_id="7", inputs={"a": "甲"}, status=status)
    assert "20241029" not in done.names[0]  # Coze 的 create_time 不改变文件名


@contextmanager
def halted(process):
    """停住的进程：这时文件夹里有的，就是 kill -9 会留下的。"""
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    yield
    process.send_signal(signal.SIGCONT)


@pytest.mark.posix
def test_at_any_moment_there_is_one_complete_file(coze, script, tmp_path):
    """每次查询都改变状态，于是一直在写 1 MB 的文件和改名。"""
    big = "x" * 1_000_000
    moved = {"create_time": 1730174063, "output": big}
    states = [history(f"State{i}", **moved) for i in range(300)]
    settings = {"INITIAL_POLL_INTERVAL": 1e-6, "MAX_POLL_ATTEMPTS": 5000}
    one = script(ASYNC, coze(STARTED, *states), **settings)
    process = one.start(until=4)
    for _ in range(20):
        time.sleep(random.uniform(0, 0.02))
        with halted(process):
            (path,) = tmp_path.glob("*.json")
            assert read(path)["run_id"] == "7"
    process.kill()
    done = one.finish(process)
    assert done.record["run_id"] == "7"
    assert len(done.leftovers) <= 1


def test_name_of_the_file_never_changes(coze, script, tmp_path):
    """从 shell 的历史里取出的命令总能用，无论 Coze 给出什么时间，文件叫什么名字。"""
    started = {**STARTED, "created_at": CREATED}
    server = coze(started, RUNNING, MOVED, MOVED, MOVED, SUCCESS)
    one = script(ASYNC, server, MAX_POLL_ATTEMPTS=2)
    done = expect(one.run(), 3, created_at=CREATED)
    (name,) = done.names
    done = expect(one.run(name), 3, f'"{name}"\n', created_at=CREATED)
    assert done.names == [name]
    (tmp_path / name).rename(tmp_path / "mine.json")
    done = expect(one.run("mine.json"), 0, outputs="done", created_at=CREATED)
    assert done.names == ["mine.json"]
    assert done.leftovers == []


# ---- 文件夹不能写：结果会存不下来，所以什么也不发送 ----


@BOTH
@pytest.mark.posix
def test_folder_that_cannot_be_written_costs_nothing(coze, script, name):
    """和别的问题一起说。"""
    one = script(name, coze(), INPUTS=5)
    done = one.run(disk=0)
    expect(done, 2, "没有发送任何请求", "文件夹不能写", "INPUTS 要像")
    assert done.requests == []
    assert done.names == []
    assert done.leftovers == []


FOLDERS = {
    "read_only": (SYNC, "cd /proc", "/proc/"),
    "gone": (ASYNC, "mkdir gone && cd gone && rmdir ../gone", "No such file"),
}


@pytest.mark.posix
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc")
@pytest.mark.parametrize("case", FOLDERS)
def test_folder_that_cannot_be_written_is_named(coze, script, case):
    name, enter, why = FOLDERS[case]
    one = script(name, coze())
    one.environment.pop("COVERAGE_PROCESS_START", None)  # 它自己也要一个文件夹
    command = f"{enter} && exec '{PYTHON}' '{one.path}'"
    done = one.run(command=["sh", "-c", command])
    expect(done, 2, "文件夹不能写", why)
    assert done.requests == []


# ---- 磁盘的脾气 ----


def test_disk_without_fsync_is_no_failure(tmp_path, monkeypatch):
    """有的磁盘、同步盘没有 fsync：文件照样写好。"""

    def fsync(number):
        raise OSError(22, "no fsync here")

    monkeypatch.setattr(os, "fsync", fsync)
    path = tmp_path / "r.json"
    w.write_file(path, "x")
    assert path.read_text() == "x\n"


@pytest.fixture
def scanner(monkeypatch):
    """scanner(times)：别的程序占着文件，前 times 次不能替换；返回脚本每次等的秒数。"""
    replace = os.replace

    def hold(times):
        refusals = [PermissionError(13, "a scanner holds it")] * times
        waits = []

        def busy(old, new):
            if refusals:
                raise refusals.pop()
            replace(old, new)

        monkeypatch.setattr(os, "replace", busy)
        monkeypatch.setattr(w.time, "sleep", waits.append)
        return waits

    return hold


def test_file_that_is_held_for_a_moment_is_tried_again(tmp_path, scanner):
    path = tmp_path / "r.json"
    waits = scanner(5)
    w.write_file(path, "x")
    assert path.read_text() == "x\n"
    assert waits == [0.1] * 5
    assert os.listdir(tmp_path) == ["r.json"]


def test_file_that_is_held_for_long_is_given_up(tmp_path, scanner):
    """两秒以后；原来的文件还在。"""
    path = tmp_path / "r.json"
    path.write_text("old")
    waits = scanner(10_000)
    with pytest.raises(PermissionError, match="a scanner holds it"):
        w.write_file(path, "x")
    assert path.read_text() == "old"
    assert sum(waits) == pytest.approx(2)
    assert os.listdir(tmp_path) == ["r.json"]


HELD = """
import os
def busy(old, new):
    raise PermissionError(13, "a scanner holds it")
os.replace = busy
"""


def test_folder_where_files_are_held_costs_nothing(coze, script, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HELD)
    one = script(SYNC, coze())
    one.environment["PYTHONPATH"] = os.fspath(tmp_path)
    one.rewrite("range(20)", "range(2)")
    done = expect(one.run(), 2, "文件夹不能写", "a scanner holds it")
    assert done.requests == []
    assert done.leftovers == []


# ---- 写不成文件的，在屏幕上 ----


def start_then_fill_the_disk(one):
    """磁盘满的时候，已经启动了，还没有收到启动的回复。"""
    one.environment.pop("COVERAGE_PROCESS_START", None)  # 它也写文件
    with one.server.lock:  # 替身收下请求，先不回答
        process = one.start(until=1)
        limit_files(process.pid, 0)
    return process


@pytest.mark.posix
def test_disk_that_is_full_after_the_start(coze, script, tmp_path):
    """记录立刻在屏幕上，状态变了才再说；照说的存下来就能接着等。"""
    server = coze(STARTED, RUNNING, RUNNING, RUNNING, HANG)
    one = script(ASYNC, server, INPUTS={"a": "甲 😀"})
    process = start_then_fill_the_disk(one)
    wait_for(lambda: len(server.requests) == 5)
    process.kill()  # 终端关了也不要紧：已经在屏幕上了
    done = one.finish(process)
    assert done.names == []
    assert done.leftovers == []
    assert done.stderr.count("文件没有写成") == 2
    pending, running = done.printed
    assert pending["status"] == "pending"
    assert running["status"] == "running"
    inputs = '"inputs": {\n    "a": "\\u7532 \\ud83d\\ude00"'
    assert done.stdout.index(inputs) < done.stdout.index("第 1 次查询")
    (name,) = set(re.findall("保存为 (.*?)（UTF-8 编码）", done.stderr))
    (tmp_path / name).write_text(json.dumps(running), encoding="utf-16")
    server.replies.append(Reply(SUCCESS))
    expect(one.run(name), 0, outputs="done", inputs={"a": "甲 😀"})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_record_saved_by_hand_is_read(tmp_path, encoding):
    """PowerShell 的 > 存成 UTF-16，旧版记事本存成带 BOM 的 UTF-8。"""
    path = tmp_path / "r.json"
    record = saved_record(status="completed", outputs="甲 😀")
    path.write_text(w.as_text(record), encoding=encoding)
    assert w.load(os.fspath(path)) == record


@pytest.mark.posix
def test_disk_that_becomes_writable_gets_the_result(coze, script):
    slow = Reply(RUNNING, delay=0.5)
    one = script(ASYNC, coze(STARTED, RUNNING, slow, SUCCESS))
    process = start_then_fill_the_disk(one)
    wait_for(lambda: len(one.server.requests) == 3)
    limit_files(process.pid, -1)
    expect(one.finish(process), 0, "没有写成", outputs="done")


@pytest.mark.posix
def test_result_that_does_not_fit_leaves_the_old_file(coze, script, tmp_path):
    """结果打印出来；原来的文件还在它的文件夹里，还能接着等。"""
    given = os.path.join("here", "r.json")
    (tmp_path / "here").mkdir()
    save(tmp_path / given)
    big = "x" * 100_000
    one = script(ASYNC, coze(history("Success", output=big)))
    done = one.run(given, disk=50_000)
    expect(done, 1, "没有写成", f"保存为 {given}（")
    assert done.printed[0]["outputs"] == big
    assert "结果已保存" not in done.stdout
    assert os.listdir(tmp_path / "here") == ["r.json"]
    assert read(tmp_path / given) == saved_record()


INPUTS = '"inputs": {\n    "a": "caf\\u00e9 \\ud83d\\ude00"\n  },\n'
SHOWN = {  # 全是 ASCII：GBK 控制台也不会改动它
    "running": f'"status": "running",\n  {INPUTS}',
    "completed": f'"status": "completed",\n  {INPUTS}  "outputs": [\n    1\n  ],\n',
}


@pytest.fixture
def run_in_the_way(coze, script, tmp_path):
    """run_in_the_way(SYNC, "running", "stdout")：名字被一个文件夹占了，标准输出没有了。"""

    def run(name, status, *closed):
        (tmp_path / "r_20251028T155840.json").mkdir()
        started = {"run_id": "r", "status": "running", **TIMES}
        ended = {"run_id": "r", "status": status, "output": [1], **TIMES}
        replies = {SYNC: [ended], ASYNC: [started, ended]}
        settings = {SYNC: {}, ASYNC: {"MAX_POLL_ATTEMPTS": 1}}
        one = script(name, coze(*replies[name]), INPUTS={"a": "café 😀"}, **settings[name])
        one.rewrite("range(20)", "range(2)")
        one.environment["PYTHONIOENCODING"] = "gbk"
        process = one.start()
        for stream in closed:
            getattr(process, stream).close()
            setattr(process, stream, None)
        return one.finish(process)

    return run


ON_SCREEN = {
    "sync_completed": (SYNC, "completed", [], "stdout", 1),
    "sync_running": (SYNC, "running", ["stdout"], "stderr", 1),
    "async_completed": (ASYNC, "completed", ["stdout"], "stderr", 1),
    "async_running": (ASYNC, "running", [], "stdout", 3),
}


@pytest.mark.parametrize("case", ON_SCREEN)
def test_record_that_cannot_be_written_is_on_the_screen(run_in_the_way, case):
    """标准输出没有了就用标准错误；已经结束的，不叫人接着等。"""
    name, status, closed, screen, exit_status = ON_SCREEN[case]
    done = run_in_the_way(name, status, *closed)
    expect(done, exit_status, "没有写成", "保存为 r_20251028T155840.json（UTF-8")
    screens = {"stdout": done.stdout, "stderr": done.stderr}
    found = [name for name in screens if SHOWN[status] in screens[name]]
    assert found == [screen]
    assert "结果已保存" not in done.stdout
    assert ("接着等" in done.stderr) == (status == "running")
    assert done.leftovers == []


WITHOUT_SCREEN = {
    "sync": (SYNC, "completed", 1),
    "async": (ASYNC, "running", 3),
}


@pytest.mark.parametrize("case", WITHOUT_SCREEN)
def test_without_file_and_screen_the_exit_status_tells(run_in_the_way, case):
    name, status, exit_status = WITHOUT_SCREEN[case]
    done = run_in_the_way(name, status, "stdout", "stderr")
    assert done.status == exit_status
    assert done.leftovers == []


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """当前文件夹；脚本在别的文件夹里。"""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(w, "SCRIPT", os.path.join(os.sep, "elsewhere", "x.py"))


@pytest.mark.usefixtures("elsewhere")
def test_record_that_is_kept_is_said_to_be_there():
    words = w.keep(saved_record(), "r.json")
    assert words.startswith("结果已保存到文件: r.json\n所在的文件夹: ")


@pytest.mark.usefixtures("elsewhere")
def test_record_that_is_not_kept_has_no_place(capsys):
    assert w.keep(saved_record(), "gone/r.json") == ""
    assert json.loads(capsys.readouterr().out) == saved_record()


# ---- 查询的时候文件不见了：离开之前再写一次，文件夹也没有了就打印出来 ----


LOST = os.path.join("runs here", "7_20251028T155840.json")
WRONG_TOKEN = {"code": 4100}


def delete(path):
    path.unlink()


def empty(path):
    path.write_text("")


def delete_folder(path):
    shutil.rmtree(path.parent)


@pytest.fixture
def lose_while_polling(coze, script, tmp_path):
    """查询没有回音的时候 lose(文件)，然后回答 reply；脚本结束的样子要是 exit_status。"""
    path = tmp_path / LOST
    path.parent.mkdir()
    save(path, run_id="7")

    def run(lose, reply, exit_status):
        one = script(ASYNC, coze(reply), MAX_POLL_ATTEMPTS=1)
        with one.server.lock:  # 替身收下查询，先不回答
            process = one.start(LOST, until=1)
            lose(path)
        if exit_status == CTRL_C:
            process.send_signal(signal.SIGINT)
        return expect(one.finish(process), exit_status)

    return run


@pytest.fixture
def resume(coze, script):
    """照屏幕上的命令接着等，一定等得到结果。"""

    def run(done):
        given = done.command[-1]
        one = script(ASYNC, coze(SUCCESS))
        path = one.folder / given.replace("\\", "/")
        assert read(path)["inputs"] == {"from": "file"}
        assert one.run(given).status == 0

    return run


FILE_LOST = [
    pytest.param(delete, RUNNING, 3, id="deleted_until_the_queries_run_out"),
    pytest.param(empty, WRONG_TOKEN, 1, id="emptied_until_a_refusal"),
    pytest.param(delete, HANG, CTRL_C, id="deleted_until_ctrl_c", marks=pytest.mark.posix),
]


@pytest.mark.parametrize(("lose", "reply", "exit_status"), FILE_LOST)
def test_file_that_disappears_is_written_again(
    lose_while_polling, resume, lose, reply, exit_status
):
    done = lose_while_polling(lose, reply, exit_status)
    resume(done)


FOLDER_LOST = [
    pytest.param(RUNNING, 3, id="until_the_queries_run_out"),
    pytest.param(HANG, CTRL_C, id="until_ctrl_c", marks=pytest.mark.posix),
]


@pytest.mark.parametrize(("reply", "exit_status"), FOLDER_LOST)
def test_folder_that_disappears_is_not_made_again(
    tmp_path, lose_while_polling, resume, reply, exit_status
):
    done = lose_while_polling(delete_folder, reply, exit_status)
    folder = (tmp_path / LOST).parent
    assert not folder.exists()
    folder.mkdir()
    (tmp_path / LOST).write_text(json.dumps(done.printed[-1]))
    resume(done)


# ---- 接着等的命令 ----


def test_command_when_run_from_elsewhere(coze, script, tmp_path):
    """从另一个文件夹运行（编辑器的运行按钮就是这样），脚本改了名字，路径里有空格。"""
    (tmp_path / "my scripts").mkdir()
    given = os.path.join("my scripts", "my run.py")
    one = script(ASYNC, coze(STARTED, RUNNING, SUCCESS), MAX_POLL_ATTEMPTS=1)
    shutil.move(one.path, tmp_path / given)
    done = expect(one.run(script=given), 3, "MAX_POLL_ATTEMPTS")
    (name,) = done.names
    python = "python" if WINDOWS else "python3"
    assert done.stderr.splitlines()[-1] == f'{python} "{given}" "{name}"'
    done = expect(one.run(name, script=given), 0, outputs="done")
    shown = done.stdout.replace("Z:", "").replace("\\", "/")
    assert f"文件: {name}\n所在的文件夹: {tmp_path}\n" in shown


def test_sync_run_that_goes_on_is_waited_for_by_the_async_script(coze, script, tmp_path):
    """命令里是旁边的 workflow_async.py。"""
    running = {"run_id": "7", "status": "running"}
    completed = {"run_id": "7", "status": "completed", "output": 5}
    server = coze(running, completed)
    here = os.path.join("..", tmp_path.name)
    one = script(SYNC, server)
    done = one.run(script=os.path.join(here, SYNC))
    goes_on(done, 1, status="running")
    _, beside, name = done.command
    assert beside.replace("\\", "/") == f"../{tmp_path.name}/{ASYNC}"
    again = script(ASYNC, server)
    expect(again.run(name, script=beside), 0, outputs=5)


NAMED = {"debug_url": "https://x/?execute_id=7"}
NAMING = {
    "redirect": (302, NAMED),
    "bad_request": (400, NAMED),
    "not_found": (404, NAMED),
    "broken": (500, {**NAMED, "code": 500}),
    "timed_out": (504, {**NAMED, "code": 504}),
}


@pytest.mark.parametrize("case", NAMING)
def test_error_that_names_the_run_does_not_end_it(case):
    """网关的错误，带着运行 ID：运行可能还在继续。"""
    http_status, body = NAMING[case]
    reply = w.read_reply(body, w.Answer(http_status, {}, ""))
    assert reply.run_id == "7"
    assert reply.status == "pending"


def test_sync_run_that_the_gateway_names_can_be_waited_for(run):
    http_status, body = NAMING["timed_out"]
    done = run(SYNC, Reply(body, http_status))
    goes_on(done, 1, status="pending", response=body)
    assert done.command[1] == ASYNC


HALF_A_CHARACTER = b'{"code": 0, "execute_id": "7", "msg": "\xe4\xbd"}'
STARTED_BADLY = {
    "redirect": Reply(NAMED, 302),
    "half_a_character": Reply(HALF_A_CHARACTER),
}


@pytest.mark.parametrize("case", STARTED_BADLY)
def test_async_run_that_a_bad_reply_names_is_waited_for(run, case):
    done = run(ASYNC, STARTED_BADLY[case], SUCCESS)
    expect(done, 0, run_id="7", outputs="done")


# ---- 接着等一份文件里的运行 ----


def test_all_that_is_needed_is_in_the_file(coze, script, tmp_path):
    """运行 ID、工作流 ID 和输入取自文件，文件留在它的文件夹里。"""
    given = os.path.join("some(where)", "r.json")
    path = tmp_path / given
    path.parent.mkdir()
    save(path)
    server = coze(MOVED, RUNNING, SUCCESS)
    unset = {"WORKFLOW_ID": "your_actual_workflow_id", "INPUTS": None}
    done = script(ASYNC, server, MAX_POLL_ATTEMPTS=1, **unset).run(given)
    assert expect(done, 3).command[-1] == given
    done = script(ASYNC, server, WORKFLOW_ID="", INPUTS=5).run(given)
    assert "执行完成！" in expect(done, 0).stdout
    assert done.names == []
    assert os.listdir(path.parent) == ["r.json"]
    unchanged = {**TIMES, "response": STARTED}
    expected = saved_record(status="completed", outputs="done")
    assert {**read(path), **unchanged} == expected
    addresses = {address for _, address, _, _ in server.requests}
    assert addresses == {"/v1/workflows/w%2F9/run_histories/77"}


def test_other_settings_are_checked(coze, script, tmp_path):
    save(tmp_path / "r.json")
    settings = {"YOUR_ACCESS_TOKEN": "", "WORKFLOW_ID": "", "RUN_HISTORY_PATH": "x"}
    done = script(ASYNC, coze(), **settings).run("r.json")
    expect(done, 2, "YOUR_ACCESS_TOKEN", "RUN_HISTORY_PATH")
    assert "WORKFLOW_ID" not in done.stderr
    assert done.requests == []
    assert done.names == ["r.json"]


NO_MONEY = {"code": "4011", "message": "no money"}
ENDED = {
    "completed": (0, '"a": "甲"', {"status": "completed", "outputs": {"a": "甲"}}),
    "failed": (1, "no money", {"status": "failed", "error": NO_MONEY}),
}


@pytest.mark.parametrize("case", ENDED)
def test_ended_run_is_shown_again(coze, script, tmp_path, case):
    """不用令牌，不发送请求，不改文件。"""
    exit_status, shown, changes = ENDED[case]
    save(tmp_path / "r.json", **changes)
    unset = {"YOUR_ACCESS_TOKEN": "your_actual_access_token", "WORKFLOW_ID": ""}
    done = script(ASYNC, coze(), **unset).run("r.json")
    assert done.status == exit_status
    assert shown in done.stdout + done.stderr
    assert done.requests == []
    assert done.names == ["r.json"]
    assert done.record == saved_record(**changes)


EDITED_ENDS = {
    "empty_outputs": ("执行完成", {"status": "completed", "outputs": ""}),
    "no_outputs": ("执行完成", {"status": "completed"}),
    "no_error": ("执行失败", {"status": "failed"}),
    "error_is_text": ("执行失败", {"status": "failed", "error": "x"}),
}


@pytest.mark.parametrize("case", EDITED_ENDS)
def test_ended_run_without_all_of_its_end_is_shown_again(tmp_path, capsys, case):
    shown, changes = EDITED_ENDS[case]
    path = tmp_path / "r.json"
    save(path, **changes)
    record = w.load(os.fspath(path))
    w.show(record, "")
    assert shown in capsys.readouterr().out


EDITED = {
    "numbers": {"run_id": 7, "workflow_id": 9, "status": 1},
    "list_and_text": {"status": [], "response": "x"},
}


@pytest.mark.parametrize("case", EDITED)
def test_edited_record_is_waited_for(coze, script, tmp_path, case):
    """用户改过的记录：不出 Traceback。"""
    name = "77_20251028T155840.json"
    save(tmp_path / name, **EDITED[case])
    one = script(ASYNC, coze(RUNNING), MAX_POLL_ATTEMPTS=1)
    done = one.run(name)
    expect(done, 3, "不会重复计费", status="running")
    assert len(done.requests) == 1


# ---- 别的文件：不能用，不去改它 ----


NO_RECORD = "没有发送任何请求: 不能使用记录文件 {}: "


def refuse(name):
    """不能用；不说「没有运行」：文件里的运行，也许正在进行。"""
    with pytest.raises(w.Stop) as stop:
        w.load(name)
    words, exit_status = stop.value.args
    assert words.startswith(NO_RECORD.format(name))
    assert exit_status == w.EXIT_SETTINGS
    assert NOT_RUN not in words


FOREIGN = {
    "empty": b"",
    "no_json": b"not JSON",
    "list": b"[1]",
    "no_fields": b"{}",
    "text": b'"text"',
    "no_utf_8": b"\xff\xfe\xfd",
    "deep": b"[" * 100000,
    "null": b"null",
    "number": b"7",
}


@pytest.mark.parametrize("case", FOREIGN)
def test_foreign_file_is_refused_and_left(tmp_path, capsys, case):
    path = tmp_path / "r.txt"
    path.write_bytes(FOREIGN[case])
    refuse(os.fspath(path))
    assert path.read_bytes() == FOREIGN[case]
    assert os.listdir(tmp_path) == ["r.txt"]
    assert capsys.readouterr().out == ""


NEEDED = ["run_id", "workflow_id", "status", "inputs", "created_at", "response"]


@pytest.mark.parametrize("field", NEEDED)
def test_record_without_a_field_is_refused(tmp_path, field):
    path = tmp_path / "r.json"
    save(path, **{field: None})
    refuse(os.fspath(path))


MISSING = {
    "no_name": "",
    "no_file": "missing.json",
    "folder": ".",
    "no_folder": "no/such/folder.json",
}


@pytest.mark.parametrize("case", MISSING)
def test_missing_file_is_refused(tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    refuse(MISSING[case])
    assert os.listdir(tmp_path) == []


def test_foreign_file_sends_nothing(coze, script, tmp_path):
    path = tmp_path / "r.txt"
    path.write_text("not JSON")
    done = script(ASYNC, coze()).run("r.txt")
    expect(done, 2, NO_RECORD.format("r.txt"))
    assert "没有运行" not in done.stderr
    assert done.stdout == ""
    assert done.requests == []
    assert done.names == []
    assert path.read_text() == "not JSON"
