"""两个脚本从头到尾运行：屏幕、文件、发出去的请求、轮询的节奏、替身的命令行。"""

import json
import os
import re
import signal
import subprocess
import sys

import pytest
from conftest import ASYNC, BOTH, PYTHON, ROOT, STARTED, SYNC, history, html, success
from fake_coze import WORKFLOW_ID

HEAD = """\
工作流 ID: your_workflow_id
输入参数: {
  "param1": "value1",
  "param2": "value2"
}
------------------------------------------------------------
"""
SYNC_SAMPLE = f"""\
============================================================
Coze 工作流同步执行
============================================================
{HEAD}正在发送请求...

请求成功！
============================================================
响应结果:
{{
  "run_id": "run123",
  "status": "completed",
  "output": {{
    "result": "success"
  }},
  "created_at": "2025-10-28T15:58:40Z",
  "updated_at": "2025-10-28T15:59:00Z"
}}
============================================================

结果已保存到文件: run123_20251028T155840.json

执行状态: completed
输出结果: {{
  "result": "success"
}}
"""
ASYNC_SAMPLE = f"""\
============================================================
启动 Coze 工作流异步执行
============================================================
{HEAD}正在发送异步执行请求...

异步任务已启动！
------------------------------------------------------------
启动响应:
{{
  "run_id": "run123",
  "status": "pending",
  "created_at": "2025-10-28T15:58:40Z"
}}

任务 ID (run_id): run123
初始状态: pending
============================================================

开始轮询任务状态...
------------------------------------------------------------

第 1 次查询... (等待 2 秒)
当前状态: running
更新时间: 2025-10-28T15:58:42Z
任务正在执行中...

第 2 次查询... (等待 2 秒)
当前状态: completed

任务执行完成！
============================================================
完整执行结果:
============================================================
{{
  "run_id": "run123",
  "workflow_id": "your_workflow_id",
  "status": "completed",
  "inputs": {{
    "param1": "value1",
    "param2": "value2"
  }},
  "outputs": {{
    "result": "success"
  }},
  "created_at": "2025-10-28T15:58:40Z",
  "updated_at": "2025-10-28T16:00:00Z"
}}
============================================================

结果已保存到文件: run123_20251028T155840.json

最终状态: completed

输出结果:
{{
  "result": "success"
}}

============================================================
执行完成！
============================================================
"""


def test_sync_sample_of_the_users_document(coze, script):
    reply = {"run_id": "run123", "status": "completed", "output": {"result": "success"}}
    reply.update(created_at="2025-10-28T15:58:40Z", updated_at="2025-10-28T15:59:00Z")
    done = script(SYNC, coze(reply), WORKFLOW_ID="your_workflow_id").run()
    assert (done.status, done.stdout, done.stderr) == (0, SYNC_SAMPLE, "")
    assert done.names == ["run123_20251028T155840.json"]
    assert list(done.record.items()) == [
        ("run_id", "run123"),
        ("workflow_id", "your_workflow_id"),
        ("status", "completed"),
        ("inputs", {"param1": "value1", "param2": "value2"}),
        ("outputs", {"result": "success"}),
        ("created_at", "2025-10-28T15:58:40Z"),
        ("updated_at", "2025-10-28T15:59:00Z"),
        ("response", reply),
    ]


def test_async_sample_of_the_users_document(coze, script):
    start = {"run_id": "run123", "status": "pending", "created_at": "2025-10-28T15:58:40Z"}
    running = {"run_id": "run123", "status": "running", "updated_at": "2025-10-28T15:58:42Z"}
    final = {"status": "completed", "outputs": {"result": "success"}, "updated_at": "2025-10-28T16:00:00Z"}
    server = coze(start, running, final)
    done = script(ASYNC, server, WORKFLOW_ID="your_workflow_id", INITIAL_POLL_INTERVAL=2).run()
    assert (done.status, done.stdout, done.stderr) == (0, ASYNC_SAMPLE, "")
    assert done.names == ["run123_20251028T155840.json"]
    assert done.record["response"] == final


@BOTH
def test_completed(coze, script, name):
    """对着按协议回答的替身；最后显示的运行页面和消耗来自 Coze。"""
    server = coze(seconds=0.1)
    done = script(name, server, INPUTS={"问题": "你好"}).run()
    record = done.record
    assert (done.status, done.stderr, record["status"]) == (0, "", "completed")
    assert record["outputs"] == {"output": "来自本地替身的回答", "inputs": {"问题": "你好"}}
    assert done.names == [f"{record['run_id']}_{re.sub('[-:Z]', '', record['created_at'])}.json"]
    assert f"结果已保存到文件: {done.names[0]}\n" in done.stdout
    assert "消耗 Token 数: 150\n" in done.stdout
    assert "运行详情页面（7 天内有效）: http://127.0.0.1" in done.stdout
    assert len(set(server.connections)) == 1  # 一个连接用到底


