"""两个脚本对着替身从头到尾运行。"""

import os
import re
import signal
import subprocess
import sys

import pytest
from conftest import ASYNC, ROOT, STARTED, SYNC, history
from fake_coze import TOKEN, Reply


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_completed(coze, script, name):
    done = script(name, coze(seconds=0.1), INPUTS={"问题": "你好"}).run()
    assert done.status == 0
    record = done.record
    assert record["outputs"] == {"output": "来自本地替身的回答", "inputs": {"问题": "你好"}}
    assert record["status"] == "completed"
    assert done.names == [f"{record['run_id']}_{re.sub('[-:Z]', '', record['created_at'])}.json"]
    assert '"问题": "你好"' in done.stdout
    assert f"结果已保存到文件: {done.names[0]}\n" in done.stdout
    assert "消耗 Token 数: 150\n" in done.stdout
    assert "运行详情页面（7 天内有效）: http://127.0.0.1" in done.stdout


def test_one_connection_serves_the_whole_run(coze, script):
    server = coze()
    assert script(ASYNC, server).run().status == 0
    assert len(server.requests) == 4
    assert len(set(server.connections)) == 1


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
    server = coze(STARTED, *[Reply("<html>bad gateway</html>", 502)] * 5)
    done = script(ASYNC, server, INITIAL_POLL_INTERVAL=0.02, MAX_POLL_INTERVAL=1, MAX_POLL_ATTEMPTS=3).run()
    assert (done.status, len(server.requests)) == (3, 4)
    assert re.findall(r"等待 (\S+) 秒", done.stdout) == ["0.02", "0.03", "0.045"]
    assert done.stderr.count("HTTP 502") == 3
    assert "<html>bad gateway</html>" in done.stderr


def test_attempts_used_up(coze, script):
    done = script(ASYNC, coze(STARTED, *[history("Running")] * 3), MAX_POLL_ATTEMPTS=2).run()
    assert (done.status, done.record["status"]) == (3, "running")
    assert f"python workflow_async.py {done.names[0]}\n" in done.stderr
    assert "执行完成" not in done.stdout


@pytest.mark.parametrize("state", ["Fail", "Cancel"])
def test_failed_async_run(coze, script, state):
    done = script(ASYNC, coze(STARTED, history(state, error_code="5000", error_message="node broke"))).run()
    assert (done.status, done.record["status"]) == (1, "failed")
    assert done.record["error"] == {"code": "5000", "message": "node broke"}
    assert "任务执行失败！" in done.stdout
    assert "最终状态: failed" in done.stdout
    assert "执行完成" not in done.stdout
    assert "node broke" in done.stderr


def test_question_is_shown(coze, script):
    reply = {"code": 0, "execute_id": "7", "interrupt_data": {"data": "你几岁？", "type": 2, "event_id": "e"}}
    done = script(SYNC, coze(reply)).run()
    assert (done.status, done.record["status"]) == (1, "failed")
    assert "你几岁？" in done.stderr


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_trimmed_output_is_told(coze, script, name):
    trimmed = history("Success", output="x", is_output_trimmed=True)
    replies = [STARTED, trimmed] if name == ASYNC else [{"code": 0, "data": "x", "is_output_trimmed": True}]
    done = script(name, coze(*replies)).run()
    assert done.status == 0
    assert "is_output_trimmed" in done.stderr


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_result_without_an_id_is_saved(coze, script, name):
    done = script(name, coze({"code": 0, "data": "the text"})).run()
    assert done.status == 0
    assert re.fullmatch("unknown-[0-9a-f]{8}", done.record["run_id"])
    assert done.names[0].startswith(done.record["run_id"] + "_")
    assert done.record["outputs"] == "the text"
    if name == SYNC:
        assert done.stdout.endswith("执行状态: completed\n输出结果: the text\n")


def test_started_run_that_already_ended_is_not_polled(coze, script):
    server = coze({"run_id": "r1", "status": "completed", "output": [1]})
    done = script(ASYNC, server).run()
    assert (done.status, len(server.requests), done.record["outputs"]) == (0, 1, [1])
    assert "第 1 次查询" not in done.stdout


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


