# /// script
# requires-python = ">=3.8"
# dependencies = ["requests>=2.31"]
# ///
"""同步执行 Coze（扣子）工作流：发送一次运行请求，等待，保存并显示结果。

用法：填好下面的配置，然后运行  python workflow_sync.py

令牌只放在发往 API_BASE 的请求头里，不打印，不写入文件。
运行请求最多到达 Coze 一次：只有确定没有发出时才会重新连接，因此不会重复计费。
"""

from __future__ import annotations

import argparse
import codecs
import hashlib
import io
import json
import math
import os
import re
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, Iterator, NamedTuple
from urllib.parse import parse_qs, urlsplit

try:
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry
except ImportError:
    sys.exit("缺少依赖库 requests，请先运行: python -m pip install requests")

# ============================ 配置：只需要修改这一段 ============================

# 访问令牌。建议放在环境变量 COZE_API_TOKEN 里，不要写进会提交到版本控制的文件
YOUR_ACCESS_TOKEN = os.environ.get("COZE_API_TOKEN") or "your_actual_access_token"
# 工作流 ID
WORKFLOW_ID = os.environ.get("COZE_WORKFLOW_ID") or "your_actual_workflow_id"
# 输入参数，名称与工作流「开始」节点的参数一致
INPUTS = {"param1": "value1", "param2": "value2"}

# 以下各项通常不用改。None 表示请求里不带这一项
BOT_ID = None  # 智能体 ID，含数据库、变量节点的工作流需要
APP_ID = None  # 应用 ID，属于扣子应用的工作流需要，不与 BOT_ID 同用
EXT = None  # 附加信息，例如 {"user_id": "u1"}，值都是字符串
WORKFLOW_VERSION = None  # 版本号，例如 "v0.0.5"，只用于资源库工作流
CONNECTOR_ID = None  # 渠道 ID，Coze 默认 "1024"（API）

# 服务地址：国内 https://api.coze.cn，国际版 https://api.coze.com，或自建服务的地址
API_BASE = os.environ.get("COZE_API_BASE") or "https://api.coze.cn"

TIMEOUT = 300  # 超时：连续多少秒收不到 Coze 的任何数据就放弃等待

# ============================== 配置到此结束 ==================================
# 以下与另一个脚本同名的函数和类逐字相同；脚本各自独立，不互相引用

CONNECT_TIMEOUT = 10  # 建立连接最多等多少秒
CONNECT_RETRIES = 3  # 连接没有建立起来（请求一定没有发出）时，最多再试几次
MAX_DEPTH = 400  # JSON 嵌套超过这个层数就当作普通文本

EXIT_COMPLETED, EXIT_FAILED, EXIT_SETTINGS, EXIT_CTRL_C = 0, 1, 2, 130

RULE, THIN_RULE = "=" * 60, "-" * 60

WAITING_FOR_ANSWER = ("Interrupted", "<UNSET>")  # 停在提问处：正式版 Coze 和 Coze Studio 的写法
# Coze 的 execute_status -> README 里的四种状态；不在表里的（网关用的就是那四种）原样显示
STATUSES = {
    "Running": "running",
    "Success": "completed",
    **dict.fromkeys(("Fail", "Cancel", *WAITING_FOR_ANSWER), "failed"),
}
ENDED = ("completed", "failed")

HINTS = {
    "4000": "检查 INPUTS 的参数名和类型，要与工作流「开始」节点一致。",
    **dict.fromkeys(("4009", "4013", "4020", "5000"), "Coze 正忙、限流或暂时出错，请稍后再试。"),
    **dict.fromkeys(("4011", "4019", "4022"), "额度不足，请到 Coze 平台充值。"),
    "4100": "令牌无效或已过期，请换一个新的令牌（YOUR_ACCESS_TOKEN 或环境变量 COZE_API_TOKEN）。",
    "4101": "令牌没有权限或不属于这个空间：运行需要 run 权限，查询需要 listRunHistory 权限。",
    "4200": "没有这个工作流，或者它从未发布：检查 WORKFLOW_ID，并发布工作流。",
    "4314": "没有这条运行记录：刚刚启动时请稍等片刻；很久以前的运行，记录可能已经过期。",
    "6003": "异步运行需要付费版，请改用 workflow_sync.py。",
    "6031": "工作流从未发布，请先发布。",
    "6039": "这个工作流里有提问或输入节点，同步运行不支持；这两个脚本都不能回答提问。",
    "700012006": "身份验证失败：检查令牌；令牌没有问题时，可能是 Coze Studio 的数据库暂时不可用，请稍后再试。",
    "720701013": "工作流的某个节点运行失败，请按错误信息检查工作流。",
    "720702004": "没有这个工作流，请检查 WORKFLOW_ID。",
}

