"""还可能查到，就接着查，说一行；再查也没有用，立刻停止，运行不受影响。"""

import pytest
from conftest import ASYNC, NOT_RUN, STARTED, TIMES, expect, history, html, wait_for
from fake_coze import FakeCoze, Reply

import workflow_async as w

SUCCESS = history("Success", output='{"Output": "done"}')
RUNNING = history("Running")
PENDING = {
    "run_id": "7",
    "workflow_id": "9",
    "status": "pending",
    "inputs": {},
    "response": STARTED,
    **TIMES,
}
MISSED = "这次没有查到，运行不受影响，稍后再查: "


@pytest.fixture
def serve(coze, monkeypatch):
    """serve(reply, …) -> 服务器，它这样回答 w.poll 的查询。"""

    def start(*replies):
        server = coze(*replies)
        monkeypatch.setattr(w, "BASE", server.url)
        monkeypatch.setattr(w, "INITIAL_POLL_INTERVAL", 0.001)
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        return server

    return start


# ---- 一时的故障 ----


EMPTY = {
    "empty": '{"code": 0, "data": []}',
    "null": '{"code": 0, "data": null}',
}


@pytest.mark.parametrize("case", EMPTY)
def test_history_that_is_still_empty_is_no_trouble(serve, capsys, case):
    server = serve(Reply(EMPTY[case]), SUCCESS)
    (ended,) = w.poll(PENDING)
    assert ended["outputs"] == "done"
    assert len(server.requests) == 2
    screen = capsys.readouterr()
    assert screen.err == ""
    assert screen.out.count("Coze 还没有这次运行的状态") == 1


ENDED = '{"code":0,"data":[{"execute_status":"Success"}]}'
PASSING = {
    "bad_gateway": html(502, "<html>502 from a gateway</html>"),
    "too_many_requests": html(429, "<html>429 from a gateway</html>"),
    "request_timeout": html(408, "<html>408 from a gateway</html>"),
    "too_early": html(425, "<html>425 from a gateway</html>"),
    "page": html(200, "<html>200 from a gateway</html>"),
    "word": Reply("junk"),
    "nothing": Reply(""),
    "list": Reply("[]"),
    "null": Reply("null"),
    "empty_object": Reply("{}"),
    "no_run": Reply('{"code":0,"data":[null]}'),
    "no_state": Reply('{"code":0,"data":[{"execute_status":null}]}'),
    "text_for_a_run": Reply('{"code":0,"data":"text"}'),
    "ended_but_500": Reply(ENDED, 500),
    "ended_but_502": Reply(ENDED, 502),
    "ended_but_refused": Reply(ENDED.replace("0", "720701013")),
    "empty_but_500": Reply(EMPTY["empty"], 500),
    "empty_but_502": Reply(EMPTY["empty"], 502),
    "error_of_a_gateway": Reply('{"error":"temporarily unavailable"}'),
    "message_of_a_gateway": Reply('{"message":"upstream gone"}', 503),
    "code_repeats_the_status": Reply('{"code":429,"msg":"slow down"}', 429),
    "other_names": Reply('{"error_code":"5000","error_message":"no entry"}'),
    "run_not_found_yet": Reply('{"code":4314,"msg":"no such execution"}', 404),
    "coze_is_broken": Reply('{"code":"5000","msg":"internal"}', 400),
    "unknown_code": Reply('{"code":987655,"msg":"unheard of","data":null}'),
}


@pytest.mark.parametrize("case", PASSING)
def test_passing_trouble_is_one_line_and_one_more_query(serve, capsys, case):
    trouble = PASSING[case]
    server = serve(trouble, SUCCESS)
    (ended,) = w.poll(PENDING)
    assert ended["outputs"] == "done"
    assert len(server.requests) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{MISSED}HTTP {trouble.status}: {trouble.body}")
    assert "RUN_HISTORY_PATH" not in line


FAULTS = ["reset", "close", "half", "stall", "hang", "drip"]


def test_broken_connections_are_polled_through(run):
    """每一种故障一次查询，每次只说一行，最后等到结果。"""
    broken = [Reply(SUCCESS, fault=fault) for fault in FAULTS]
    troubles = [*broken, PASSING["bad_gateway"], Reply(b"\xff\xfe")]
    done = run(ASYNC, STARTED, *troubles, SUCCESS, QUERY_TIMEOUT=0.4)
    expect(done, 0, MISSED, outputs="done")
    assert len(done.requests) == 1 + len(troubles) + 1
    lines = done.stderr.splitlines()
    assert len(lines) == len(troubles)
    for fault, line in zip(FAULTS, lines):
        assert line.startswith(f"{MISSED}网络错误: "), fault
        assert "RUN_HISTORY_PATH" not in line, fault
    assert lines[-2].startswith(f"{MISSED}HTTP 502: ")
    assert lines[-1].startswith(f"{MISSED}HTTP 200: \ufffd\ufffd ")  # 不是 UTF-8


