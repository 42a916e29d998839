"""FILES：本机的文件先上传，再作为输入；没有传上去的，什么也不运行，不计费。"""

import os
import random
import time

import pytest
from conftest import ASYNC, BOTH, CTRL_C, NOT_RUN, SYNC, Reply, expect, html, success
from fake_coze import FakeCoze

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"
UPLOADED = {"code": 0, "msg": "", "data": {"id": "31", "bytes": 10, "file_name": "a.png"}}
UPLOAD = "/v1/files/upload"
RUN = "/v1/workflow/run"


def paths(server):
    return [path for _, path, _, _ in server.requests]


@pytest.fixture
def photo(tmp_path):
    """当前文件夹里的 照片.png。"""
    (tmp_path / "照片.png").write_bytes(PNG)
    return "照片.png"


@BOTH
def test_file_is_an_input(coze, script, photo, name):
    server = coze()
    done = expect(script(name, server, FILES={"image": photo}, INPUTS={"n": 1}).run(), 0)
    (file_id,) = server.files
    assert server.files[file_id] == (photo, PNG)
    sent = {"n": 1, "image": f'{{"file_id":"{file_id}"}}'}
    assert done.record["inputs"] == done.record["outputs"]["inputs"] == sent
    assert done.stdout.startswith("正在上传 照片.png（0.0 MB）…\n====")
    assert paths(server)[:2] == [UPLOAD, RUN]


@BOTH
def test_files_are_a_list_of_inputs(coze, script, tmp_path, name):
    """几个文件依次上传；空格、子文件夹和几 MB 的内容都不改动什么。"""
    (tmp_path / "文档").mkdir()
    contents = {"文档/a b.pdf": os.urandom(5_000_000), "c.pdf": b"--\r\n--x\r\n\n"}
    for path, content in contents.items():
        (tmp_path / path).write_bytes(content)
    server = coze()
    done = expect(script(name, server, FILES={"docs": list(contents)}).run(), 0)
    assert list(server.files.values()) == list(zip(["a b.pdf", "c.pdf"], contents.values()))
    sent = [f'{{"file_id":"{file_id}"}}' for file_id in server.files]
    assert done.record["inputs"] == {"param1": "value1", "param2": "value2", "docs": sent}
    assert "正在上传 文档/a b.pdf（4.8 MB）…\n正在上传 c.pdf（0.0 MB）…\n" in done.stdout


def test_30_mb(coze, script, tmp_path):
    content = random.Random(1).randbytes(1000) * 31_457
    (tmp_path / "影片.mp4").write_bytes(content)
    server = coze()
    expect(script(SYNC, server, FILES={"video": "影片.mp4"}).run(), 0)
    ((name, received),) = server.files.values()
    assert (name, received == content) == ("影片.mp4", True)


@BOTH
def test_coze_studio_takes_the_url(run, photo, name):
    url = "http://127.0.0.1:9000/照片.png?x=1"
    uploaded = {"code": 0, "data": {"id": "31", "url": url, "uri": "a"}}
    done = run(name, uploaded, *success(name, "{}"), FILES={"image": photo})
    assert expect(done, 0).record["inputs"]["image"] == url


@BOTH
def test_list_may_be_empty(run, name):
    done = run(name, *success(name, "{}"), FILES={"docs": []}, INPUTS={})
    assert expect(done, 0).record["inputs"] == {"docs": []}


