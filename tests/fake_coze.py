"""本地的 Coze 替身：不用账号、不用网络，就能把两个脚本完整地跑一遍。

    python tests/fake_coze.py workflow_async.py     启动替身，让脚本对着它运行，返回脚本的退出状态
    python tests/fake_coze.py                       只启动替身，打印环境变量，按 Ctrl-C 结束

它在 127.0.0.1 上讲正式版 Coze 的协议：检查令牌（4100）、工作流（4200）、运行记录（4314）；
异步启动之后第一次查询是空列表，然后是 Running，最后是 Success，输出里带着输入。
"""

import argparse
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections import deque
from email import policy
from email.parser import BytesParser
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TOKEN = "pat_fake_coze_stand_in_token"
WORKFLOW_ID = "7400000000000000001"
OURS = f"这里是本地替身 fake_coze，不是 Coze，它的工作流是 {WORKFLOW_ID}"


class Reply:
    """一次排好的回复。body 可以是 JSON 值、str 或 bytes；fault 是一种真实的网络故障。

    fault: "reset" 发 RST；"close" 不答就断开；"half" 只发一半正文；"hang" 不回答，直到替身停止；
    "stall" 发出响应头和一半正文，然后停住。
    """

    def __init__(self, body=None, status=200, headers=None, fault=None, delay=0):
        self.body = body
        self.status = status
        self.headers = headers or {}
        self.fault = fault
        self.delay = delay


# 历史里的一条，每次都一样的字段
ALWAYS = {
    "bot_id": "0",
    "connector_id": "1024",
    "connector_uid": "2236000000000000",
    "run_mode": 2,
    "error_code": "",
    "error_message": "",
    "token": "0",
    "cost": "0.00000",
    "is_output_trimmed": False,
    "node_execute_status": {},
}


