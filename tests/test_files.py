"""FILES：本机的文件先上传，再作为输入；没有传上去的，什么也不运行，不计费。"""

import json
import os
import signal
import time

import pytest
from conftest import ASYNC, BOTH, CTRL_C, MB, NOT_RUN, SYNC, Reply, expect, html, success
from fake_coze import FakeCoze, Handler

import workflow_async as w

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
FILE = {"id": "31", "bytes": 10, "file_name": "a.png"}
UPLOADED = {"code": 0, "msg": "", "data": FILE}
FORBIDDEN = {"code": 4101, "msg": "no"}
WRONG_KIND = {"code": 4303, "msg": "no"}
PHOTO = "照片.png"
IS_ROOT = os.name == "posix" and os.geteuid() == 0
UPLOAD = "/v1/files/upload"
RUN = "/v1/workflow/run"


def paths(requests):
    """这些请求的地址。"""
    return [path for _, path, _, _ in requests]


@pytest.fixture
def photo(tmp_path):
    """FILES 里的一张照片，它在当前文件夹里。"""
    (tmp_path / PHOTO).write_bytes(PNG)
    return {"image": PHOTO}


@pytest.fixture
def filled_in(tmp_path, monkeypatch):
    """在测试的进程里填写配置：filled_in(FILES={…}, INPUTS={…})。"""
    monkeypatch.chdir(tmp_path)

    def filled_in(**settings):
        for name, value in settings.items():
            monkeypatch.setattr(w, name, value)

    return filled_in


@BOTH
def test_file_is_an_input(coze, script, photo, name):
    server = coze()
    one = script(name, server, FILES=photo, INPUTS={"n": 1})
    done = expect(one.run(), 0)
    (file_id,) = server.files
    assert server.files[file_id] == (PHOTO, PNG)
    sent = {"n": 1, "image": f'{{"file_id":"{file_id}"}}'}
    assert done.record["inputs"] == sent
    assert done.record["outputs"]["inputs"] == sent
    assert done.stdout.startswith("正在上传 照片.png（0.0 MB）…\n====")
    assert paths(server.requests)[:2] == [UPLOAD, RUN]


def test_files_are_a_list_of_inputs(coze, script, tmp_path):
    """几个文件依次上传；空格、子文件夹和几 MB 的内容都不改动什么。"""
    large = os.urandom(5_000_000)
    small = b"--\r\n--x\r\n\n"
    (tmp_path / "文档").mkdir()
    (tmp_path / "文档/a b.pdf").write_bytes(large)
    (tmp_path / "c.pdf").write_bytes(small)
    server = coze()
    files = ["文档/a b.pdf", "c.pdf"]
    one = script(ASYNC, server, FILES={"docs": files})
    done = expect(one.run(), 0)
    received = list(server.files.values())
    assert received == [("a b.pdf", large), ("c.pdf", small)]
    sent = [f'{{"file_id":"{file_id}"}}' for file_id in server.files]
    inputs = {"param1": "value1", "param2": "value2"}
    assert done.record["inputs"] == {**inputs, "docs": sent}
    told = "正在上传 文档/a b.pdf（4.8 MB）…\n正在上传 c.pdf（0.0 MB）…\n"
    assert told in done.stdout


def test_30_mb(coze, script, tmp_path):
    content = b"\x00\xff" * 15 * MB
    (tmp_path / "影片.mp4").write_bytes(content)
    server = coze()
    one = script(SYNC, server, FILES={"video": "影片.mp4"})
    expect(one.run(), 0)
    ((name, received),) = server.files.values()
    assert name == "影片.mp4"
    is_same = received == content  # 不让 pytest 打印 30 MB 的差别
    assert is_same


def test_coze_studio_takes_the_url(run, photo):
    url = "http://127.0.0.1:9000/照片.png?x=1"
    file = {**FILE, "url": url, "uri": "a"}
    uploaded = {**UPLOADED, "data": file}
    replies = [uploaded, *success(SYNC, "{}")]
    done = run(SYNC, *replies, FILES=photo)
    expect(done, 0)
    assert done.record["inputs"]["image"] == url


def test_list_may_be_empty(filled_in):
    filled_in(FILES={"docs": []}, INPUTS={})
    assert list(w.input_problems()) == []
    assert w.upload_files() == {"docs": []}


def test_without_files_nothing_is_uploaded(run):
    done = run(SYNC, *success(SYNC, "{}"))
    expect(done, 0)
    assert "上传" not in done.stdout
    assert paths(done.requests) == [RUN]