@pytest.mark.parametrize("name", [SYNC, ASYNC])
@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        (Reply({"error": "upstream timed out"}), "upstream timed out"),
        (Reply({"code": 5000, "msg": "internal error"}), "internal error"),
        (Reply({"code": 408, "msg": "request timeout"}, 408), "request timeout"),
        (Reply({"code": 0, "msg": "", "data": ""}), '"data": ""'),
        (Reply({"status": "running", "data": ""}), "running"),
        (Reply("<html>hello</html>"), "<html>hello</html>"),
        (Reply(""), "不是 JSON"),
        (Reply("[1, 2]"), "[1, 2]"),
        (Reply({"code": 0, "msg": "fine"}), '"msg": "fine"'),
        (Reply({"code": 0, "execute_id": 0, "data": None}), '"execute_id": 0'),
        (Reply({"message": "no Route matched"}, 404), "no Route matched"),
        (Reply({"data": {"message": "oops"}}, 500), "oops"),
        (Reply({"code": 5000, "msg": "gateway broke"}, 503), "gateway broke"),
    ],
)
def test_answer_that_is_none(coze, script, name, reply, shown):
    server = coze(reply)
    done = script(name, server).run()
    assert (done.status, done.names, len(server.requests)) == (1, [], 1)
    assert shown in done.stderr
    assert "可能正在运行" in done.stderr


@pytest.mark.parametrize("name", [SYNC, ASYNC])
@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply({"code": 4011, "msg": "no money", "detail": {"logid": "L1"}}), ["HTTP 状态: 200", "充值", "logid: L1"]),
        (Reply({"code": 4101, "msg": "no"}, 403, {"X-Tt-Logid": "L2"}), ["HTTP 状态: 403", "权限", "logid: L2"]),
        (Reply({"code": "6003", "msg": "paid"}), ["错误码 code: 6003", "付费", "workflow_sync.py"]),
        (Reply({"code": 123456, "msg": "怪事"}), ["错误码 code: 123456", "错误信息 msg: 怪事", '"msg": "怪事"']),
        (Reply({"error": "unauthorized"}, 401), ["HTTP 状态: 401", "错误信息 msg: unauthorized"]),
    ],
)
def test_refusal_is_told_in_full(coze, script, name, reply, words):
    done = script(name, coze(reply)).run()
    assert (done.status, done.names) == (1, [])
    assert [word for word in [*words, "没有运行，不会计费"] if word not in done.stderr] == []


def test_refused_query(coze, script):
    server = coze(STARTED, {"code": 4101, "msg": "no right", "detail": {"logid": "L9"}})
    done = script(ASYNC, server).run()
    assert (done.status, len(server.requests), done.record["status"]) == (1, 2, "pending")
    expected = ["HTTP 状态: 200", "4101", "no right", "logid: L9", "listRunHistory", "运行 ID (run_id): 7"]
    assert [word for word in expected if word not in done.stderr] == []


def test_ids_are_quoted_in_the_address(coze, script):
    server = coze({"execute_id": "a/b?c#d%e f"}, {"run_id": "x", "status": "completed", "output": 1})
    assert script(ASYNC, server, WORKFLOW_ID="w/1").run().status == 0
    assert server.requests[1][1] == "/v1/workflows/w%2F1/run_histories/a%2Fb%3Fc%23d%25e%20f"


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_missing_requests(tmp_path, script, name):
    (tmp_path / "requests.py").write_text("raise ImportError")
    done = script(name).run()
    assert (done.status, done.stdout) == (1, "")
    assert "pip install requests" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# ---------------------------------- 替身的命令行 ----------------------------------


@pytest.mark.parametrize("name", [SYNC, ASYNC])
def test_stand_in_runs_a_script(script, tmp_path, name):
    """系统代理（这里是一个关着的端口）不能拦截发往本机的请求。"""
    command = [sys.executable, os.fspath(ROOT / "tests/fake_coze.py"), "--at-once", script(name).path.name]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "HTTP_PROXY": "http://127.0.0.1:9"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8")
    assert len(list(tmp_path.glob("*.json"))) == 1


def test_stand_in_returns_the_exit_status(tmp_path):
    (tmp_path / "seven.py").write_text("import sys; print(sys.argv[1:]); sys.exit(7)")
    command = [sys.executable, os.fspath(ROOT / "tests/fake_coze.py"), "seven.py", "--help", "-x"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (7, b"['--help', '-x']")


@pytest.mark.skipif(os.name == "nt", reason="needs SIGINT")
def test_stand_in_serves_until_ctrl_c(script):
    command = [sys.executable, "-u", os.fspath(ROOT / "tests/fake_coze.py"), "--at-once"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONIOENCODING": "utf-8"}) as server:
        lines = [server.stdout.readline().decode("utf-8").strip() for _ in range(6)]
        one = script(SYNC)
        one.environment.update(line.split("=", 1) for line in lines[1:])
        assert one.environment["COZE_API_TOKEN"] == TOKEN
        assert one.run().status == 0
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0


def test_wrong_token_at_the_stand_in_says_where_it_is(coze, script):
    done = script(SYNC, coze(), YOUR_ACCESS_TOKEN="pat_wrong").run()
    assert done.status == 1
    assert "4100" in done.stderr
    assert "COZE_API_TOKEN" in done.stderr
