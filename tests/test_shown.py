"""屏幕上显示的，就是发生了的；屏幕不好用的时候，结果也不会少。"""

import json
import os
import re

import pytest
from conftest import (
    ASYNC,
    BOTH,
    FAST,
    MB,
    PYTHON,
    ROOT,
    STARTED,
    SYNC,
    TIMES,
    Finished,
    expect,
    history,
    success,
)
from fake_coze import TOKEN, WORKFLOW_ID, Reply

import workflow_async
import workflow_sync

MODULES = {SYNC: workflow_sync, ASYNC: workflow_async}


@pytest.fixture
def run_here(coze, tmp_path, monkeypatch, capsys):
    """像 run，只是不启动进程，就在这里调用 main；连接和文件还是真的。"""

    def call(name, *replies):
        server = coze(*replies)
        settings = {"SCRIPT": "", "INPUTS": {}, "FILES": {}, "IS_COZE": None}
        settings.update(BASE=server.url, TOKEN=TOKEN, WORKFLOW=WORKFLOW_ID)
        for setting, value in settings.items():
            monkeypatch.setattr(MODULES[name], setting, value)
        for setting, value in FAST.items():
            monkeypatch.setattr(workflow_async, setting, value)
        for variable, value in server.environment.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.chdir(tmp_path)
        status = MODULES[name].main()
        screen = capsys.readouterr()
        return Finished(status, screen.out, screen.err, tmp_path, server)

    return call


# ---- 用户的文档里的两个示例，一个字也不差 ----

SAMPLES = (ROOT / "tests/samples.md").read_text(encoding="utf-8")
SYNC_SAMPLE, ASYNC_SAMPLE = re.findall("```\n(.*?)```", SAMPLES, re.DOTALL)
SAMPLE_WORKFLOW = "your_workflow_id"
SAMPLE_NAME = "run123_20251028T155840.json"


def test_sync_sample_of_the_users_document(run):
    times = {**TIMES, "updated_at": "2025-10-28T15:59:00Z"}
    outputs = {"result": "success"}
    reply = {"run_id": "run123", "status": "completed", "output": outputs, **times}
    done = expect(run(SYNC, reply, WORKFLOW_ID=SAMPLE_WORKFLOW), 0)
    assert done.stdout == SYNC_SAMPLE
    assert done.names == [SAMPLE_NAME]
    record = {
        "run_id": "run123",
        "workflow_id": SAMPLE_WORKFLOW,
        "status": "completed",
        "inputs": {"param1": "value1", "param2": "value2"},
        "outputs": outputs,
        **times,
        "response": reply,
    }
    assert list(done.record.items()) == list(record.items())


def test_async_sample_of_the_users_document(coze, script):
    """两次查询都说等 2 秒，只是在这里不真的等那么久。"""
    start = {"run_id": "run123", "status": "pending"}
    start["created_at"] = "2025-10-28T15:58:40Z"
    running = {"run_id": "run123", "status": "running"}
    running["updated_at"] = "2025-10-28T15:58:42Z"
    end = {"status": "completed", "outputs": {"result": "success"}}
    end["updated_at"] = "2025-10-28T16:00:00Z"
    server = coze(start, running, end)
    settings = {"WORKFLOW_ID": SAMPLE_WORKFLOW, "INITIAL_POLL_INTERVAL": 2}
    one = script(ASYNC, server, **settings)
    one.rewrite(" wait(interval)", " wait(interval / 100)")
    done = expect(one.run(), 0)
    assert done.stdout == ASYNC_SAMPLE
    assert done.names == [SAMPLE_NAME]
    assert done.record["response"] == end


# ---- 成功 ----


@BOTH
def test_completed(coze, script, name):
    """对着按协议回答的替身；最后显示的运行页面和消耗来自 Coze。"""
    inputs = {"问题": "你好"}
    one = script(name, coze(), INPUTS=inputs)
    done = expect(one.run(), 0, status="completed", inputs=inputs)
    record = done.record
    assert record["outputs"] == {"output": "来自本地替身的回答", "inputs": inputs}
    moment = re.sub("[-:Z]", "", record["created_at"])
    (path,) = done.names
    assert path == f"{record['run_id']}_{moment}.json"
    assert f"结果已保存到文件: {path}\n" in done.stdout
    assert "消耗 Token 数: 150\n" in done.stdout
    assert "运行详情页面（7 天内有效）: http://127.0.0.1" in done.stdout
    assert len(set(one.server.connections)) == 1  # 一个连接用到底


def test_history_that_is_still_empty_is_no_problem(run_here):
    """刚启动时都是这样，所以说一句话，不显示 JSON。"""
    done = expect(run_here(ASYNC), 0)
    start = done.stdout.index("第 1 次查询")
    end = done.stdout.index("第 2 次查询")
    between = done.stdout[start:end]
    assert "Coze 还没有这次运行的状态" in between
    assert "{" not in between