@pytest.mark.posix  # Wine 里标准错误不能是一个文件
def test_server_that_goes_away_for_a_while(coze, script, tmp_path):
    """连接断了，然后被拒绝；服务器回来以后，接着查到结果。"""
    one = script(ASYNC, coze(STARTED, RUNNING))
    one.rewrite("connect=3", "connect=0")  # 一次查询只连一次，不用等
    screen = tmp_path / "stderr.txt"
    with screen.open("wb") as file:
        process = one.start(until=2, stderr=file)
    one.server.__exit__()
    failed = f"{MISSED}网络错误: "
    wait_for(lambda: screen.read_text("utf-8", "replace").count(failed) >= 3)
    port = one.server.server_address[1]
    with FakeCoze(replies=[SUCCESS], port=port) as one.server:
        done = expect(one.finish(process), 0, outputs="done")
    assert len(done.requests) == 1


# ---- 再查还是这样 ----


STOP_PAGE = "<html>stop here</html>"
TO_PORTAL = {"Location": "http://hotel.example/login"}
NO_SUCH_WORKFLOW = '{"code": "4200", "msg": "stop here"}'
WRONG_INPUTS = '{"code": 4000, "msg": "stop here"}'
WRONG_TOKEN = '{"code": 4100, "msg": "stop here"}'
NO_PERMISSION = '{"code": 4101, "msg": "stop here", "detail": {"logid": "L9"}}'
NO_LOGIN = '{"code": 0, "message": "stop here"}'
OLD_TOKEN = '{"code": 700012006, "msg": "stop here: access token invalid"}'
NO_SESSION = '{"code": 700012006, "msg": "stop here: missing session_key in cookie"}'
NO_SESSION_401 = '{"code": 401, "msg": "stop here: missing session_key in cookie"}'
NOT_FOUND = '{"code": 404, "msg": "stop here"}'
FORBIDDEN = '{"code": 403, "msg": "stop here"}'

CHECK_INPUTS = {"检查 INPUTS"}
CHECK_WORKFLOW = {"API_BASE", "检查 WORKFLOW_ID"}
CHECK_TOKEN = {"API_BASE", "令牌无效"}
CHECK_RIGHTS = {"API_BASE", "listRunHistory"}
CHECK_BASE = {"API_BASE"}
CHECK_PATH = {"API_BASE", "RUN_HISTORY_PATH"}
ALL_ADVICE = CHECK_INPUTS.union(CHECK_WORKFLOW, CHECK_TOKEN, CHECK_RIGHTS, CHECK_PATH)

LASTING = {
    "no_such_workflow": (Reply(NO_SUCH_WORKFLOW), CHECK_WORKFLOW),
    "wrong_inputs": (Reply(WRONG_INPUTS), CHECK_INPUTS),
    "wrong_token_with_503": (Reply(WRONG_TOKEN, 503), CHECK_TOKEN),
    "no_permission": (Reply(NO_PERMISSION), CHECK_RIGHTS),
    "no_login": (Reply(NO_LOGIN, 401), CHECK_BASE),
    "old_token": (Reply(OLD_TOKEN), CHECK_TOKEN),  # 过期的令牌不说地址
    "no_session": (Reply(NO_SESSION), CHECK_PATH),  # Studio 这样说它没有的地址
    "no_session_401": (Reply(NO_SESSION_401, 401), CHECK_PATH),
    "not_found": (Reply(NOT_FOUND, 404), CHECK_PATH),
    "forbidden": (Reply(FORBIDDEN, 403), CHECK_BASE),
    "portal": (html(302, STOP_PAGE, **TO_PORTAL), CHECK_BASE),
    "page_404": (html(404, STOP_PAGE), CHECK_PATH),
    "page_400": (html(400, STOP_PAGE), CHECK_BASE),
    "page_401": (html(401, STOP_PAGE), CHECK_BASE),
    "page_403": (html(403, STOP_PAGE), CHECK_BASE),
    "page_499": (html(499, STOP_PAGE), CHECK_BASE),
}


@pytest.mark.parametrize("case", LASTING)
def test_what_does_not_pass_stops_at_once(serve, case):
    """说出全部的细节，和这一种的建议，没有别的建议。"""
    reply, advice = LASTING[case]
    server = serve(reply, SUCCESS)
    with pytest.raises(w.Stop) as stop:
        list(w.poll(PENDING))
    words, exit_status = stop.value.args
    assert exit_status == w.EXIT_FAILED
    assert NOT_RUN not in words  # 它正在运行
    assert "stop here" in words
    assert f"HTTP 状态: {reply.status}\n" in words
    assert {word for word in ALL_ADVICE if word in words} == advice
    assert len(server.requests) == 1


@pytest.mark.parametrize("case", ["no_permission", "portal", "not_found"])
def test_run_goes_on_when_the_polling_stops(run, case):
    reply, advice = LASTING[case]
    done = run(ASYNC, STARTED, reply, SUCCESS)
    expect(done, 1, "stop here", *advice, status="pending")
    expect(done, 1, "运行 ID (run_id): 7\n", "在 Coze 上继续", "不会重复计费")
    assert done.command[1:] == [ASYNC, done.names[0]]
    assert len(done.requests) == 2
