"""两个脚本从头到尾运行：屏幕、文件、发出去的请求、轮询的节奏、替身的命令行。"""

import json
import os
import re
import signal
import sys

import pytest
from conftest import ASYNC, BOTH, PYTHON, ROOT, STARTED, SYNC, expect, history, html, success
from fake_coze import WORKFLOW_ID, Reply

SYNC_SAMPLE, ASYNC_SAMPLE = re.findall(
    "```\n(.*?)```", (ROOT / "tests/samples.md").read_text("utf-8"), re.DOTALL
)


def test_sync_sample_of_the_users_document(run):
    times = {"created_at": "2025-10-28T15:58:40Z", "updated_at": "2025-10-28T15:59:00Z"}
    reply = {"run_id": "run123", "status": "completed", "output": {"result": "success"}, **times}
    done = run(SYNC, reply, WORKFLOW_ID="your_workflow_id")
    assert (done.status, done.stdout, done.stderr) == (0, SYNC_SAMPLE, "")
    record = {"run_id": "run123", "workflow_id": "your_workflow_id", "status": "completed"}
    record.update(
        inputs={"param1": "value1", "param2": "value2"},
        outputs=reply["output"],
        **times,
        response=reply,
    )
    assert (done.names, list(done.record.items())) == (
        ["run123_20251028T155840.json"],
        list(record.items()),
    )


def test_async_sample_of_the_users_document(run):
    start = {"run_id": "run123", "status": "pending", "created_at": "2025-10-28T15:58:40Z"}
    running = {"run_id": "run123", "status": "running", "updated_at": "2025-10-28T15:58:42Z"}
    final = {
        "status": "completed",
        "outputs": {"result": "success"},
        "updated_at": "2025-10-28T16:00:00Z",
    }
    done = run(
        ASYNC, start, running, final, WORKFLOW_ID="your_workflow_id", INITIAL_POLL_INTERVAL=2
    )
    assert (done.status, done.stdout, done.stderr) == (0, ASYNC_SAMPLE, "")
    assert (done.names, done.record["response"]) == (["run123_20251028T155840.json"], final)


@BOTH
def test_completed(coze, script, name):
    """对着按协议回答的替身；最后显示的运行页面和消耗来自 Coze。"""
    one = script(name, coze(seconds=0.1), INPUTS={"问题": "你好"})
    done = one.run()
    record = done.record
    assert (done.status, done.stderr, record["status"]) == (0, "", "completed")
    assert record["outputs"] == {"output": "来自本地替身的回答", "inputs": {"问题": "你好"}}
    assert done.names == [f"{record['run_id']}_{re.sub('[-:Z]', '', record['created_at'])}.json"]
    assert f"结果已保存到文件: {done.names[0]}\n" in done.stdout
    assert "消耗 Token 数: 150\n" in done.stdout
    assert "运行详情页面（7 天内有效）: http://127.0.0.1" in done.stdout
    assert len(set(one.server.connections)) == 1  # 一个连接用到底
    if name == ASYNC:  # 刚启动时查询到的是空列表：这不是问题，也不显示 JSON
        between = done.stdout[done.stdout.index("第 1 次查询") : done.stdout.index("第 2 次查询")]
        assert ("Coze 还没有这次运行的状态" in between, "{" in between) == (True, False)


def test_what_is_sent(coze, script):
    server = coze()
    optional = {"BOT_ID": "7300000000000000002", "APP_ID": "73", "EXT": {"user_id": "u1"}}
    optional.update(WORKFLOW_VERSION="v0.0.5", CONNECTOR_ID="1024", API_BASE=f" {server.url}// ")
    inputs = {"问题": "你好 😀", "n": 1, "url": None}
    assert (
        script(SYNC, server, WORKFLOW_ID=7400000000000000001, INPUTS=inputs, **optional)
        .run()
        .status
        == 0
    )
    method, path, headers, body = server.requests[0]
    assert (method, path, headers["Content-Type"]) == (
        "POST",
        "/v1/workflow/run",
        "application/json",
    )
    assert "你好 😀".encode() in body  # 不写成 \\uXXXX：请求体最大 20 MB
    sent = {
        "workflow_id": "7400000000000000001",
        "parameters": inputs,
        "is_async": False,
        "ext": {"user_id": "u1"},
    }
    sent.update(
        bot_id="7300000000000000002", app_id="73", workflow_version="v0.0.5", connector_id="1024"
    )
    assert json.loads(body) == sent