def test_pipe_gets_no_byte_of_the_counter(run):
    """等了几秒，只显示在终端上；异步脚本不显示它。"""
    (end,) = success(SYNC, "x")
    late = Reply(end, delay=0.3)
    done = expect(run(SYNC, late), 0)
    assert "\r" not in done.stdout
    assert "已等待" not in done.stdout


COST = "执行状态: completed\n输出结果: x\n"
NO_INTERRUPT = {"event_id": "", "type": 0, "data": ""}
LAST_WORDS = {
    "tokens": (
        {"data": "x", "usage": None, "token": "12"},
        f"{COST}消耗 Token 数: 12\n",
    ),
    "no_tokens": (
        {"data": "x", "usage": 5, "token": "0"},
        COST,
    ),
    "empty_interrupt": (
        {"code": 0, "execute_id": "7", "data": "x", "interrupt_data": NO_INTERRUPT},
        COST,
    ),
}


@pytest.mark.parametrize("case", LAST_WORDS)
def test_last_words_of_a_sync_run(run_here, case):
    reply, words = LAST_WORDS[case]
    done = run_here(SYNC, reply)
    expect(done, 0, status="completed", outputs="x")
    assert done.stdout.endswith(words)
    assert len(done.requests) == 1


ASYNC_ENDS = {
    "state_in_small_letters": [STARTED, history("success", output="x")],
    "ended_at_once": [{"run_id": "r1", "status": "completed", "output": "x"}],
}


@pytest.mark.parametrize("case", ASYNC_ENDS)
def test_completed_async_run(run_here, case):
    replies = ASYNC_ENDS[case]
    done = run_here(ASYNC, *replies)
    expect(done, 0, status="completed", outputs="x")
    assert "异步任务已启动！" in done.stdout
    assert "执行完成！" in done.stdout
    assert "失败！" not in done.stdout
    assert len(done.requests) == len(replies)


TRIMMED = "\n注意: 输出太大，Coze 把它截断了（is_output_trimmed），结果不完整。\n"


@BOTH
def test_output_that_was_trimmed(run_here, name):
    replies = success(name, "x", is_output_trimmed=True)
    done = run_here(name, *replies)
    expect(done, 0, TRIMMED, status="completed", outputs="x")
    assert done.stderr == TRIMMED
    assert "completed" in done.stdout


# ---- 失败 ----


def script_of(case):
    """名字以 sync_ 开头的是同步脚本的，以 async_ 开头的是异步脚本的。"""
    return {"sync": SYNC, "async": ASYNC}[case.split("_")[0]]


BY_URL = {"debug_url": "https://x/?execute_id=7&space_id=1"}
NODE_3 = {"code": "X1", "message": "node 3 crashed"}
BROKEN = {"code": "5000", "message": "broke"}
FAILED = {
    "sync_error_of_a_gateway": (
        [{"run_id": "7", "status": "failed", "error": NODE_3}],
        "检查工作流",
        NODE_3,
    ),
    "sync_refusal_of_a_run": (
        [{"code": 4000, "msg": "m", **BY_URL}],
        "INPUTS",
        {"code": "4000", "message": "m"},
    ),
    "sync_http_error": (
        [Reply({"code": 5000, "msg": "m", **BY_URL}, 400)],
        "稍后再试",
        {"code": "5000", "message": "m"},
    ),
    "async_fail": (
        [STARTED, history("Fail", error_code="5000", error_message="broke")],
        "稍后再试",
        BROKEN,
    ),
    "async_cancel": (
        [STARTED, history("Cancel", error_message="stop")],
        "检查工作流",
        {"code": "", "message": "stop"},
    ),
    "async_timeout": (
        [STARTED, history("Timeout")],
        "没有说明原因",
        {"code": "", "message": ""},
    ),
}


def check_failure(done, name, error):
    """失败的运行：退出状态 1，说失败了，为什么，会计费；不说没有运行。"""
    told = ["\n运行失败: ", error["message"], "已经发生，会计费"]
    expect(done, 1, *told, run_id="7", status="failed", error=error)
    is_async = name == ASYNC
    assert ("失败！" in done.stdout) == is_async
    assert "执行完成" not in done.stdout
    assert "没有运行" not in done.stderr
    assert "错误码: \n" not in done.stderr


@pytest.mark.parametrize("case", FAILED)
def test_failed_run(run_here, case):
    replies, advice, error = FAILED[case]
    name = script_of(case)
    done = run_here(name, *replies)
    check_failure(done, name, error)
    assert advice in done.stderr
    assert len(done.requests) == len(replies)


@pytest.mark.parametrize("case", ["sync_refusal_of_a_run", "async_fail"])
def test_failed_run_ends_the_process(run, case):
    replies, advice, error = FAILED[case]
    name = script_of(case)
    done = run(name, *replies)
    check_failure(done, name, error)
    assert advice in done.stderr


# ---- 提问 ----