UNUSABLE = {
    "no_dictionary": (["a.png"], "FILES 要像"),
    "number": ({"image": 0}, "文件名的列表"),
    "nothing": ({"image": None}, "文件名的列表"),
    "number_in_a_list": ({"docs": ["照片.png", 1]}, "文件名的列表"),
    "list_in_a_list": ({"docs": [["照片.png"]]}, "文件名的列表"),
    "absent": ({"image": "没有.png"}, "FILES 里的文件不存在或不能读"),
    "tab": ({"image": "C:\temp.png"}, "FILES 里的文件不存在或不能读"),
    "no_name": ({"image": ""}, "FILES 里的文件不存在或不能读"),
    "zero_character": ({"image": "a\0b"}, "FILES 里的文件不存在或不能读"),
    "folder": ({"image": "folder"}, "FILES 里的文件"),
    "empty": ({"image": "empty.png"}, "FILES 里的文件是空的"),
    "too_large": ({"image": "large.mp4"}, "超过 512 MB"),
    "in_inputs_too": ({"param1": "照片.png"}, "FILES 和 INPUTS 里都有 param1"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_unusable_files_are_named(coze, script, photo, tmp_path, kind):
    files, words = UNUSABLE[kind]
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").write_bytes(b"")
    with open(tmp_path / "large.mp4", "wb") as file:
        file.truncate(512 * 2**20 + 1)
    name = ASYNC if kind == "absent" else SYNC
    done = script(name, coze(), FILES=files, WORKFLOW_ID="").run()
    expect(done, 2, "没有发送任何请求", words, "WORKFLOW_ID")  # 和其他的配置一起说
    assert done.requests == []


@pytest.mark.posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root 什么都能读")
def test_unreadable_file_is_named(coze, script, photo, tmp_path):
    (tmp_path / photo).chmod(0)
    done = script(SYNC, coze(), FILES={"image": photo}).run()
    expect(done, 2, "没有发送任何请求", "FILES 里的文件不存在或不能读", photo)


REFUSED = {
    "no_permission": ({"code": 4101, "msg": "no"}, "uploadFile"),
    "unauthorized": (Reply({"code": 4100, "msg": "bad token"}, 401), "令牌无效"),
    "kind": ({"code": 4303, "msg": "no"}, "不支持这种文件"),
    "too_large_for_coze": ({"code": 4302, "msg": "no"}, "文件太大"),
    "broken_file": ({"code": 4304, "msg": "no"}, "文件损坏"),
    "unknown_code": ({"code": 4399, "msg": "no such thing"}, "no such thing"),
    "refused_with_an_id": ({"code": 4303, "data": {"id": "31"}}, "不支持这种文件"),
    "no_id": ({"code": 0, "data": {"bytes": 1}}, "这不像 Coze 的回复"),
    "no_data": ({"code": 0}, "这不像 Coze 的回复"),
    "list": ([1], "这不像 Coze 的回复"),
    "page": (html(200), "不是 JSON"),
    "gateway": (html(502), "HTTP 状态: 502"),
    "redirect": (html(307, Location="http://127.0.0.1:1/"), "没有跟随"),
    "reset": (Reply(fault="reset"), "网络错误"),
    "half": (Reply(UPLOADED, fault="half"), "网络错误"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_upload_that_fails_runs_nothing(run, photo, kind):
    reply, words = REFUSED[kind]
    done = run(SYNC, UPLOADED, reply, FILES={"docs": [photo, photo]})
    expect(done, 1, f"文件 {photo} 没有传上去", NOT_RUN, words)
    assert [path for _, path, _, _ in done.requests] == [UPLOAD, UPLOAD]  # 不再上传，也不运行
    assert done.names == []


def test_async_runs_nothing_either(run, photo):
    done = run(ASYNC, {"code": 4101, "msg": "no"}, FILES={"image": photo})
    expect(done, 1, f"文件 {photo} 没有传上去", NOT_RUN, "uploadFile")
    assert (len(done.requests), done.names) == (1, [])


@BOTH
def test_upload_has_a_deadline_of_its_own(coze, script, photo, name):
    """服务器每 0.1 秒回一个字节；脚本里的 300 秒改成 1 秒。"""
    one = script(
        name, coze(Reply({**UPLOADED, "msg": "x" * 200}, fault="drip")), FILES={"a": photo}
    )
    one.rewrite("UPLOAD_TIMEOUT = 300", "UPLOAD_TIMEOUT = 0.5")
    begun = time.monotonic()
    expect(one.run(), 1, NOT_RUN, "等了 0.5 秒")
    assert time.monotonic() - begun < 5


def test_file_that_goes_away_before_its_turn(coze, script, tmp_path):
    for name in "a", "b":
        (tmp_path / name).write_bytes(PNG)
    server = coze(Reply(UPLOADED, delay=1))
    one = script(SYNC, server, FILES={"docs": ["a", "b"]})
    process = one.start(until=1)
    (tmp_path / "b").unlink()
    expect(one.finish(process), 1, "文件 b 没有传上去", NOT_RUN)
    assert paths(server) == [UPLOAD]


def test_server_that_is_not_there(script, photo):
    with FakeCoze() as gone:
        pass
    expect(script(SYNC, gone, FILES={"image": photo}).run(), 1, NOT_RUN, "网络错误")


@pytest.mark.posix
@BOTH
def test_ctrl_c_while_uploading_runs_nothing(coze, script, photo, name):
    one = script(name, coze(Reply(fault="hang")), FILES={"image": photo})
    process = one.start(until=1)
    process.send_signal(2)
    done = expect(one.finish(process), CTRL_C, "已按 Ctrl-C 停止", NOT_RUN)
    assert len(done.requests) == 1


@BOTH
def test_without_files_nothing_is_uploaded(run, name):
    done = expect(run(name, *success(name, "{}")), 0)
    assert "上传" not in done.stdout
    assert done.requests[0][1] == RUN