@BOTH
def test_unset_options_are_absent(run, name):
    done = run(name, INPUTS={True: (1, 2), None: {}})
    sent = {
        "workflow_id": WORKFLOW_ID,
        "parameters": {"true": [1, 2], "null": {}},
        "is_async": name == ASYNC,
    }
    assert (json.loads(done.requests[0][3]), done.record["inputs"]) == (sent, sent["parameters"])


def test_address_of_a_query(run):
    """ID 要转义；地址的写法不能把请求发到别处去。"""
    addresses = {
        "/v1/{workflow_id}/x/{execute_id}": "/v1/w%2F1/x/a%2Fb%3Fc%23d%25e%20f",
        "@elsewhere.example/{workflow_id}/{execute_id}": "/@elsewhere.example/w%2F1/a%2Fb%3Fc%23d%25e%20f",
    }
    for path, address in addresses.items():
        start, end = {"execute_id": "a/b?c#d%e f"}, history("Success", output="x")
        done = expect(run(ASYNC, start, end, WORKFLOW_ID="w/1", RUN_HISTORY_PATH=path), 0)
        assert done.requests[1][1] == address


def test_intervals_grow_and_fall_back(run):
    states = [history("Running"), history("Running"), history("Queueing")]
    end = history("Success", output="x", update_time=1730174063)
    replies = STARTED, {"code": 0, "data": []}, *states, end
    done = run(ASYNC, *replies, INITIAL_POLL_INTERVAL=0.04, MAX_POLL_INTERVAL=0.05)
    waits = re.findall(r"第 (\d) 次查询\.\.\. \(等待 (\S+) 秒\)", done.stdout)
    assert waits == [("1", "0.04"), ("2", "0.05"), ("3", "0.04"), ("4", "0.05"), ("5", "0.04")]
    assert "当前状态: Queueing\n\n第 5 次" in done.stdout
    assert (done.status, "更新时间" in done.stdout) == (0, False)  # 运行已经结束，不再显示
    done = run(ASYNC, STARTED, *[html(502)] * 5, MAX_POLL_INTERVAL=1, MAX_POLL_ATTEMPTS=3)
    assert (done.status, len(done.requests)) == (3, 4)
    assert re.findall(r"等待 (\S+) 秒", done.stdout) == ["0.02", "0.03", "0.045"]


NODE_3 = {"status": "failed", "error": {"code": "X1", "message": "node 3 crashed"}}
COST, BROKE = "执行状态: completed\n输出结果: x\n", {"code": "5000", "message": "broke"}
BY_URL = {"debug_url": "https://x/?execute_id=7&space_id=1"}
ENDED_AT_ONCE = {"run_id": "r1", "status": "completed", "output": [1]}
BROKEN = {"error_code": "5000", "error_message": "broke"}
NODE_3 = {"status": "failed", "error": {"code": "X1", "message": "node 3 crashed"}}
COST, BROKE = "执行状态: completed\n输出结果: x\n", {"code": "5000", "message": "broke"}
ENDINGS = [
    (SYNC, [{"data": "x", "usage": None, "token": "12"}], f"{COST}消耗 Token 数: 12\n", {}),
    (SYNC, [{"data": "x", "usage": 5, "token": "0"}], f"{COST}|", {}),
    (SYNC, [{"data": "x", "is_output_trimmed": True}], "is_output_trimmed", {}),
    (SYNC, [{**NODE_3, "run_id": "7"}], "node 3 crashed", {"error": NODE_3["error"]}),
    (SYNC, [{"code": 4000, "msg": "m", **BY_URL}], "INPUTS", {"status": "failed"}),
    (SYNC, [Reply({"code": 5000, "msg": "m", **BY_URL}, 400)], "稍后再试", {"status": "failed"}),
    (ASYNC, [STARTED, history("Success", is_output_trimmed=True)], "is_output_trimmed", {}),
    (ASYNC, [STARTED, history("success", output="x")], "执行完成", {"outputs": "x"}),
    (ASYNC, [ENDED_AT_ONCE], "异步任务已启动", {"outputs": [1]}),
    (ASYNC, [STARTED, history("Fail", **BROKEN)], "稍后再试", {"error": BROKE}),
    (ASYNC, [STARTED, history("Cancel", error_message="stop")], "检查工作流", {"run_id": "7"}),
    (ASYNC, [STARTED, history("Timeout")], "没有说明原因", {"status": "failed"}),
]


@pytest.mark.parametrize(("name", "replies", "words", "fields"), ENDINGS)
def test_endings(run, name, replies, words, fields):
    done = run(name, *replies)
    failed = done.record["status"] == "failed"
    told = ["\n运行失败: ", done.record["error"]["message"], "已经发生，会计费"] if failed else []
    told += [words] if words == "is_output_trimmed" else []  # 别的成功不写标准错误
    expect(done, int(failed), *told, **fields)
    assert words in f"{done.stdout}|{done.stderr}"
    assert ("执行完成" in done.stdout) == (name == ASYNC and not failed)
    assert ("失败！" in done.stdout) == (name == ASYNC and failed)
    assert len(done.requests) == len(replies)
    assert not re.search("没有运行|错误码: \n", done.stderr)


