"""像用户那样运行脚本：复制文件，改配置，启动进程，对着真实的本地服务器。"""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_coze import FakeCoze

ROOT = Path(__file__).resolve().parent.parent
SYNC, ASYNC = "workflow_sync.py", "workflow_async.py"
FAST = {"INITIAL_POLL_INTERVAL": 0.02, "MAX_POLL_INTERVAL": 0.05}
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
STARTED = {"code": 0, "msg": "", "execute_id": "7", "debug_url": "https://x/?execute_id=7"}


def history(state, **entry):
    """正式版 Coze 的一次查询回复。"""
    return {"code": 0, "msg": "", "data": [{"execute_id": "7", "execute_status": state, **entry}]}


def no_file_may_grow():
    """子进程启动前调用：它写任何文件都像磁盘已满。"""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))


def edit_settings(path, settings):
    """把脚本里 NAME = … 的整个右边换成字面量，用户就是这样改的。"""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in settings:
            name = node.targets[0].id
            value = settings.pop(name)
            literal = f'float("{value}")' if isinstance(value, float) and value - value != 0 else repr(value)
            lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {literal}\n"]
    assert not settings, f"no such setting: {settings}"
    path.write_text("".join(lines), encoding="utf-8")


class Finished:
    """一次脚本运行的结局。"""

    def __init__(self, status, stdout, stderr, folder):
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.names = sorted(path.name for path in folder.glob("*.json"))
        self.records = [json.loads((folder / name).read_text(encoding="utf-8")) for name in self.names]
        self.leftovers = sorted(path.name for path in folder.glob("*.tmp"))

    @property
    def record(self):
        assert len(self.records) == 1, self.names
        return self.records[0]


class Script:
    """用户文件夹里的一份脚本。"""

    def __init__(self, folder, name, server=None, **settings):
        self.folder = folder
        self.path = folder / name
        shutil.copy(ROOT / name, self.path)
        if name == ASYNC:
            settings = {**FAST, **settings}
        edit_settings(self.path, settings)
        drop = ("COZE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        self.environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(drop)}
        self.environment.update(HOME=str(folder), PYTHONIOENCODING="utf-8", NO_PROXY="127.0.0.1,localhost")
        self.environment.update(server.environment if server else {})

    def start(self, *args, **options):
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        command = [sys.executable, self.path.name, *args]
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, **options)

    def finish(self, process, timeout=30):
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        finally:
            process.kill()
        texts = [(out or b"").decode("utf-8").replace("\r\n", "\n") for out in (stdout, stderr)]
        assert "Traceback" not in texts[1], texts[1]
        return Finished(process.returncode, *texts, self.folder)

    def run(self, *args, **options):
        return self.finish(self.start(*args, **options))


@pytest.fixture
def coze():
    """启动替身：coze(reply, …, seconds=0) -> FakeCoze。"""
    servers = []

    def open_server(*replies, seconds=0.0):
        servers.append(FakeCoze(seconds, replies).__enter__())
        return servers[-1]

    yield open_server
    for server in servers:
        server.__exit__()


@pytest.fixture
def script(tmp_path):
    """复制并改好一份脚本：script(SYNC, server, TIMEOUT=1) -> Script。"""
    return lambda name, server=None, **settings: Script(tmp_path, name, server, **settings)
