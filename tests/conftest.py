"""像用户那样运行脚本：复制文件，改配置，启动进程，对着真实的本地服务器。

TEST_PYTHON=… 用另一个解释器运行脚本。标记 posix 的测试需要 POSIX 的信号、文件大小限制或伪终端。
"""

import ast
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from fake_coze import FakeCoze, Reply

ROOT = Path(__file__).resolve().parent.parent
SYNC, ASYNC = "workflow_sync.py", "workflow_async.py"
BOTH = pytest.mark.parametrize("name", [SYNC, ASYNC])
PYTHON = os.environ.get("TEST_PYTHON") or sys.executable
WINDOWS = (
    subprocess.check_output(
        [PYTHON, "-c", "import os; print(os.name)"], stderr=subprocess.PIPE
    ).strip()
    == b"nt"
)
FAST = {"INITIAL_POLL_INTERVAL": 0.02, "MAX_POLL_INTERVAL": 0.05}
STARTED = {"code": 0, "msg": "", "execute_id": "7", "debug_url": "https://x/?execute_id=7"}
TIMES = {"created_at": "2025-10-28T15:58:40Z", "updated_at": "2025-10-28T15:58:40Z"}
NOT_RUN = "工作流没有运行，不会计费"
MAYBE = "可能正在运行并计费"
MB = 2**20
CTRL_C = -signal.SIGINT  # 脚本由信号结束，shell 里的 $? 是 130
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # 在后台启动的 pytest 会把「忽略 Ctrl-C」传给脚本


def history(state, **entry):
    """正式版 Coze 的一次查询回复。"""
    return {"code": 0, "msg": "", "data": [{"execute_id": "7", "execute_status": state, **entry}]}


def success(name, outputs, **extra):
    """工作流输出 outputs（文本）时，Coze 给这个脚本的各个回复。"""
    if name == SYNC:
        return [{"code": 0, "data": outputs, "execute_id": "7", **extra}]
    output = json.dumps({"Output": outputs}, ensure_ascii=False)
    return [STARTED, history("Success", output=output, **extra)]


