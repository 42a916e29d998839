"""像用户那样运行脚本，只在这里：复制文件，改设置，启动进程，对着真实的本地服务器。

最常用的是 run(SYNC, 回复, …, TIMEOUT=1) -> Finished：服务器依次给出这些回复，脚本从头到尾运行一次。
要在中途做些什么的：
    one = script(SYNC, coze(回复, …))
    process = one.start(until=1)
    done = one.finish(process)

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
import requests
from fake_coze import FakeCoze, Reply

ROOT = Path(__file__).resolve().parent.parent
SYNC = "workflow_sync.py"
ASYNC = "workflow_async.py"
BOTH = pytest.mark.parametrize("name", [SYNC, ASYNC])
PYTHON = os.path.abspath(shutil.which(os.environ.get("TEST_PYTHON") or sys.executable))
SYSTEM = [PYTHON, "-c", "import os; print(os.name)"]
WINDOWS = b"nt" in subprocess.check_output(SYSTEM, stderr=subprocess.PIPE)
MB = 2**20
RUN_PATH = "/v1/workflow/run"

# 没有得到一次运行的时候，说的话里一定有的
NOT_RUN = "不会计费"
MAY_HAVE_RUN = "可能已经运行并计费"

CTRL_C = -signal.SIGINT  # 脚本由信号结束，shell 里的 $? 是 130
# 在后台启动的 pytest 会把「忽略 Ctrl-C」传给脚本
signal.signal(signal.SIGINT, signal.default_int_handler)

# Coze 的回复，run_id 都是 7
STARTED = {"code": 0, "msg": "", "execute_id": "7", "debug_url": "https://x/?execute_id=7"}
HANG = Reply(fault="hang")


def history(state, **entry):
    """扣子官网的一次查询回复。"""
    return {"code": 0, "msg": "", "data": [{"execute_id": "7", "execute_status": state, **entry}]}


def success(name, outputs="done", **extra):
    """工作流输出 outputs（文字）时，Coze 给这个脚本的各个回复。"""
    if name == SYNC:
        return [{"code": 0, "data": outputs, "execute_id": "7", **extra}]
    output = json.dumps({"Output": outputs}, ensure_ascii=False)
    return [STARTED, history("Success", output=output, **extra)]


def html(status, text="<html>a page</html>", **headers):
    """网关的一个网页。"""
    return Reply(text, status, {"Content-Type": "text/html", **headers})


def wait_for(condition, seconds=20):
    """等到 condition() 成立。"""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def free_port():
    """没有人在监听的端口。"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def limit_files(pid, size):
    """进程（0 是自己）写的文件从此不能超过 size 字节，像磁盘已满；-1 是不再限制。"""
    import resource

    limits = (size, resource.RLIM_INFINITY)
    if pid and not hasattr(resource, "prlimit"):
        pytest.skip("macOS has no prlimit")
    if pid:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


# 用户可能已经填好了脚本：测试一定要对着替身，不能拿他的令牌去运行他的工作流
SHIPPED = {
    "YOUR_ACCESS_TOKEN": "your_actual_access_token",
    "WORKFLOW_ID": "your_actual_workflow_id",
    "API_BASE": "https://api.coze.cn",
    "INPUTS": {"param1": "value1", "param2": "value2"},
    "FILES": {},
    "OPTIONS": {},
}
FAST = {"INITIAL_POLL_INTERVAL": 0.02, "MAX_POLL_INTERVAL": 0.05}


def edit_settings(path, settings):
    """把脚本里 NAME = … 的整个右边换成字面量，用户就是这样改的；没有提到的恢复成没有填写的样子。

    行号不变，测得的覆盖才对得上。
    """
    values = {**SHIPPED, **settings}
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for node in reversed(ast.parse(source).body):
        if not isinstance(node, ast.Assign):
            continue
        name = getattr(node.targets[0], "id", None)
        if name in values:
            value = re.sub(r"\b(nan|inf)\b", r'float("\1")', repr(values.pop(name)))
            blank = ["\n"] * (node.end_lineno - node.lineno)
            lines[node.lineno - 1 : node.end_lineno] = [f"{name} = {value}\n", *blank]
    assert not values, "no such setting"
    path.write_text("".join(lines), encoding="utf-8")