UNSURE_CODES = ("4013", "5000")  # 模型错误、内部错误：说不准有没有运行
MAYBE_RUNNING = """\
请求可能已经到达 Coze：工作流可能正在运行并计费。脚本不会自动重发。
再次运行之前，请先在 Coze 平台的工作流页面查看运行记录，确认这一次有没有运行。
运行时间较长的工作流请改用 workflow_async.py。"""
NOT_SENT = "请求没有发出：工作流没有运行，不会计费。"
CHECK_ADDRESS = "请检查网络、代理设置和 API_BASE。"

HELP = """\
配置（在脚本顶部修改，一项一项都有说明）:
  YOUR_ACCESS_TOKEN  WORKFLOW_ID  INPUTS  API_BASE
  BOT_ID  APP_ID  EXT  WORKFLOW_VERSION  CONNECTOR_ID
  TIMEOUT

环境变量（脚本里没有另外填写时使用）:
  COZE_API_TOKEN    访问令牌
  COZE_WORKFLOW_ID  工作流 ID
  COZE_API_BASE     服务地址

退出状态:
  0    运行成功，结果已保存
  1    被拒绝、运行失败，或者出了其他问题
  2    配置不能用，没有发送任何请求
  130  按了 Ctrl-C
"""


class RunError(Exception):
    """一次请求没有得到能用的回复；str() 用一句话说明发生了什么。"""

    def __init__(self, message: str, status: int = 0, code: str = "", details: str = "") -> None:
        """status: HTTP 状态码，0 表示没有回复；code: Coze 的错误码；details: 其余要告诉用户的。"""
        super().__init__(message)
        self.status = status
        self.code = code
        self.details = details


class Answer(NamedTuple):
    """Coze 的一次回复：HTTP 状态码、日志 ID、JSON 对象。"""

    status: int
    logid: str
    reply: dict[str, Any]


# ---------------------------------- 配置检查 ----------------------------------


def clean_token(token: object) -> str:
    """去掉粘贴时带进来的首尾空白和开头的 Bearer；不是字符串时返回空串。"""
    return re.sub(r"(?i)^bearer(\s+|$)", "", token.strip()) if isinstance(token, str) else ""


def id_text(value: object) -> str:
    """配置里的 ID：字符串去掉首尾空白，整数取它的数字；其他类型返回空串。"""
    return "" if isinstance(value, float) else text_of(value)


def request_problems() -> list[str]:
    """检查与令牌、地址、可选项有关的配置；返回问题列表，不含任何配置的值。"""
    problems = []
    token = clean_token(YOUR_ACCESS_TOKEN)
    if not isinstance(YOUR_ACCESS_TOKEN, str):
        problems.append("YOUR_ACCESS_TOKEN 必须是字符串")
    elif token in ("", "your_actual_access_token"):
        problems.append("YOUR_ACCESS_TOKEN 还没有填写：填入您的访问令牌，或设置环境变量 COZE_API_TOKEN")
    elif not re.fullmatch("[!-~]+", token):
        problems.append("YOUR_ACCESS_TOKEN 中间有空格、换行或中文等字符，请重新复制令牌")
    for name, value in {"BOT_ID": BOT_ID, "APP_ID": APP_ID, "CONNECTOR_ID": CONNECTOR_ID}.items():
        if value is not None and not id_text(value):
            problems.append(f"{name} 必须是非空的字符串，不用时写 None")
    if WORKFLOW_VERSION is not None and not (isinstance(WORKFLOW_VERSION, str) and WORKFLOW_VERSION.strip()):
        problems.append('WORKFLOW_VERSION 必须是字符串，例如 "v0.0.5"，不用时写 None')
    if EXT is not None and not (isinstance(EXT, dict) and all(isinstance(x, str) for x in [*EXT, *EXT.values()])):
        problems.append('EXT 必须是键和值都为字符串的字典，例如 {"user_id": "u1"}，不用时写 None')
    try:
        parts = urlsplit(API_BASE.strip())
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        usable = usable and not (parts.query or parts.fragment)
    except (AttributeError, ValueError):
        usable = False
    if not usable:
        problems.append("API_BASE 必须是以 http:// 或 https:// 开头的地址，例如 https://api.coze.cn")
    return problems