def wait_for(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def free_port():
    """没有人在监听的端口。"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def expect(done, exit_status, *words, **fields):
    """退出状态，标准错误里一定有的话（成功又没有话时它是空的），记录里的字段；返回 done。"""
    assert (done.status, [word for word in words if word not in done.stderr]) == (
        exit_status,
        [],
    ), done.stderr
    assert exit_status or words or not done.stderr, done.stderr
    assert not fields or {name: done.record.get(name) for name in fields} == fields
    return done


def limit_files(pid, size):
    """进程（0 是自己）写的文件从此不能超过 size 字节，像磁盘已满；-1 是不再限制。"""
    import resource

    if pid:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    else:  # macOS 没有 prlimit
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


# 用户可能已经填好了脚本：测试一定要对着替身，不能拿他的令牌去运行他的工作流
SHIPPED = {
    "YOUR_ACCESS_TOKEN": '"your_actual_access_token"',
    "WORKFLOW_ID": '"your_actual_workflow_id"',
    "API_BASE": '"https://api.coze.cn"',
    "INPUTS": '{"param1": "value1", "param2": "value2"}',
    "FILES": "{}",
}


def edit_settings(path, settings):
    """把脚本里 NAME = … 的整个右边换成字面量，用户就是这样改的；没有提到的恢复成没有填写的样子。"""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        name = getattr(node.targets[0], "id", None) if isinstance(node, ast.Assign) else None
        if name in {**SHIPPED, **settings}:
            literal = repr(settings.pop(name)) if name in settings else SHIPPED[name]
            literal = re.sub(r"\b(nan|inf)\b", r'float("\1")', literal)
            blank = ["\n"] * (node.end_lineno - node.lineno)  # 行号不变，测得的覆盖才对得上
            lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {literal}\n", *blank]
    assert not settings, f"no such setting: {settings}"
    path.write_text("".join(lines), encoding="utf-8")


class Finished:
    """一次脚本运行的结局：退出状态、屏幕、文件夹里的记录、服务器收到的请求。"""

    def __init__(self, status, stdout, stderr, folder, server):
        self.status, self.stdout, self.stderr = status, stdout, stderr
        self.names = sorted(path.name for path in folder.glob("*.json") if path.is_file())
        self.records = [
            json.loads((folder / name).read_text(encoding="utf-8")) for name in self.names
        ]
        self.leftovers = sorted(path.name for path in folder.glob("*.tmp"))
        self.requests = server.requests if server else []

    @property
    def record(self):
        assert len(self.records) == 1, self.names
        return self.records[0]

    @property
    def printed(self):
        """打印在屏幕上的各份完整的记录。"""
        starts = re.finditer(r'^\{\n  "run_id": .*\n  "workflow_id"', self.stdout, re.MULTILINE)
        return [json.JSONDecoder().raw_decode(self.stdout[start.start() :])[0] for start in starts]

    @property
    def command(self):
        """独占一行、可以粘贴的命令：[解释器, 脚本, 文件]。"""
        (line,) = (
            line for line in self.stderr.splitlines() if re.search(r"\.py\W.*\.json\W?$", line)
        )
        return [part.strip('"') for part in shlex.split(line, posix=not WINDOWS)]


class Script:
    """用户文件夹里的一份脚本，和它的服务器。"""

    def __init__(self, folder, stack, name, server=None, **settings):
        self.folder, self.stack, self.path, self.server = folder, stack, folder / name, server
        shutil.copy(ROOT / name, self.path)
        edit_settings(self.path, {**FAST, **settings} if name == ASYNC else settings)
        drop = ("COZE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PYTHONUNBUFFERED")
        self.environment = {k: v for k, v in os.environ.items() if not k.upper().startswith(drop)}
        self.environment.update(
            server.environment if server else {}, HOME=str(folder), PYTHONIOENCODING="utf-8"
        )

    def start(self, *args, script=None, disk=None, until=0, **options):
        """script: 命令里脚本的写法；disk: 它写的文件最多几个字节；until: 等到服务器收到这么多请求。"""
        command = options.pop("command", [PYTHON, script or self.path.name, *args])
        options = {
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            "stdin": subprocess.DEVNULL,
            **options,
        }
        if disk is not None:
            self.environment.pop("COVERAGE_PROCESS_START", None)  # 它也写文件
            options["preexec_fn"] = partial(limit_files, 0, disk)
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, start_new_session=True, **options
        )
        kill = (
            partial(os.killpg, process.pid, signal.SIGKILL) if os.name == "posix" else process.kill
        )
        self.stack.callback(process.wait)
        self.stack.callback(lambda: process.poll() is None and kill())  # 和它启动的进程
        wait_for(lambda: until == 0 or len(self.server.requests) >= until)
        return process

    def finish(self, process):
        encoding = self.environment["PYTHONIOENCODING"].partition(":")[0]
        texts = [
            (out or b"").decode(encoding).replace("\r\n", "\n")
            for out in process.communicate(timeout=40)
        ]
        assert "Traceback" not in texts[1], texts[1]
        return Finished(process.returncode, *texts, self.folder, self.server)

    def run(self, *args, **options):
        return self.finish(self.start(*args, **options))

    def rewrite(self, old, new):
        """改脚本里的一处，像用户用编辑器那样。"""
        source = self.path.read_text(encoding="utf-8")
        assert old in source
        self.path.write_text(source.replace(old, new), encoding="utf-8")


@pytest.fixture
def coze():
    """启动替身：coze(reply, …, seconds=0) -> FakeCoze。"""
    with ExitStack() as stack:
        yield lambda *replies, seconds=0.0: stack.enter_context(FakeCoze(seconds, replies))


@pytest.fixture
def script(tmp_path):
    """复制并改好一份脚本：script(SYNC, server, TIMEOUT=1) -> Script。测试失败时也不留下进程。"""
    with ExitStack() as stack:
        yield partial(Script, tmp_path, stack)


@pytest.fixture
def run(coze, script):
    """从头到尾运行一次：run(SYNC, reply, …, TIMEOUT=1) -> Finished。"""
    return lambda name, *replies, **settings: script(name, coze(*replies), **settings).run()


def html(status, text="<html>a page</html>", **headers):
    """网关的一个网页。"""
    return Reply(text, status, {"Content-Type": "text/html", **headers})