@pytest.mark.parametrize(
    ("extra", "line"),
    [({"usage": None, "token": "12"}, "消耗 Token 数: 12\n"), ({"token": 0}, ""), ({"usage": 5, "token": "0"}, "")],
)
def test_what_the_run_cost(coze, script, extra, line):
    done = script(SYNC, coze({"code": 0, "data": "x", "execute_id": "7", **extra})).run()
    assert done.stdout.endswith(f"执行状态: completed\n输出结果: x\n{line}")


# ------------------------------- 发出去的请求 -------------------------------


def test_what_is_sent(coze, script):
    server = coze()
    optional = {"BOT_ID": 7300000000000000002, "APP_ID": " 73 ", "EXT": {"user_id": "u1"}}
    optional.update(WORKFLOW_VERSION="v0.0.5", CONNECTOR_ID=1024, API_BASE=f" {server.url}// ")
    inputs = {"问题": "你好 😀", "n": 1, "url": None, "bad": "\ud800"}
    assert script(SYNC, server, WORKFLOW_ID=7400000000000000001, INPUTS=inputs, **optional).run().status == 0
    method, path, headers, body = server.requests[0]
    assert (method, path, headers["Content-Type"]) == ("POST", "/v1/workflow/run", "application/json")
    assert "你好 😀".encode() in body  # 不写成 \\uXXXX：请求体最大 20 MB
    assert json.loads(body) == {
        "workflow_id": "7400000000000000001",
        "parameters": inputs,
        "is_async": False,
        "bot_id": "7300000000000000002",
        "app_id": "73",
        "ext": {"user_id": "u1"},
        "workflow_version": "v0.0.5",
        "connector_id": "1024",
    }


@pytest.mark.parametrize(("name", "is_async"), [(SYNC, False), (ASYNC, True)])
def test_unset_options_are_absent(coze, script, name, is_async):
    server = coze()
    done = script(name, server, INPUTS={True: (1, 2), None: {}}).run()
    sent = {"workflow_id": WORKFLOW_ID, "parameters": {"true": [1, 2], "null": {}}, "is_async": is_async}
    assert json.loads(server.requests[0][3]) == sent
    assert done.record["inputs"] == sent["parameters"]


def test_ids_are_quoted_in_the_address(coze, script):
    server = coze({"execute_id": "a/b?c#d%e f"}, {"run_id": "x", "status": "completed", "output": 1})
    assert script(ASYNC, server, WORKFLOW_ID="w/1").run().status == 0
    assert server.requests[1][1] == "/v1/workflows/w%2F1/run_histories/a%2Fb%3Fc%23d%25e%20f"


# --------------------------------- 轮询的节奏 ---------------------------------


def test_first_query_of_a_live_run_is_told_in_plain_words(coze, script):
    """正式版 Coze 刚启动时查询到的是空列表：这不是问题，也不显示 JSON。"""
    done = script(ASYNC, coze()).run(stderr=subprocess.STDOUT)
    between = done.stdout[done.stdout.index("第 1 次查询") : done.stdout.index("第 2 次查询")]
    assert "Coze 还没有这次运行的状态" in between
    assert "{" not in between


def test_intervals_grow_and_fall_back(coze, script):
    replies = [STARTED, {"code": 0, "data": []}, history("Running"), history("Running"), history("Queueing")]
    server = coze(*replies, history("Success", output="x", update_time=1730174063))
    done = script(ASYNC, server, INITIAL_POLL_INTERVAL=0.04, MAX_POLL_INTERVAL=0.05).run()
    assert done.status == 0
    waits = re.findall(r"第 (\d) 次查询\.\.\. \(等待 (\S+) 秒\)", done.stdout)
    assert waits == [("1", "0.04"), ("2", "0.05"), ("3", "0.04"), ("4", "0.05"), ("5", "0.04")]
    assert "当前状态: Queueing\n\n第 5 次" in done.stdout
    assert "更新时间" not in done.stdout  # 运行已经结束，不再显示


def test_failed_query_counts_and_backs_off(coze, script):
    server = coze(STARTED, *[html(502)] * 5)
    done = script(ASYNC, server, MAX_POLL_INTERVAL=1, MAX_POLL_ATTEMPTS=3).run()
    assert (done.status, len(server.requests)) == (3, 4)
    assert re.findall(r"等待 (\S+) 秒", done.stdout) == ["0.02", "0.03", "0.045"]


# -------------------------------- 结束的各种样子 --------------------------------


@pytest.mark.parametrize("state", ["Fail", "Cancel"])
def test_failed_async_run(coze, script, state):
    done = script(ASYNC, coze(STARTED, history(state, error_code="5000", error_message="node broke"))).run()
    assert (done.status, done.record["error"]) == (1, {"code": "5000", "message": "node broke"})
    assert "任务执行失败！" in done.stdout
    assert "最终状态: failed" in done.stdout
    assert "执行完成" not in done.stdout
    assert [word for word in ["node broke", "5000", "稍后再试", "会计费"] if word not in done.stderr] == []