def workflow_problems() -> list[str]:
    """检查 WORKFLOW_ID 和 INPUTS；返回问题列表。"""
    problems = []
    if id_text(WORKFLOW_ID) in ("", "your_actual_workflow_id"):
        problems.append("WORKFLOW_ID 还没有填写：填入工作流 ID，或设置环境变量 COZE_WORKFLOW_ID")
    try:
        json.dumps(INPUTS, allow_nan=False)
        usable = isinstance(INPUTS, dict) and not too_deep(INPUTS)
    except (TypeError, ValueError, RecursionError):
        usable = False
    if not usable:
        problems.append('INPUTS 必须是能转换成 JSON 的字典，例如 {"param1": "value1"}，数字不能是 NaN 或无穷大')
    return problems


def number_problems(name: str, value: object, whole: bool = False) -> list[str]:
    """检查秒数或次数（whole）是否为正的有限数；返回问题列表。"""
    right_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if right_type and 0 < value <= sys.float_info.max:  # type: ignore[operator]
        return []
    return [f"{name} 必须是大于 0 的{'整数' if whole else '数字'}"]


# ------------------------------------ 屏幕 ------------------------------------

CTRL_C: list[int] = []  # 收到过的 Ctrl-C。记下而不立即中断：保存到一半时不能被打断


def json_escape(error: UnicodeError) -> tuple[str, int]:
    """编码不了的字符写成 JSON 的转义：GBK 或 ASCII 控制台上的表情，UTF-8 里落单的代理字符。"""
    assert isinstance(error, UnicodeEncodeError)
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error("json_escape", json_escape)


def prepare_console() -> None:
    """控制台显示不了的字符改用转义，打印出来的 JSON 仍然是 JSON；Ctrl-C 先记下，由 wait 处理。"""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(getattr(stream, "buffer", None), io.RawIOBase):  # PYTHONUNBUFFERED：写到一半来了信号，余下的会丢
            stream = os.fdopen(stream.fileno(), "w", encoding=stream.encoding, closefd=False)
            setattr(sys, name, stream)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="json_escape")
    signal.signal(signal.SIGINT, lambda signum, frame: CTRL_C.append(signum))


@contextmanager
def ctrl_c_at_once() -> Iterator[None]:
    """打印可能很长，而这时没有什么会丢：让 Ctrl-C 立即生效。"""
    patient = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if CTRL_C:
            raise KeyboardInterrupt
        yield
    finally:
        signal.signal(signal.SIGINT, patient)


@lru_cache(maxsize=1)
def spellings(pasted: str) -> list[str]:
    """令牌的各种写法：原样，和在 JSON 里带转义的。"""
    token = clean_token(pasted)
    return [text for text in {token, json.dumps(token)[1:-1], token.replace("/", "\\/")} if text]


def mask(text: str) -> str:
    """把文本里出现的令牌换成 ***。"""
    for secret in spellings(str(YOUR_ACCESS_TOKEN)):
        text = text.replace(secret, "***")
    return text


