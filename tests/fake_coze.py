"""本地的 Coze 替身：不用账号、不用网络，就能把两个脚本完整地跑一遍。

    python tests/fake_coze.py workflow_async.py     启动替身，让脚本对着它运行，返回脚本的退出状态
    python tests/fake_coze.py                       只启动替身，打印环境变量，按 Ctrl-C 结束

它在 127.0.0.1 上讲正式版 Coze 的协议：检查令牌（4100）、工作流（4200）、运行记录（4314）、
输入里的 file_id（4000）；异步启动之后第一次查询是空列表，然后是 Running，最后是 Success，输出里带着输入。
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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote, urlsplit

TOKEN = "pat_fake_coze_stand_in_token"
WORKFLOW_ID = "7400000000000000001"


OURS = f"这里是本地替身 fake_coze，不是 Coze，它的工作流是 {WORKFLOW_ID}"


class Reply:
    """一次排好的回复。body 可以是 JSON 值、str 或 bytes；fault 是一种真实的网络故障。

    fault: "reset" 发 RST；"close" 不答就断开；"half" 只发一半正文；"hang" 不回答，直到替身停止；
    "stall" 发出响应头和一半正文，然后停住；"drip" 正文每 0.1 秒只来一个字节。
    """

    def __init__(self, body=None, status=200, headers=None, fault=None, delay=0):
        self.body = body
        self.status = status
        self.headers = headers or {}
        self.fault = fault
        self.delay = delay


class FakeCoze(ThreadingHTTPServer):
    """替身服务器；with 进入时开始服务，退出时停止。

    seconds: 工作流运行的秒数；replies: 排好的回复，依次用掉，用完之后照常按协议回答；
    requests: 收到过的请求 (method, path, headers, body)，connections: 每个请求所在的连接；
    files: 上传的文件 {ID: (文件名, 内容)}。
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, seconds=0.0, replies=(), port=0):
        super().__init__(("127.0.0.1", port), Handler)
        self.seconds = seconds
        self.replies = deque(
            reply if isinstance(reply, Reply) else Reply(reply) for reply in replies
        )
        self.requests = []
        self.connections = []
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
        no_proxy = ",".join(
            filter(None, [os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), "127.0.0.1"])
        )
        return {
            "COZE_API_TOKEN": TOKEN,
            "COZE_WORKFLOW_ID": WORKFLOW_ID,
            "COZE_API_BASE": self.url,
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def __enter__(self):
        threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
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
            hint = f"这里是本地替身 fake_coze，不是 Coze。它的令牌在环境变量 COZE_API_TOKEN 里: {TOKEN}"
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

    def unknown_files(self, parameters):
        """输入 {"file_id": …}（或者它们的列表）里，没有上传过的 ID。"""
        for value in parameters.values():
            for text in value if isinstance(value, list) else [value]:
                try:
                    file_id = json.loads(text)["file_id"]
                except (ValueError, TypeError, KeyError):
                    continue  # 不是文件
                if file_id not in self.files:
                    yield file_id

    def run_workflow(self, body):
        try:
            request = json.loads(body)
            workflow_id, parameters = request["workflow_id"], request.get("parameters") or {}
            is_async = request.get("is_async", False)
        except (ValueError, KeyError, TypeError):
            return 400, self.refusal(4000, "The request body is no JSON object with a workflow_id")
        if not (
            isinstance(workflow_id, str)
            and isinstance(parameters, dict)
            and isinstance(is_async, bool)
        ):
            return 400, self.refusal(
                4000, "workflow_id is a string, parameters an object, is_async a boolean"
            )
        if workflow_id != WORKFLOW_ID:
            return 200, self.refusal(4200, f"Requested resource workflow does not exist. {OURS}")
        unknown = list(self.unknown_files(parameters))
        if unknown:
            return 200, self.refusal(4000, f"No such file: {unknown}")
        run_id = self.new_id()
        run = {"id": run_id, "started": time.time(), "inputs": parameters, "queries": 0}
        self.runs[run_id] = run
        reply = {"code": 0, "msg": "", "execute_id": run_id, "debug_url": self.debug_url(run_id)}
        if not is_async:
            self.stopping.wait(self.seconds)
            reply["data"] = self.end_node(run)
            reply.update(token=150, cost="0", usage=self.usage())
        return 200, {**reply, "detail": {"logid": self.logid()}}

    def run_history(self, workflow_id, run_id):
        run = self.runs.get(run_id)
        if workflow_id != WORKFLOW_ID:
            return 200, self.refusal(4200, "Requested resource workflow does not exist")
        if run is None:
            return 200, self.refusal(4314, "Execution record not found")
        run["queries"] += 1
        ended = run["queries"] > 2 and time.time() >= run["started"] + self.seconds
        data = [] if run["queries"] == 1 else [self.history(run, ended)]
        return 200, {"code": 0, "msg": "", "detail": {"logid": self.logid()}, "data": data}

    def history(self, run, ended):
        output = {"node_status": "{}", "Output": self.end_node(run) if ended else ""}
        return {
            "execute_id": run["id"],
            "execute_status": "Success" if ended else "Running",
            "bot_id": "0",
            "connector_id": "1024",
            "connector_uid": "2236000000000000",
            "run_mode": 2,
            "create_time": int(run["started"]),
            "update_time": int(time.time()),
            "output": json.dumps(output, ensure_ascii=False),
            "error_code": "",
            "error_message": "",
            "debug_url": self.debug_url(run["id"]),
            "usage": self.usage(),
            "token": "0",
            "cost": "0.00000",
            "logid": self.logid(),
            "is_output_trimmed": False,
            "node_execute_status": {},
        }

    def end_node(self, run):
        return json.dumps(
            {"output": "来自本地替身的回答", "inputs": run["inputs"]}, ensure_ascii=False
        )

    def usage(self):
        return {"input_count": 50, "output_count": 100, "token_count": 150}

    def debug_url(self, run_id):
        return (
            f"{self.url}/work_flow?execute_id={run_id}&space_id=1&workflow_id={quote(WORKFLOW_ID)}"
        )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: FakeCoze

    def log_message(self, format, *args):
        """不打印访问日志。"""

    def respond(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.server.stopping.is_set():
            return self.fail("close")
        self.server.requests.append((self.command, self.path, dict(self.headers), body))
        self.server.connections.append(self.client_address)
        with self.server.lock:
            reply = self.server.replies.popleft() if self.server.replies else None
        if reply is None:
            status, value = self.server.answer(
                self.command, urlsplit(self.path).path, self.headers, body
            )
            reply = Reply(value, status)
        self.server.stopping.wait(reply.delay)
        if reply.fault in ("reset", "close", "hang"):
            return self.fail(reply.fault)
        body = reply.body
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        if isinstance(body, str):
            body = body.encode("utf-8", "surrogatepass")
        detail = reply.body.get("detail") if isinstance(reply.body, dict) else None
        logid = detail.get("logid") if isinstance(detail, dict) else None
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "X-Tt-Logid": logid or self.server.logid(),
            "Content-Length": str(len(body)),
            **reply.headers,
        }
        self.send_response(reply.status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        while reply.fault == "drip" and len(body) > 1:
            self.wfile.write(body[:1])
            self.wfile.flush()
            body = body[1:]
            if self.server.stopping.wait(0.1):
                return self.fail("close")
        self.wfile.write(body[: len(body) // 2] if reply.fault in ("half", "stall") else body)
        self.wfile.flush()
        if reply.fault == "stall":
            self.fail("hang")
        elif reply.fault == "half":
            self.fail("close")

    do_GET = do_POST = respond

    def fail(self, fault):
        """hang: 不再说话；close: 正常断开；reset: 让对方收到 RST。"""
        if fault == "hang":
            self.server.stopping.wait()
        if fault == "reset":
            self.connection.setsockopt(
                socket.SOL_SOCKET,
                socket.SO_LINGER,
                struct.pack("hh" if os.name == "nt" else "ii", 1, 0),
            )
            self.rfile.close()
            self.wfile.close()
            self.connection.close()
        self.close_connection = True


FILLED_IN = """{} 里已经填写了令牌、工作流 ID 或 API_BASE，它们会盖过替身的环境变量：它不会对着替身运行，可能会真的运行并计费。
所以没有运行它。请用一份没有填写的脚本来试。"""


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


def main(argv=None):
    """命令行；返回脚本的退出状态。"""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3, help="工作流运行的秒数，默认 3")
    parser.add_argument(
        "--at-once",
        action="store_const",
        const=0,
        dest="seconds",
        help="工作流立刻完成；异步仍要查询三次",
    )
    parser.add_argument(
        "script", nargs="?", metavar="SCRIPT", help="要运行的脚本，例如 workflow_async.py"
    )
    parser.add_argument("args", nargs=argparse.REMAINDER, metavar="ARGS", help="传给脚本的参数")
    options = parser.parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    if options.script and is_filled_in(options.script):
        print(FILLED_IN.format(options.script), file=sys.stderr)
        return 2
    with FakeCoze(options.seconds) as server:
        if options.script:
            signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C 由脚本处理，这里只等它结束
            command = [sys.executable, options.script, *options.args]
            return subprocess.call(command, env={**os.environ, **server.environment})
        print(
            f"本地替身在 {server.url} 上等候，按 Ctrl-C 结束。把下面几行粘贴到另一个终端里，再运行脚本:"
        )
        form = '$env:{} = "{}"' if os.name == "nt" else "export {}={}"
        for name, value in server.environment.items():
            print(form.format(name, value), flush=True)
        try:
            server.stopping.wait()
        except KeyboardInterrupt:
            print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