def test_result_without_an_id_is_saved(coze, script):
    replies = [{"code": 0, "data": "the text", "created_at": 1730174063}] * 2
    one = script(SYNC, coze(*replies))
    done = expect(one.run(), 0, outputs="the text")
    assert re.fullmatch("unknown-[0-9a-f]{8}_20241029T035423.json", done.names[0])
    assert done.names[0].startswith(done.record["run_id"] + "_")
    assert len(one.run().names) == 2  # 同一秒的两次运行也不会是同一个文件
    done = expect(script(ASYNC, coze(*replies)).run(), 1, "the text", "可能正在运行并计费")
    assert len(done.names) == 2  # 异步没有 ID 就没有可以等的


QUESTION = {"event_id": "1/2", "type": 2, "data": '{"content_type":"text","content":"您几岁？"}'}


@BOTH
def test_run_that_waits_at_a_question(coze, script, name):
    """不是失败：退出状态 3，问题，回答它的页面，接着等的命令；回答以后，接着等到结果。"""
    page = "https://www.coze.cn/work_flow?execute_id=7"
    waiting = {"interrupt_data": QUESTION, "debug_url": page}
    start = [STARTED, history("Running", **waiting)]
    if name == SYNC:
        start = [{"code": 0, "execute_id": "7", "data": "", **waiting}]
    server = coze(*start)
    one = script(name, server)
    done = expect(one.run(), 3, "问题: 您几岁？\n", page, "不会重复计费", status="interrupted")
    assert not re.search("检查工作流|失败", done.stderr + done.stdout)
    assert done.command[1:] == [ASYNC, done.names[0]]
    assert ("先填好" in done.stderr) == (name == SYNC)
    server.replies.extend(
        [Reply(history("Running", **waiting)), Reply(history("Success", output="x"))]
    )
    again = script(ASYNC, server)
    expect(again.run(done.names[0]), 3, "您几岁？", status="interrupted")  # 还没有回答
    expect(again.run(done.names[0]), 0, status="completed", outputs="x")


def test_studio_that_waits_says_no_question(run):
    done = expect(run(ASYNC, STARTED, history("<UNSET>")), 3, "等待一个回答", status="interrupted")
    assert not re.search("问题:|None", done.stderr)


def test_empty_interrupt_is_none(run):
    empty = {"interrupt_data": {"event_id": "", "type": 0, "data": ""}}
    expect(run(SYNC, {"code": 0, "execute_id": "7", "data": "x", **empty}), 0, outputs="x")


@BOTH
def test_pipe_gets_no_byte_of_the_counter(run, name):
    *start, end = success(name, "x")
    done = run(name, *start, Reply(end, delay=1.2))
    assert (done.status, re.search("\r|已等待", done.stdout)) == (0, None)


STAND_IN = [sys.executable, "-u", os.fspath(ROOT / "tests/fake_coze.py")]


@BOTH
def test_stand_in_runs_a_script(script, name):
    """系统代理（这里是一个关着的端口）不能拦截发往本机的请求。参数和退出状态都传过去。"""
    one = script(name)
    one.environment["HTTP_PROXY"] = "http://127.0.0.1:9"
    done = one.run(command=[*STAND_IN, "--at-once", name])
    assert (done.status, done.stderr, done.record["status"]) == (0, "", "completed")
    assert expect(one.run(command=[*STAND_IN, name, "--nonsense"]), 2, "--nonsense").stdout == ""


@pytest.mark.posix
def test_stand_in_serves_until_ctrl_c(script):
    """打印出来的每一行都可以粘贴到另一个终端里。"""
    one = script(SYNC)
    server = one.start(command=[*STAND_IN, "--at-once"])
    lines = [server.stdout.readline().decode("utf-8").strip() for _ in range(6)]
    done = one.run(command=["sh", "-c", "\n".join([*lines[1:], f"exec '{PYTHON}' {SYNC}"])])
    assert (done.status, done.stderr) == (0, "")
    server.send_signal(signal.SIGINT)
    assert server.wait(10) == 0


def test_wrong_token_at_the_stand_in_says_where_it_is(run):
    expect(run(SYNC, YOUR_ACCESS_TOKEN="pat_wrong"), 1, "4100", "COZE_API_TOKEN")