def masked(value: Any) -> Any:
    """JSON 值里所有的字符串（包括键）和数字都经过 mask。Coze 的回复一收到、一解码就先经过这里。"""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, dict):
        return {mask(key): masked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [masked(item) for item in value]
    digits = text_of(value)
    return value if mask(digits) == digits else mask(digits)


def json_pieces(value: Any) -> Iterator[str]:
    """给人看的 JSON：缩进 2，中文原样。一段一段地给出，20 MB 的结果不会整个再抄几遍。"""
    small: list[str] = []
    size = 0
    for chunk in json.JSONEncoder(ensure_ascii=False, indent=2).iterencode(value):
        size += len(chunk)
        if size < 100_000:
            small.append(chunk)
            continue
        yield "".join(small)
        yield chunk
        small, size = [], 0
    yield "".join(small)


def to_json(value: Any) -> str:
    """整个 JSON 文本。"""
    return "".join(json_pieces(value))


def say(*parts: Any, end: str = "\n", stream: str = "stdout") -> bool:
    """打印一行并返回是否成功：字符串原样，其他的值写成 JSON。

    管道关闭（| head）或磁盘写满之后，这个流不再输出，脚本照常进行。
    """
    out = getattr(sys, stream)
    if out is None:
        return False
    try:
        for part in parts:
            out.writelines(map(mask, [part] if isinstance(part, str) else json_pieces(part)))
        out.write(end)
        out.flush()
        return True
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        setattr(sys, stream, None)
        return False


def complain(*parts: Any) -> bool:
    """打印到标准错误，返回是否成功。"""
    return say(*parts, stream="stderr")


def erase(line: str) -> str:
    """擦掉终端上刚写的一行，回到行首；汉字占两格。"""
    return "\r" + " " * len(line.encode("gbk", "replace")) + "\r"


def wait(seconds: float, done: threading.Event, counter: str = "") -> None:
    """等到 done 或满 seconds 秒。小步等待，这样 Windows 上 Ctrl-C 也能及时生效。

    counter: 在终端上原地刷新的一行，其中 {waited}、{left} 是已经等了和还要等的秒数；等完就擦掉。
    抛出 KeyboardInterrupt：按过 Ctrl-C，而 done 还没有发生。
    """
    start = time.monotonic()
    on_terminal = bool(counter) and sys.stdout is not None and sys.stdout.isatty()
    shown = ""
    try:
        while not done.is_set() and time.monotonic() < start + seconds:
            if CTRL_C:
                raise KeyboardInterrupt
            waited = time.monotonic() - start
            if on_terminal:
                line = counter.format(waited=int(waited), left=max(1, math.ceil(min(seconds, 1e9) - waited)))
                if line != shown:
                    say(erase(shown), line, end="")
                    shown = line
            done.wait(min(0.1, max(0, seconds - waited)))
    finally:
        if shown:
            say(erase(shown), end="")


# ------------------------------------ 网络 ------------------------------------


class RequestBody(io.BytesIO):
    """运行请求的正文。连接建立之后它才会被读取，所以没有读过就一定没有运行。"""

    sent = False  # 已经开始发送
    cancelled = False  # 从此不再发送

    def read(self, size: int | None = -1) -> bytes:
        """requests 发送正文时调用。"""
        self.sent = True
        if self.cancelled:
            raise OSError("cancelled")
        return super().read(size)


def run_body(is_async: bool) -> RequestBody:
    """运行请求的正文（Coze 文档 workflow_run），没有设置的可选项不出现。"""
    optional = {
        "bot_id": id_text(BOT_ID),
        "app_id": id_text(APP_ID),
        "ext": EXT,
        "workflow_version": id_text(WORKFLOW_VERSION),
        "connector_id": id_text(CONNECTOR_ID),
    }
    body = {"workflow_id": id_text(WORKFLOW_ID), "parameters": INPUTS, "is_async": is_async}
    body.update({name: value for name, value in optional.items() if value})
    return RequestBody(json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def beginning(text: str) -> str:
    """文本的开头，压成一行。"""
    return " ".join(text[:1000].split())[:200]


class Session(requests.Session):
    """不跟随重定向的会话：令牌只发给 API_BASE。"""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """没有要转去的地址。allow_redirects=False 还会去解析它，写坏的 Location 会让回复丢掉。"""


def open_session() -> Session:
    """带令牌的会话；只有连接没有建立起来时才由 urllib3 的 Retry 重试。"""

    def bearer(request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {clean_token(YOUR_ACCESS_TOKEN)}"
        return request

    session = Session()
    session.auth = bearer  # 普通请求头会被 ~/.netrc 替换（psf/requests#3929），auth 不会
    session.headers["Content-Type"] = "application/json"
    # 只有 connect 会重试：请求发出以后的错误（read、other）和任何 HTTP 状态（status）都不重试
    retries = Retry(total=None, connect=CONNECT_RETRIES, read=False, status=0, other=0, backoff_factor=0.5)
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retries))
    return session


def call(session: Session, path: str, timeout: float, body: RequestBody | None = None, counter: str = "") -> Answer:
    """唯一与 Coze 通信的函数：有 body 时 POST，否则 GET，不跟随重定向。

    timeout: 连续多少秒没有数据就放弃；counter: 见 wait。请求在后台线程里，主线程随时响应 Ctrl-C。
    抛出 RunError：没有得到 JSON 对象；KeyboardInterrupt：等待时按了 Ctrl-C。
    """
    method, url = "GET" if body is None else "POST", f"{API_BASE.strip().rstrip('/')}/{path.lstrip('/')}"
    limits = (CONNECT_TIMEOUT, min(timeout, 86400))  # 太大的秒数操作系统不收
    outcome: list[requests.Response | Exception] = []
    done = threading.Event()

    def request() -> None:
        try:
            outcome.append(session.request(method, url, data=body, timeout=limits))
        except Exception as error:  # noqa: BLE001 任何错误都要带回主线程，由它告诉用户
            outcome.append(error)
        done.set()

    threading.Thread(target=request, daemon=True).start()
    wait(math.inf, done, counter)
    response = outcome.pop()
    if isinstance(response, Exception):
        cause: BaseException = response
        while cause.__cause__ or cause.__context__:
            cause = cause.__cause__ or cause.__context__ or cause
        raise RunError(f"网络错误: {type(response).__name__}（{type(cause).__name__}: {cause}）")
    status, content = response.status_code, response.content
    if 300 <= status < 400:
        address = response.headers.get("Location", "")
        raise RunError(f"HTTP {status}：服务器要求转到另一个地址，脚本没有跟随，请检查 API_BASE: {address}", status)
    try:
        reply = json.loads(content)
    except (ValueError, RecursionError):
        reply = None
    if not isinstance(reply, dict) or too_deep(reply):
        text = mask(content.decode("utf-8", "replace"))
        raise RunError(f"HTTP {status}：回复不是 JSON 对象: {beginning(text)}", status, details=f"原始回复:\n{text}")
    headers = response.headers
    logid = logid_of(reply) or headers.get("X-Tt-Logid") or headers.get("X-Log-Id") or ""
    return Answer(status, mask(logid), masked(reply))


# --------------------------- 把 Coze 的回复变成记录 ---------------------------


def too_deep(value: Any) -> bool:
    """嵌套超过 MAX_DEPTH 层的值写不回 JSON。"""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for item in level
            if isinstance(item, (dict, list, tuple))
            for child in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return False
    return True


def finite(number: str) -> float:
    """JSON 里的小数；抛出 ValueError：大到变成无穷大，或者是 NaN、Infinity。"""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(number)
    return value


def decode(value: Any) -> Any:
    """字符串是严格的 JSON 就解码，否则原样返回。"""
    if not isinstance(value, str):
        return value
    try:
        decoded = json.loads(value, parse_float=finite, parse_constant=finite)
    except (ValueError, RecursionError):
        return value
    if too_deep(decoded):
        return value
    return masked(decoded) if "\\" in value else decoded  # 令牌在解码之前已经遮住；只有转义会解出新的


def text_of(value: Any) -> str:
    """字符串去掉首尾空白，数字取它的数字；0 和其他（null、对象）等于没有，返回空串。"""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = str(value)
    text = value.strip() if isinstance(value, str) else ""
    return "" if text == "0" else text


def first(fields: dict[str, Any], *names: str) -> Any:
    """names 里第一个有值的字段；null 等于没有。"""
    return next((fields[name] for name in names if fields.get(name) is not None), None)


def history_entry(reply: dict[str, Any]) -> dict[str, Any]:
    """查询回复 data 列表里的那个对象；不是查询回复，或列表还是空的，返回空字典。"""
    data = reply.get("data")
    entry = data[0] if isinstance(data, list) and data else None
    if isinstance(entry, dict) and first(entry, "execute_status", "status", "interrupt_data") is not None:
        return entry
    return {}


def fields_of(reply: dict[str, Any]) -> dict[str, Any]:
    """一次运行的全部字段：回复顶层的，加上查询回复 data[0] 里的（优先）。"""
    entry = {name: value for name, value in history_entry(reply).items() if value is not None}
    return {**reply, **entry}


def logid_of(reply: dict[str, Any]) -> str:
    """回复里的日志 ID，Coze 的技术支持会问到它；没有时为空串。"""
    detail = reply.get("detail")
    fields = {**fields_of(reply), **(detail if isinstance(detail, dict) else {})}
    return text_of(first(fields, "logid", "log_id"))


def code_of(reply: dict[str, Any]) -> str:
    """回复顶层的错误码；0 或没有时为空串。"""
    return text_of(reply.get("code"))


def run_id_of(fields: dict[str, Any]) -> str:
    """运行 ID；没有单独的字段时取自 debug_url 的 execute_id 参数。0 不是 ID，没有时为空串。"""
    query: dict[str, list[str]] = {}
    with suppress(ValueError):
        query = parse_qs(urlsplit(text_of(fields.get("debug_url"))).query)
    candidates = [fields.get("run_id"), fields.get("execute_id"), *query.get("execute_id", [])]
    return mask(next(filter(None, map(text_of, candidates)), ""))


def status_of(fields: dict[str, Any], default: str) -> str:
    """README 里的状态；表里没有的原样返回，回复没有提到状态时返回 default。"""
    if decode(fields.get("interrupt_data")) or code_of(fields):
        return "failed"
    state = text_of(first(fields, "execute_status", "status"))
    if state:
        return STATUSES.get(state, state)
    return "failed" if fields.get("error") else default


def end_node_text(value: Any) -> Any:
    """End 节点以文本回答时的包装，取出文本；带有其他键的对象是工作流自己的，原样返回。"""
    wrapper = {"content_type", "data", "type_for_model"}
    if isinstance(value, dict) and set(value) - {"original_result"} == wrapper and isinstance(value["data"], str):
        return value["data"]
    return value


def outputs_of(reply: dict[str, Any]) -> Any:
    """工作流的输出：是 JSON 就解码，不是就保留文本。

    正式版 Coze 的查询回复（Coze 文档 workflow_history，有 code 或 detail）把 End 节点放在 Output 下，其他输出节点各用其名；
    Coze Studio 的查询回复没有这层包装。
    """
    entry = history_entry(reply)
    if not entry:
        answer = first(reply, "outputs", "output")
        return end_node_text(decode(reply.get("data"))) if answer is None else decode(answer)
    output = decode(first(entry, "outputs", "output"))
    live = first(reply, "code", "detail") is not None
    if not (live and isinstance(output, dict) and ("Output" in output or "node_status" in output)):
        return output
    nodes = {name: decode(value) for name, value in output.items() if name != "node_status"}
    if "Output" in nodes:
        nodes["Output"] = end_node_text(nodes["Output"])
    return nodes["Output"] if set(nodes) == {"Output"} else nodes


def error_of(fields: dict[str, Any]) -> dict[str, str]:
    """失败的原因 {"code", "message"}；Coze 没有说明时用我们的话。"""
    error = fields.get("error")
    inner = error if isinstance(error, dict) else {"message": error}
    codes = (inner.get("code"), fields.get("error_code"), fields.get("code"))
    code = next(filter(None, map(text_of, codes)), "")
    words = (inner.get("message"), inner.get("msg"), fields.get("error_message"), fields.get("error_msg"))
    message = next(filter(None, map(text_of, (*words, code_of(fields) and fields.get("msg")))), "")
    if error and not message:
        message = json.dumps(error, ensure_ascii=False)
    state = text_of(first(fields, "execute_status", "status"))
    interrupt = decode(fields.get("interrupt_data"))
    if interrupt or state in WAITING_FOR_ANSWER:
        question = interrupt.get("data") if isinstance(interrupt, dict) else interrupt
        asked = question if isinstance(question, str) else json.dumps(question, ensure_ascii=False)
        parts = ["运行停下来等待一个回答，这个脚本不能回答。", f"问题: {asked}" if question else "", message]
        parts.append(f"请到这里查看: {fields['debug_url']}" if fields.get("debug_url") else "")
        message = " ".join(filter(None, parts))
    elif not message:
        message = "运行被取消。" if state == "Cancel" else "Coze 没有说明原因。"
    return {"code": code, "message": message}


def utc_now() -> str:
    """本机时钟的 UTC 时间，格式与记录相同。"""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def iso_time(value: Any) -> str:
    """Unix 秒或 ISO 8601 文本 -> 2025-10-28T15:58:40Z；没有或看不懂时返回空串。"""
    text = text_of(value)
    pattern = r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.\d+)?(?:Z|([+-]\d\d):?(\d\d)?)?"
    match = re.fullmatch(pattern, text, re.ASCII)
    try:
        if match:
            day, clock, hours, minutes = match.groups()
            moment = datetime.fromisoformat(f"{day}T{clock}{hours or '+00'}:{minutes or '00'}").astimezone(timezone.utc)
        elif text:
            moment = datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(seconds=float(text))
        else:
            return ""
    except (ValueError, OverflowError):
        return ""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def next_record(record: dict[str, Any], reply: dict[str, Any], now: str) -> dict[str, Any]:
    """收到 reply 之后的记录。record: 之前的记录；now: 本机时间，用在 Coze 没有给时间的地方。"""
    fields = fields_of(reply)
    status = status_of(fields, record["status"])
    updated = {
        "run_id": record["run_id"] or run_id_of(fields),
        "workflow_id": record["workflow_id"],
        "status": status,
        "inputs": record["inputs"],
    }
    if status == "completed":
        updated["outputs"] = outputs_of(reply)
    elif status == "failed":
        updated["error"] = error_of(fields)
    updated["created_at"] = iso_time(first(fields, "created_at", "create_time")) or record["created_at"]
    updated["updated_at"] = iso_time(first(fields, "updated_at", "update_time")) or now
    updated["response"] = reply
    return updated