class FakeCoze(ThreadingHTTPServer):
    """替身服务器；with 进入时开始服务，退出时停止。

    seconds: 工作流运行的秒数；replies: 排好的回复，依次用掉，用完之后照常按协议回答；
    requests: 收到过的请求 (method, path, headers, body)；files: 上传的文件 {ID: (文件名, 内容)}。
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, seconds=0.0, replies=(), port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.seconds = seconds
        self.replies = deque(replies)
        self.requests = []
        self.stopping = threading.Event()
        self.runs = {}
        self.files = {}
        self.next_id = 7424000000000000000 + int(time.time() * 1000) % 10**12
        self.lock = threading.Lock()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def environment(self):
        """脚本和官方 SDK 示例读取的环境变量；系统代理不能拦截发往本机的请求。"""
        already = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
        no_proxy = ",".join(filter(None, [already, "127.0.0.1"]))
        return {
            "COZE_API_TOKEN": TOKEN,
            "COZE_WORKFLOW_ID": WORKFLOW_ID,
            "COZE_API_BASE": self.url,
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def __enter__(self):
        serve = partial(self.serve_forever, poll_interval=0.02)
        threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        self.stopping.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """客户端中途断开是常事，不打印。"""

    # ------------------------------ 正式版 Coze 的协议 ------------------------------

    def answer(self, method, path, headers, body):
        """一个请求的 (HTTP 状态, JSON)。"""
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            hint = f"这里是本地替身 fake_coze，不是 Coze。它的令牌是 COZE_API_TOKEN 里的 {TOKEN}"
            return 401, self.refusal(4100, f"authentication is invalid. {hint}")
        if (method, path) == ("POST", "/v1/workflow/run"):
            return self.run_workflow(body)
        if (method, path) == ("POST", "/v1/files/upload"):
            return self.upload(headers, body)
        match = re.fullmatch("/v1/workflows/([^/]+)/run_histories/([^/]+)", path)
        if method == "GET" and match:
            return self.run_history(*match.groups())
        return 404, "404 page not found"

    def refusal(self, code, msg):
        return {"code": code, "msg": msg, "detail": {"logid": self.logid()}}

    def logid(self):
        return time.strftime("%Y%m%d%H%M%S") + os.urandom(9).hex().upper()

    def new_id(self):
        with self.lock:
            self.next_id += 1
            return str(self.next_id)

    def upload(self, headers, body):
        """上传一个文件：multipart/form-data，只有 file 一项。"""
        head = f"Content-Type: {headers.get('Content-Type')}\r\n\r\n".encode()
        message = BytesParser(policy=policy.HTTP).parsebytes(head + body)
        parts = list(message.iter_parts())
        names = [part.get_param("name", header="Content-Disposition") for part in parts]
        if message.get_content_type() != "multipart/form-data" or names != ["file"]:
            return 400, self.refusal(4000, "The body is no form with the one part file")
        name = parts[0].get_filename()
        content = parts[0].get_payload(decode=True)
        if not content:
            return 200, self.refusal(4300, "The file is empty")
        file_id = self.new_id()
        self.files[file_id] = (name, content)
        data = {"id": file_id, "bytes": len(content), "file_name": name}
        data["created_at"] = int(time.time())
        return 200, {"code": 0, "msg": "", "data": data, "detail": {"logid": self.logid()}}

    def run_workflow(self, body):
        try:
            request = json.loads(body)
            workflow_id = request["workflow_id"]
        except (ValueError, KeyError, TypeError):
            return 400, self.refusal(4000, "The request body is no JSON object with a workflow_id")
        parameters = request.get("parameters") or {}
        is_async = request.get("is_async", False)
        if [type(workflow_id), type(parameters), type(is_async)] != [str, dict, bool]:
            return 400, self.refusal(4000, "Expected a string, an object and a boolean")
        if workflow_id != WORKFLOW_ID:
            return 200, self.refusal(4200, f"Requested resource workflow does not exist. {OURS}")
        run = self.new_run(parameters)
        reply = {"code": 0, "msg": "", "execute_id": run["id"], "detail": {"logid": self.logid()}}
        reply["debug_url"] = self.debug_url(run["id"])
        if not is_async:
            self.stopping.wait(self.seconds)
            reply["data"] = self.end_node(run)
            reply.update(token=150, cost="0", usage=self.usage())
        return 200, reply

    def new_run(self, inputs):
        run = {"id": self.new_id(), "started": time.time(), "inputs": inputs, "queries": 0}
        self.runs[run["id"]] = run
        return run

    def run_history(self, workflow_id, run_id):
        run = self.runs.get(run_id)
        if workflow_id != WORKFLOW_ID:
            return 200, self.refusal(4200, "Requested resource workflow does not exist")
        if run is None:
            return 200, self.refusal(4314, "Execution record not found")
        run["queries"] += 1
        ended = run["queries"] > 2 and time.time() >= run["started"] + self.seconds
        data = []
        if run["queries"] > 1:
            data.append(self.history(run, ended))
        return 200, {"code": 0, "msg": "", "detail": {"logid": self.logid()}, "data": data}

    def history(self, run, ended):
        output = {"node_status": "{}", "Output": ""}
        state = "Running"
        if ended:
            output["Output"] = self.end_node(run)
            state = "Success"
        return {
            **ALWAYS,
            "execute_id": run["id"],
            "execute_status": state,
            "create_time": int(run["started"]),
            "update_time": int(time.time()),
            "output": json.dumps(output, ensure_ascii=False),
            "debug_url": self.debug_url(run["id"]),
            "usage": self.usage(),
            "logid": self.logid(),
        }

    def end_node(self, run):
        outputs = {"output": "来自本地替身的回答", "inputs": run["inputs"]}
        return json.dumps(outputs, ensure_ascii=False)

    def usage(self):
        return {"input_count": 50, "output_count": 100, "token_count": 150}

    def debug_url(self, run_id):
        query = f"execute_id={run_id}&space_id=1&workflow_id={WORKFLOW_ID}"
        return f"{self.url}/work_flow?{query}"


LINGER = "ii"  # SO_LINGER 的两个数
if os.name == "nt":
    LINGER = "hh"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: FakeCoze

    def log_message(self, format, *args):
        """不打印访问日志。"""

    def respond(self):
        """一个请求：记下来，取排好的回复（没有时照协议回答），发送。"""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.stopping.is_set():
            self.close_connection = True
            return
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        reply = self.next_reply(body)
        self.server.stopping.wait(reply.delay)
        if reply.fault in ("reset", "close", "hang"):
            self.fail(reply.fault)
        else:
            self.send_reply(reply)

    do_GET = do_POST = respond

    def next_reply(self, body):
        try:
            with self.server.lock:
                reply = self.server.replies.popleft()
        except IndexError:
            path = urlsplit(self.path).path
            status, value = self.server.answer(self.command, path, self.headers, body)
            return Reply(value, status)
        if isinstance(reply, Reply):
            return reply
        return Reply(reply)

    def send_reply(self, reply):
        body = reply.body
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Tt-Logid": self.logid_of(reply.body),
            "Content-Length": str(len(body)),
            **reply.headers,
        }
        self.send_response(reply.status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.send_body(body, reply.fault)

    def logid_of(self, body):
        """回复里的 logid；没有的，新的一个。"""
        try:
            return body["detail"]["logid"]
        except (TypeError, KeyError):
            return self.server.logid()

    def send_body(self, body, fault):
        if fault in ("half", "stall"):
            body = body[: len(body) // 2]
        self.wfile.write(body)
        self.wfile.flush()
        if fault == "half":
            self.fail("close")
        if fault == "stall":
            self.fail("hang")

    def fail(self, fault):
        """hang: 不再说话；close: 正常断开；reset: 让对方收到 RST。"""
        if fault == "hang":
            self.server.stopping.wait()
        if fault == "reset":
            at_once = struct.pack(LINGER, 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
        self.close_connection = True


FILLED_IN = """{} 里已经填写了令牌、工作流 ID 或 API_BASE，它们会盖过替身的环境变量：
它不会对着替身运行，可能会真的运行并计费。所以没有运行它。请用一份没有填写的脚本来试。"""


def is_filled_in(path):
    """用户填写过的脚本：三项里有一项不是原来的样子，环境变量对它不起作用。"""
    with open(path, encoding="utf-8") as file:
        source = file.read()
    untouched = {
        "YOUR_ACCESS_TOKEN": "your_actual_",
        "WORKFLOW_ID": "your_actual_",
        "API_BASE": "https://api.coze.cn",
    }
    lines = [f'\n{name} = "{start}' for name, start in untouched.items()]
    return "\nYOUR_ACCESS_TOKEN = " in source and not all(line in source for line in lines)


def read_options(arguments):
    """命令行的参数。"""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    add = parser.add_argument
    add("--seconds", type=float, default=3, help="工作流运行的秒数，默认 3")
    add("script", nargs="?", metavar="SCRIPT", help="要运行的脚本，例如 workflow_async.py")
    add("args", nargs=argparse.REMAINDER, metavar="ARGS", help="传给脚本的参数")
    return parser.parse_args(arguments)


def run_script(server, script, args):
    """让脚本对着替身运行；返回它的退出状态。"""
    if is_filled_in(script):
        print(FILLED_IN.format(script), file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C 由脚本处理，这里只等它结束
    command = [sys.executable, script, *args]
    return subprocess.call(command, env={**os.environ, **server.environment})


def wait_for_ctrl_c(server):
    """说出怎样对着替身运行脚本，然后等候。"""
    how = "把下面几行粘贴到另一个终端里，再运行脚本:"
    print(f"本地替身在 {server.url} 上等候，按 Ctrl-C 结束。{how}")
    form = 'export {}="{}"'
    if os.name == "nt":
        form = '$env:{} = "{}"'
    for name, value in server.environment.items():
        print(form.format(name, value), flush=True)
    try:
        server.stopping.wait()
    except KeyboardInterrupt:
        print()


def main(arguments=None):
    """命令行；返回脚本的退出状态。"""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    options = read_options(arguments)
    with FakeCoze(options.seconds) as server:
        if options.script:
            return run_script(server, options.script, options.args)
        wait_for_ctrl_c(server)
        return 0


if __name__ == "__main__":
    sys.exit(main())