PAGE = "https://www.coze.cn/work_flow?execute_id=7"
QUESTION = {
    "event_id": "1/2",
    "type": 2,
    "data": '{"content_type":"text","content":"您几岁？"}',
}
WAITING = {"interrupt_data": QUESTION, "debug_url": PAGE}
INTERRUPTED = {
    SYNC: [{"code": 0, "execute_id": "7", "data": "", **WAITING}],
    ASYNC: [STARTED, history("Running", **WAITING)],
}


@BOTH
def test_run_that_waits_at_a_question(coze, script, name):
    """不是失败：退出状态 3，问题，回答它的页面，接着等的命令；回答以后，接着等到结果。"""
    server = coze(*INTERRUPTED[name])
    done = script(name, server).run()
    expect(done, 3, "问题: 您几岁？\n", PAGE, "不会重复计费", status="interrupted")
    for word in ("失败", "检查工作流"):
        assert word not in done.stdout + done.stderr
    is_sync = name == SYNC
    assert ("先填好" in done.stderr) == is_sync
    (path,) = done.names
    assert done.command[1:] == [ASYNC, path]
    server.replies.append(Reply(history("Success", output="x")))
    answered = script(ASYNC, server).run(path)
    expect(answered, 0, status="completed", outputs="x")


def test_question_that_is_not_answered_yet_is_told_again(coze, script, tmp_path):
    record = {"run_id": "7", "workflow_id": "w1", "status": "interrupted", "inputs": {}}
    record.update(**TIMES, response=INTERRUPTED[SYNC][0])
    (tmp_path / "r.json").write_text(json.dumps(record), encoding="utf-8")
    server = coze(history("Running", **WAITING))
    done = script(ASYNC, server).run("r.json")
    expect(done, 3, "问题: 您几岁？\n", PAGE, status="interrupted")
    assert done.command[1:] == [ASYNC, "r.json"]


def test_studio_that_waits_says_no_question(run_here):
    done = run_here(ASYNC, STARTED, history("<UNSET>"))
    expect(done, 3, "等待一个回答", status="interrupted")
    assert "问题:" not in done.stderr
    assert "None" not in done.stderr


# ---- 屏幕不好用 ----

GONE = {
    "sync_stdout_closed": ">&-",
    "async_stdout_closed": ">&-",
    "async_stderr_closed": "2>&-",
    "sync_both_closed": ">&- 2>&-",
    "sync_stdout_full": "> /dev/full",
    "async_stdout_full": "> /dev/full",
    "sync_stderr_full": "2> /dev/full",
    "sync_nobody_reads": "| true",
    "async_somebody_reads_a_little": "2>&1 | head -c 9",
}


def run_with(one, how):
    """运行脚本，它的屏幕是 how（shell 的写法），退出状态写进文件 status。"""
    redirected, pipe, reader = how.partition("|")
    line = f"'{PYTHON}' {one.path.name} {redirected}"
    line = f"({line}; echo $? > status) {pipe} {reader}"
    return one.run(command=["sh", "-c", line])


@pytest.mark.posix
@pytest.mark.parametrize("case", GONE)
def test_screen_that_is_gone_only_silences(coze, script, tmp_path, case):
    """退出状态和另一个流都不变，结果在文件里。输出被截断了：两个流都有话要说。"""
    how = GONE[case]
    if how.endswith("/dev/full") and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    name = script_of(case)
    replies = success(name, "x" * MB, is_output_trimmed=True)
    one = script(name, coze(*replies))
    if name == SYNC:
        one.environment["PYTHONUNBUFFERED"] = "1"
    done = run_with(one, how)
    assert (tmp_path / "status").read_text() == "0\n"
    assert done.record["outputs"] == "x" * MB
    if "2>" in how:
        assert done.stderr == ""
    else:
        assert done.stderr == TRIMMED


STRANGE = "表情 😀 代理 \ud83d 空 \0 转义 \x1b[31m 分隔 \u2028 é"
CONSOLES = {"sync_gbk": "gbk", "async_ascii": "ascii:strict"}


@pytest.mark.parametrize("case", CONSOLES)
def test_console_that_cannot_print(coze, script, case):
    """屏幕上写成 \\u…，文件里一个字也不少。"""
    name = script_of(case)
    outputs = {"文本": STRANGE}
    inputs = {"输入": STRANGE.replace("\ud83d", "")}
    replies = success(name, json.dumps(outputs), msg=STRANGE)
    server = coze(*[Reply(json.dumps(reply)) for reply in replies])
    one = script(name, server, INPUTS=inputs)
    one.environment["PYTHONIOENCODING"] = CONSOLES[case]
    done = expect(one.run(), 0, outputs=outputs, inputs=inputs)
    assert "completed" in done.stdout
    assert done.record["response"] == replies[-1]
    path = one.folder / done.names[0]
    assert "表情 😀" in path.read_text(encoding="utf-8")


def test_record_that_is_nowhere_is_not_called_printed():
    words = workflow_async.describe_unsaved("磁盘满了", "a.json", printed=False)
    assert "磁盘满了" in words
    assert "记录也没有能打印出来" in words
    assert "打印在上面" not in words