def report(answer: Answer) -> str:
    """Coze 的一次拒绝（或看不懂的回复）的全部细节，给用户看。"""
    reply = answer.reply
    error = error_of(reply) if code_of(reply) or reply.get("error") else {"code": "", "message": ""}
    details = {
        "HTTP 状态": str(answer.status),
        "错误码 code": error["code"],
        "错误信息 msg": error["message"],
        "logid": answer.logid,
        "建议": HINTS.get(error["code"], ""),
    }
    lines = [f"{name}: {text}" for name, text in details.items() if text]
    return "\n".join([*lines, "完整回复:", to_json(reply)])


def run_details(record: dict[str, Any]) -> list[str]:
    """结果之后附上的话：可视化运行页面的地址和消耗的 Token，Coze 给了才有。"""
    fields = fields_of(record["response"])
    usage = fields.get("usage")
    used = text_of(usage.get("token_count") if isinstance(usage, dict) else fields.get("token"))
    page = text_of(fields.get("debug_url"))
    lines = [f"运行详情页面（7 天内有效）: {page}"] if page else []
    return lines + ([f"消耗 Token 数: {used}"] if used else [])


# ------------------------------------ 保存 ------------------------------------


def file_name(record: dict[str, Any]) -> str:
    """<run_id>_<created_at>.json；各系统不能用的 ID 改写，并以 ID 的哈希结尾，以免撞名。"""
    run_id = record["run_id"]
    created_at = re.sub("[-:Z]", "", record["created_at"])
    if re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", run_id):
        return f"{run_id}_{created_at}.json"
    digest = hashlib.sha256(run_id.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    readable = re.sub("[^A-Za-z0-9]+", "_", run_id)[:60].strip("_") or "run"
    return f"{readable}_{created_at}_{digest}.json"


def save(record: dict[str, Any], path: str = "") -> str:
    """保存记录，返回文件路径；path 是它现在的文件，先写好再改成正式的名字。

    先写临时文件再替换：任何时候被打断，留下的都是完整的旧文件或新文件。抛出 OSError：写不了。
    """
    path = path or file_name(record)
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8", errors="json_escape", newline="\n") as file:
            file.writelines(json_pieces(record))
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            os.remove(temporary)
    final = os.path.join(os.path.dirname(path), file_name(record))
    with suppress(OSError):
        os.replace(path, final)
        return final
    return path


def store(record: dict[str, Any], path: str = "") -> str:
    """保存记录并返回文件路径。写不了时返回空串，说明原因；如果运行已经结束，就把整个记录打印出来。"""
    try:
        return save(record, path)
    except OSError as error:
        complain(f"\n文件没有写成: {error}")
        if record["status"] in ENDED:
            again = f"问题解决以后，也可以重新取得它: {resume_command(path)}" if path else ""
            complain(f"完整的记录打印在下面，请自行保存。{again}")
            say(record) or complain(record)
        return ""


# ---------------------------------- 向用户交代 ----------------------------------


def explain(record: dict[str, Any]) -> None:
    """把结果里需要用户知道的麻烦说清楚：失败的原因，被截断的输出。"""
    if record["status"] == "failed":
        error = record["error"]
        complain(f"\n运行失败: {error['message']}" + (f"（错误码 {error['code']}）" if error["code"] else ""))
        if error["code"] in HINTS:
            complain(f"建议: {HINTS[error['code']]}")
        complain("这次运行已经发生，会计费；脚本不会自动重新运行。")
    if fields_of(record["response"]).get("is_output_trimmed") is True:
        complain("\n注意: 输出太大，Coze 把它截断了（is_output_trimmed），结果不完整。")


def resume_command(path: str) -> str:
    """接着等待一次运行的命令；路径里有空格、括号之类时加上引号。"""
    return "python workflow_async.py " + (f'"{path}"' if re.search(r"[^\w./\\:-]", path) else path)


def leave(record: dict[str, Any], path: str, saved: bool) -> None:
    """脚本要提前结束了：说明这次运行怎样了，怎样找回它。path: 记录的文件；saved: 最新的记录已经写在里面。"""
    complain(f"运行 ID (run_id): {record['run_id']}")
    if record["status"] in ENDED:
        complain(f"运行已经结束，结果在文件里: {path}" if saved else "运行已经结束，完整的记录打印在上面。")
        return
    if not path:
        say(record) or complain(record)
        path = file_name(record)
        complain(f"记录没有写成文件。请把上面的 JSON 以 UTF-8 编码保存为 {path}，然后用下面的命令。")
    complain("运行在 Coze 上继续。用 workflow_async.py 里的配置接着等待它，不会重新运行，不会重复计费:")
    complain(f"  {resume_command(path)}")


# ---------------------------------- 一次运行 ----------------------------------


def run_workflow(
    session: Session, body: RequestBody, timeout: float, default_status: str, counter: str = ""
) -> dict[str, Any]:
    """发送运行请求，只此一次；返回第一份记录。

    default_status: 回复带着运行 ID 而没有提到状态时的状态；timeout、counter: 见 call。
    抛出 RunError：没有得到运行 ID，也没有得到结果；说明里包括这次有没有运行、会不会计费。
    """
    inputs = masked(json.loads(json.dumps(INPUTS)))
    draft = {"workflow_id": mask(id_text(WORKFLOW_ID)), "inputs": inputs, "created_at": utc_now()}
    try:
        answer = call(session, "/v1/workflow/run", timeout, body, counter)
    except RunError as error:
        advice = [CHECK_ADDRESS] if error.status in (0, 404) else []
        error.details = "\n".join([error.details, MAYBE_RUNNING if body.sent else NOT_SENT, *advice]).strip()
        raise
    status, reply, code = answer.status, answer.reply, code_of(answer.reply)
    fields = fields_of(reply)
    run_id = run_id_of(fields)
    if run_id and status >= 500:  # 网关的 5xx 说不准运行的死活；有了 ID 就当它还在继续
        return {**next_record({**draft, "run_id": run_id, "status": "pending"}, {}, utc_now()), "response": reply}
    if not run_id:
        default_status = "completed"
    elif status >= 400:
        default_status = "pending"
    record = next_record({**draft, "run_id": run_id, "status": default_status}, reply, utc_now())
    if run_id:
        return record
    # 没有运行 ID，却有结果，或者明说这次运行失败了：照样记下来
    completed, failed = record["status"] == "completed", record["status"] == "failed"
    has_result = completed and first(reply, "outputs", "output", "data") not in (None, "")
    has_failed = failed and first(fields, "execute_status", "status", "interrupt_data") is not None
    if status < 400 and not code and (has_result or has_failed):
        return {**record, "run_id": f"unknown-{os.urandom(4).hex()}"}
    # Coze 拒绝了请求（错误码，或 HTTP 4xx）：没有运行。除此之外都说不准
    if failed and (code or status >= 400) and status < 500 and status != 408:
        meaning = MAYBE_RUNNING if code in UNSURE_CODES else "工作流没有运行，不会计费。"
        raise RunError("Coze 拒绝了运行请求。", details=f"{report(answer)}\n{meaning}")
    raise RunError("回复里没有结果，也没有运行 ID。", details=f"{report(answer)}\n{MAYBE_RUNNING}")


def show_result(record: dict[str, Any], path: str) -> None:
    """显示同步运行的结果。"""
    completed = record["status"] == "completed"
    say(f"\n{'请求成功！' if completed else '请求已完成，但是没有得到结果。'}\n{RULE}")
    say("响应结果:\n", record["response"], f"\n{RULE}\n")
    if path:
        say(f"结果已保存到文件: {path}\n")
    say(f"执行状态: {record['status']}")
    if completed:
        say("输出结果: ", record["outputs"])
    for line in run_details(record):
        say(line)
    explain(record)


def main() -> int:
    """一次同步运行，从头到尾；返回退出状态。"""
    prepare_console()
    style = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, epilog=HELP, formatter_class=style).parse_args()
    problems = request_problems() + workflow_problems() + number_problems("TIMEOUT", TIMEOUT)
    if problems:
        complain("\n  - ".join(["配置有问题，没有发送任何请求:", *problems]))
        return EXIT_SETTINGS
    body = run_body(is_async=False)
    record, path = None, ""
    try:
        with ctrl_c_at_once():
            say(f"{RULE}\nCoze 工作流同步执行\n{RULE}\n工作流 ID: {id_text(WORKFLOW_ID)}")
            say("输入参数: ", INPUTS, f"\n{THIN_RULE}\n正在发送请求...")
        counter = f"已等待 {{waited}} / {TIMEOUT} 秒"
        record = run_workflow(open_session(), body, TIMEOUT, default_status="completed", counter=counter)
        path = store(record)
        with ctrl_c_at_once():
            show_result(record, path)
    except RunError as error:
        complain(f"\n{error}\n{error.details}")
        return EXIT_FAILED
    except KeyboardInterrupt:
        body.cancelled = True
        complain("\n已按 Ctrl-C 停止。")
        if record:
            leave(record, path, saved=bool(path))
        else:
            complain(MAYBE_RUNNING if body.sent else NOT_SENT)
        return EXIT_CTRL_C
    if record["status"] not in ENDED:
        leave(record, path, saved=bool(path))
    return EXIT_COMPLETED if record["status"] == "completed" and path else EXIT_FAILED


if __name__ == "__main__":
    os._exit(main())  # 要写的都已经写完：省去解释器的收尾，这时的 Ctrl-C 也不会改变退出状态