NO_NAMES = {
    "number": 0,
    "nothing": None,
    "number_in_a_list": ["照片.png", 1],
    "list_in_a_list": [["照片.png"]],
}


@pytest.mark.parametrize("case", NO_NAMES)
def test_what_is_no_name_of_a_file_is_told(filled_in, photo, case):
    filled_in(FILES={"image": NO_NAMES[case]})
    (problem,) = w.input_problems()
    assert "文件名的列表" in problem


def test_key_that_is_no_name_of_a_parameter_is_told(filled_in, photo):
    """不然上传了文件，才发现请求写不成 JSON。"""
    filled_in(FILES={("image",): PHOTO})
    (problem,) = w.input_problems()
    assert problem.startswith("INPUTS 或者 FILES、EXT 等不能写成 JSON")


UNREADABLE = "FILES 里的文件不存在或不能读"
UNUSABLE = {
    "absent": ("没有.png", UNREADABLE),
    "tab": ("C:\temp.png", UNREADABLE),
    "no_name": ("", UNREADABLE),
    "zero_character": ("a\0b", UNREADABLE),
    "folder": ("folder", "FILES 里的文件"),
    "empty": ("empty.png", "FILES 里的文件是空的"),
    "too_large": ("large.mp4", "超过 512 MB"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_unusable_file_is_named(filled_in, tmp_path, case):
    path, words = UNUSABLE[case]
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").write_bytes(b"")
    with open(tmp_path / "large.mp4", "wb") as file:
        file.truncate(512 * MB + 1)
    filled_in(FILES={"image": path})
    (problem,) = w.input_problems()
    assert words in problem


def test_files_are_a_dictionary(filled_in):
    filled_in(FILES=["a.png"])
    (problem,) = w.input_problems()
    assert "FILES 要像" in problem


def test_input_is_a_file_or_a_value(filled_in, photo):
    filled_in(FILES=photo, INPUTS={"image": "x"})
    (problem,) = w.input_problems()
    assert "FILES 和 INPUTS 里都有 image" in problem


@BOTH
def test_unusable_files_are_told_with_the_other_settings(coze, script, name):
    absent = {"image": "没有.png"}
    one = script(name, coze(), FILES=absent, WORKFLOW_ID="")
    done = one.run()
    expect(done, 2, "没有发送任何请求", UNREADABLE, "WORKFLOW_ID")
    assert done.requests == []


@pytest.mark.posix
@pytest.mark.skipif(IS_ROOT, reason="root 什么都能读")
def test_unreadable_file_is_named(coze, script, photo, tmp_path):
    (tmp_path / PHOTO).chmod(0)
    one = script(SYNC, coze(), FILES=photo)
    done = one.run()
    expect(done, 2, "没有发送任何请求", UNREADABLE, PHOTO)


def read_answer(text, status=200):
    """上传的回复，读好了的。"""
    answer = w.Answer(status, {}, text)
    return w.read_reply(w.decode(text), answer)


REFUSED = {
    "no_permission": (4101, "uploadFile"),
    "too_large_for_coze": (4302, "文件太大"),
    "kind": (4303, "不支持这种文件"),
    "broken_file": (4304, "文件损坏"),
    "unknown_code": (4399, "no such thing"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_upload_is_no_input(case):
    """拒绝了的，回复里有 ID 也不用。"""
    code, words = REFUSED[case]
    refusal = {"code": code, "msg": "no such thing", "data": FILE}
    reply = read_answer(json.dumps(refusal))
    assert w.read_upload(reply) == ""
    assert words in w.describe_reply(reply)


NO_INPUTS = {
    "unauthorized": (401, '{"code": 4100, "msg": "bad token"}', "令牌无效"),
    "no_id": (200, '{"code": 0, "data": {"bytes": 1}}', "这不像 Coze 的回复"),
    "no_data": (200, '{"code": 0}', "这不像 Coze 的回复"),
    "list": (200, "[1]", "这不像 Coze 的回复"),
    "page": (200, "<html>a page</html>", "不是 JSON"),
    "gateway": (502, "<html>a page</html>", "HTTP 状态: 502"),
}


@pytest.mark.parametrize("case", NO_INPUTS)
def test_reply_without_an_id_is_no_input(case):
    status, text, words = NO_INPUTS[case]
    reply = read_answer(text, status)
    assert w.read_upload(reply) == ""
    assert words in w.describe_reply(reply)


FAULTS = {
    "refused": (WRONG_KIND, "不支持这种文件"),
    "redirect": (html(307, Location="http://127.0.0.1:1/"), "没有跟随"),
    "reset": (Reply(fault="reset"), "网络错误"),
    "half": (Reply(UPLOADED, fault="half"), "网络错误"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_upload_that_fails_runs_nothing(run, photo, case):
    """一个没有传上去：不再上传，也不运行。"""
    reply, words = FAULTS[case]
    photos = [PHOTO, PHOTO, PHOTO]
    done = run(SYNC, UPLOADED, reply, FILES={"docs": photos})
    expect(done, 1, f"文件 {PHOTO} 没有传上去", NOT_RUN, words)
    assert paths(done.requests) == [UPLOAD, UPLOAD]
    assert done.names == []


def test_async_runs_nothing_either(run, photo):
    done = run(ASYNC, FORBIDDEN, FILES=photo)
    expect(done, 1, f"文件 {PHOTO} 没有传上去", NOT_RUN, "uploadFile")
    assert len(done.requests) == 1
    assert done.names == []


def test_upload_has_a_deadline_of_its_own(coze, script, photo):
    """服务器每 0.1 秒回一个字节；脚本里的 300 秒改成半秒。"""
    slow = {**UPLOADED, "msg": "x" * 200}
    server = coze(Reply(slow, fault="drip"))
    one = script(SYNC, server, FILES=photo)
    one.rewrite("UPLOAD_TIMEOUT = 300", "UPLOAD_TIMEOUT = 0.5")
    begun = time.monotonic()
    expect(one.run(), 1, NOT_RUN, "等了 0.5 秒")
    assert time.monotonic() - begun < 10  # 一个一个字节等下去，要 20 秒


class SlowLine:
    """慢的上行线路：服务器一点一点地收。"""

    def __init__(self, rfile):
        self.rfile = rfile
        self.readline = rfile.readline
        self.close = rfile.close

    def read(self, size):
        body = b""
        while len(body) < size:
            body += self.rfile.read(min(size - len(body), MB // 4))
            time.sleep(0.02)
        return body


class SlowHandler(Handler):
    def setup(self):
        super().setup()
        self.rfile = SlowLine(self.rfile)


def test_slow_line_has_the_whole_deadline(coze, script, tmp_path):
    """连接的时限（这里改成 0.3 秒）不管发送：发送二十几 MB 要两秒。"""
    content = b"\x00\xff" * (12 * MB)
    (tmp_path / PHOTO).write_bytes(content)
    server = coze()
    server.RequestHandlerClass = SlowHandler
    one = script(SYNC, server, FILES={"image": PHOTO})
    one.rewrite("timeout=(10, seconds)", "timeout=(0.3, seconds)")
    expect(one.run(), 0)
    ((_, received),) = server.files.values()
    assert received == content


def test_run_request_has_a_connection_of_its_own(run, photo):
    """上传用过的连接，服务器可能正在关闭：那样就说不准运行过没有。"""
    with_a_copy = {**photo, "copy": PHOTO}
    done = run(SYNC, UPLOADED, UPLOADED, *success(SYNC, "{}"), FILES=with_a_copy)
    expect(done, 0)
    assert len(set(done.connections)) == 3


def test_file_that_goes_away_before_its_turn(coze, script, tmp_path):
    (tmp_path / "a").write_bytes(PNG)
    (tmp_path / "b").write_bytes(PNG)
    server = coze(Reply(UPLOADED, delay=0.5))
    files = {"docs": ["a", "b"]}
    one = script(SYNC, server, FILES=files)
    process = one.start(until=1)
    (tmp_path / "b").unlink()
    done = one.finish(process)
    expect(done, 1, "文件 b 没有传上去", NOT_RUN)
    assert paths(server.requests) == [UPLOAD]


def test_server_that_is_not_there(script, photo):
    with FakeCoze() as gone:
        pass
    one = script(SYNC, gone, FILES=photo)
    one.rewrite("connect=3", "connect=0")  # 不再等它三次
    expect(one.run(), 1, NOT_RUN, "网络错误")


@pytest.mark.posix
@BOTH
def test_ctrl_c_while_uploading_runs_nothing(coze, script, photo, name):
    server = coze(Reply(fault="hang"))
    one = script(name, server, FILES=photo)
    process = one.start(until=1)
    process.send_signal(signal.SIGINT)
    done = one.finish(process)
    expect(done, CTRL_C, "已按 Ctrl-C 停止", NOT_RUN)
    assert len(done.requests) == 1