class Finished:
    """一次脚本运行的结局。

    status: 退出状态；stdout、stderr: 屏幕；names、records: 文件夹里的记录；
    leftovers: 没有收拾的临时文件；requests: 服务器收到的请求。
    """

    def __init__(self, status, stdout, stderr, folder, server):
        files = sorted(path for path in folder.glob("*_*.json") if path.is_file())
        self.status = status
        self.stdout = stdout
        self.stderr = stderr
        self.names = [path.name for path in files]
        self.records = [json.loads(path.read_text(encoding="utf-8")) for path in files]
        self.leftovers = sorted(path.name for path in folder.glob("*.tmp"))
        self.requests = server.requests if server else []

    @property
    def record(self):
        """唯一的一份记录。"""
        assert len(self.records) == 1, self.names
        return self.records[0]

    @property
    def runs(self):
        """收到了几个运行请求。"""
        return sum(path.endswith(RUN_PATH) for _, path, _, _ in self.requests)

    @property
    def printed(self):
        """整个打印在屏幕上的记录，每份一行 ASCII。"""
        lines = [line for line in self.stderr.splitlines() if line.startswith('{"run_id"')]
        assert all(line.isascii() for line in lines)
        return [json.loads(line) for line in lines]

    @property
    def command(self):
        """独占一行、可以粘贴的命令：[解释器, 脚本, run_id]；没有时是空的。"""
        lines = [line for line in self.stderr.splitlines() if re.search(r'\.py"? \S+$', line)]
        lines = [line for line in lines if MAY_HAVE_RUN not in line and "取回" not in line]
        assert len(lines) < 2
        return [part.strip('"') for part in shlex.split("".join(lines), posix=not WINDOWS)]


def expect(done, exit_status, *words, **fields):
    """退出状态，标准错误里一定有的话，记录里的字段；返回 done。成功又没有话的，标准错误是空的。"""
    assert done.status == exit_status, done.stdout + done.stderr
    assert [word for word in words if word not in done.stderr] == [], done.stderr
    if exit_status == 0 and not words:
        assert done.stderr == ""
    if fields:
        assert {name: done.record.get(name) for name in fields} == fields
    return done


class Script:
    """用户文件夹里的一份脚本，和它的服务器。"""

    def __init__(self, folder, stack, name, server=None, **settings):
        self.folder = folder
        self.stack = stack
        self.path = folder / name
        self.server = server
        shutil.copy(ROOT / name, self.path)
        if name == ASYNC:
            settings = {**FAST, **settings}
        edit_settings(self.path, settings)
        drop = ("COZE_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "PYTHONUNBUFFERED")
        self.environment = {"HOME": str(folder), "PYTHONIOENCODING": "utf-8"}
        for variable, value in os.environ.items():
            if not variable.upper().startswith(drop):
                self.environment.setdefault(variable, value)
        if server:
            self.environment.update(server.environment)

    def rewrite(self, old, new):
        """改脚本里的一处，像用户用编辑器那样。"""
        source = self.path.read_text(encoding="utf-8")
        assert old in source
        self.path.write_text(source.replace(old, new), encoding="utf-8")

    def run(self, *args, **options):
        """从头到尾运行一次。"""
        return self.finish(self.start(*args, **options))

    def start(self, *args, disk=None, until=0, command=None, **options):
        """启动脚本，返回它的进程。

        disk: 它写的文件最多几个字节；until: 等到服务器收到这么多请求；command: 整个命令；
        别的 options 是 Popen 的。
        """
        if disk is not None:
            self.environment.pop("COVERAGE_PROCESS_START", None)  # 它也写文件
            options["preexec_fn"] = partial(limit_files, 0, disk)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("cwd", self.folder)
        process = subprocess.Popen(
            command or [PYTHON, self.path.name, *args],
            env=self.environment,
            start_new_session=True,
            **options,
        )
        self.stack.callback(process.wait)
        self.stack.callback(kill, process)
        if until:
            wait_for(lambda: len(self.server.requests) >= until)
        return process

    def finish(self, process):
        """等它结束。"""
        encoding = self.environment["PYTHONIOENCODING"].partition(":")[0]
        texts = []
        for output in process.communicate(timeout=40):
            text = (output or b"").decode(encoding)
            texts.append(text.replace("\r\n", "\n"))
        stdout, stderr = texts
        assert "Traceback" not in stderr, stderr
        return Finished(process.returncode, stdout, stderr, self.folder, self.server)


def kill(process):
    """还没有结束的脚本，连同它启动的进程。"""
    if process.poll() is not None:
        return
    if os.name == "posix":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


@pytest.fixture
def coze():
    """启动替身：coze(reply, …, seconds=0) -> FakeCoze。"""
    with ExitStack() as stack:
        yield lambda *replies, seconds=0.0: stack.enter_context(FakeCoze(seconds, replies))


@pytest.fixture
def response():
    """requests 收到的回复：response(HTTP 状态, 文字, 响应头)。"""

    def response(status, text="", **headers):
        received = requests.Response()
        received.status_code = status
        received.headers.update(headers)
        received._content = text.encode()
        return received

    return response


@pytest.fixture
def script(tmp_path):
    """复制并改好一份脚本：script(SYNC, server, TIMEOUT=1) -> Script。不留下进程。"""
    with ExitStack() as stack:
        yield partial(Script, tmp_path, stack)


@pytest.fixture
def run(coze, script):
    """从头到尾运行一次：run(SYNC, reply, …, TIMEOUT=1) -> Finished。"""
    return lambda name, *replies, **settings: script(name, coze(*replies), **settings).run()