def test_sync_reply_in_the_shape_of_a_history(coze, script):
    done = script(SYNC, coze(history("Success", output='{"Output": "[1]"}', create_time=1730174063))).run()
    assert (done.status, done.record["outputs"], done.names) == (0, [1], ["7_20241029T035423.json"])


def test_question_that_comes_while_polling(coze, script):
    done = script(ASYNC, coze(STARTED, history(None, interrupt_data={"data": "你几岁？"}))).run()
    assert (done.status, done.record["status"]) == (1, "failed")
    assert "问题: 你几岁？" in done.stderr


@BOTH
def test_trimmed_output_is_told(coze, script, name):
    last = success(name, "x")[-1]
    trimmed = {**last, "is_output_trimmed": True} if name == SYNC else history("Success", is_output_trimmed=True)
    done = script(name, coze(*success(name, "x")[:-1], trimmed)).run()
    assert done.status == 0
    assert "is_output_trimmed" in done.stderr


@BOTH
def test_result_without_an_id_is_saved(coze, script, name):
    server = coze(*[{"code": 0, "data": "the text", "created_at": 1730174063}] * 2)
    one = script(name, server)
    done = one.run()
    assert (done.status, done.record["outputs"]) == (0, "the text")
    assert re.fullmatch("unknown-[0-9a-f]{8}", done.record["run_id"])
    assert done.names[0].startswith(done.record["run_id"] + "_")
    assert len(one.run().names) == 2  # 同一秒的两次运行也不会是同一个文件


@pytest.mark.parametrize(
    ("name", "reply", "message"),
    [
        (SYNC, {"status": "failed", "error": {"code": "X1", "message": "node 3 crashed"}}, "node 3 crashed"),
        (ASYNC, {"code": 0, "execute_status": "Fail", "error_message": "no luck"}, "no luck"),
        (SYNC, {"code": 0, "interrupt_data": {"data": "how old?"}}, "how old?"),
    ],
)
def test_failed_run_without_an_id_is_recorded(coze, script, name, reply, message):
    """回复明说运行失败了：这次运行发生过，不能说没有运行。"""
    done = script(name, coze(reply)).run()
    assert (done.status, done.record["status"]) == (1, "failed")
    assert message in done.record["error"]["message"]
    assert message in done.stderr
    assert "没有运行" not in done.stderr
    assert done.record["run_id"].startswith("unknown-")


def test_started_run_that_already_ended_is_not_polled(coze, script):
    server = coze({"run_id": "r1", "status": "completed", "output": [1]})
    done = script(ASYNC, server).run()
    assert (done.status, len(server.requests), done.record["outputs"]) == (0, 1, [1])
    assert "第 1 次查询" not in done.stdout


# ---------------------------------- 替身的命令行 ----------------------------------


def stand_in(*args, **options):
    command = [sys.executable, "-u", os.fspath(ROOT / "tests/fake_coze.py"), *args]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)


@BOTH
def test_stand_in_runs_a_script(script, tmp_path, name):
    """系统代理（这里是一个关着的端口）不能拦截发往本机的请求。"""
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "HTTP_PROXY": "http://127.0.0.1:9"}
    process = stand_in("--at-once", script(name).path.name, cwd=tmp_path, env=environment)
    assert (process.communicate(timeout=20)[1], process.returncode) == (b"", 0)
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_stand_in_returns_the_exit_status(tmp_path):
    (tmp_path / "seven.py").write_text("import sys; print(sys.argv[1:]); sys.exit(7)")
    process = stand_in("seven.py", "--help", "-x", cwd=tmp_path)
    assert (process.communicate(timeout=20)[0].strip(), process.returncode) == (b"['--help', '-x']", 7)


@pytest.mark.posix
def test_stand_in_serves_until_ctrl_c(script):
    """打印出来的每一行都可以粘贴到另一个终端里。"""
    one = script(SYNC)
    server = stand_in("--at-once", env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    one.processes.append(server)
    lines = [server.stdout.readline().decode("utf-8").strip() for _ in range(6)]
    command = "\n".join([*lines[1:], f"exec '{PYTHON}' {SYNC}"])
    run = subprocess.run(["sh", "-c", command], cwd=one.folder, env=one.environment, capture_output=True, check=False)
    assert (run.returncode, run.stderr) == (0, b"")
    server.send_signal(signal.SIGINT)
    assert server.wait(10) == 0


def test_wrong_token_at_the_stand_in_says_where_it_is(coze, script):
    done = script(SYNC, coze(), YOUR_ACCESS_TOKEN="pat_wrong").run()
    assert done.status == 1
    assert [word for word in ["4100", "COZE_API_TOKEN"] if word not in done.stderr] == []
