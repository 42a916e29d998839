# /// script
# requires-python = ">=3.8"
# dependencies = ["requests>=2.31", "urllib3>=1.26"]
# ///
"""同步执行 Coze（扣子）工作流：发送一次运行请求，等待，保存并显示结果。

填好脚本顶部的配置，然后运行:  python workflow_sync.py
需要：工作流已经发布；令牌有 run 权限；运行不超过 90 秒（更长的请用 workflow_async.py）。
结果写成当前文件夹里的 <run_id>_<created_at>.json。
令牌只放在发往 API_BASE 的请求头里，不打印，不写入文件。运行请求最多到达 Coze 一次，不会重复计费。
脚本里没有另外填写时，使用环境变量 COZE_API_TOKEN、COZE_WORKFLOW_ID、COZE_API_BASE。

退出状态:
  0    运行成功，结果已保存
  1    被拒绝、运行失败，或者出了其他问题
  2    配置不能用，没有发送任何请求
  130  按了 Ctrl-C
"""

from __future__ import annotations

import argparse
import atexit
import hashlib
import io
import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any
from urllib.parse import unquote

try:
    from requests import Session
    from urllib3.util import Retry, ssltransport  # noqa: F401 urllib3 1.26 才有 ssltransport，它的 Retry 才有 other
except ImportError as error:
    sys.exit(f'不能使用 requests: {error}。没有安装或者太旧时，请运行: python -m pip install requests "urllib3>=1.26"')

# ============================ 配置：只需要修改这一段 ============================

# 访问令牌。建议放在环境变量 COZE_API_TOKEN 里，不要写进会提交到版本控制的文件
YOUR_ACCESS_TOKEN = os.environ.get("COZE_API_TOKEN") or "your_actual_access_token"
WORKFLOW_ID = os.environ.get("COZE_WORKFLOW_ID") or "your_actual_workflow_id"  # 工作流页面地址里的数字
INPUTS = {"param1": "value1", "param2": "value2"}  # 输入参数，名称与工作流「开始」节点的一致
# 服务地址：国内 https://api.coze.cn，国际版 https://api.coze.com，或自建服务的地址
API_BASE = os.environ.get("COZE_API_BASE") or "https://api.coze.cn"
TIMEOUT = 300  # 超时：从开始连接到收完整个回复，一共最多等多少秒（Coze 自己在 90 秒没有数据时切断）

# 以下各项通常不用改。None 表示请求里不带这一项
BOT_ID = None  # 智能体 ID，含数据库、变量节点的工作流需要
APP_ID = None  # 应用 ID，属于扣子应用的工作流需要，不与 BOT_ID 同用
EXT = None  # 附加信息，例如 {"user_id": "u1"}，值都是字符串
WORKFLOW_VERSION = None  # 版本号，例如 "v0.0.5"，只用于资源库工作流
CONNECTOR_ID = None  # 渠道 ID，Coze 默认 "1024"（API）

# =========== 配置到此结束。两个脚本互不引用，以下同名的函数和类逐字相同 ===========

TOKEN = re.sub(r"(?i)^bearer(\s+|$)", "", str(YOUR_ACCESS_TOKEN).strip())  # 去掉粘贴时带进来的
OPTIONAL = {"bot_id": BOT_ID, "app_id": APP_ID, "workflow_version": WORKFLOW_VERSION, "connector_id": CONNECTOR_ID}
ASYNC_SCRIPT = os.path.join(os.path.dirname(sys.argv[0]), "workflow_async.py")  # 能接着等待一次运行的脚本
CONNECT_TIMEOUT = 10  # 建立一次连接最多等多少秒
CONNECT_RETRIES = 3  # 连接没有建立起来（请求一定没有发出）时，最多再试几次
EXIT_COMPLETED, EXIT_FAILED, EXIT_SETTINGS, EXIT_CTRL_C = 0, 1, 2, 130
RULE, THIN_RULE, ERASE_LINE = "=" * 60, "-" * 60, "\r" + " " * 40 + "\r"

WAITING_FOR_ANSWER = ("Interrupted", "<UNSET>")  # 停在提问处：Coze 和 Coze Studio 的写法
# Coze 的状态 -> README 里的状态；不在表里的原样显示
STATUSES = {"Running": "running", "Success": "completed", "Fail": "failed", "Cancel": "failed"}
ENDED = ("completed", "failed")
# 有运行 ID 的一律运行过。没有 ID 时，带这些错误码的没有运行；其他的，已知或未知，都可能运行过并且计费
REFUSED = "4000 4009 4011 4019 4020 4022 4100 4101 4200 6003 6031 700012006 720702004".split()  # noqa: SIM905
HINTS = {
    "4000": "检查 INPUTS 的参数名和类型，要与工作流「开始」节点一致。",
    **dict.fromkeys(("4009", "4013", "4020", "5000"), "Coze 正忙、限流或暂时出错，请稍后再试。"),
    **dict.fromkeys(("4011", "4019", "4022"), "额度不足，请到 Coze 平台充值。"),
    **dict.fromkeys(("4100", "700012006"), "令牌无效或已过期，请换一个；Coze Studio 的数据库停了也会这样。"),
    "4101": "令牌没有权限或不属于这个空间：运行需要 run 权限，查询需要 listRunHistory 权限。",
    **dict.fromkeys(("4200", "6031", "720702004"), "没有这个工作流，或者它从未发布：检查 WORKFLOW_ID，并发布工作流。"),
    "4314": "没有这条运行记录：刚刚启动时请稍等片刻；很久以前的运行，记录可能已经过期。",
    "6003": "异步运行需要付费版，请改用 workflow_sync.py。",
    "6039": "工作流里有提问或输入节点，这两个脚本都不能回答；提问之前的节点已经运行过。",
    **dict.fromkeys(("6023", "720701013"), "某个节点失败或者超时，请按错误信息检查工作流；WORKFLOW_ID 要全是数字。"),
}
REFUSED_HTTP = (*range(300, 400), 400, 401, 403, 404, 405, 407, 413, 429)  # 没有错误码时看 HTTP 状态

CHECK_ADDRESS = "请检查网络、代理设置和 API_BASE。"
NOT_SENT = f"请求没有发出：工作流没有运行，不会计费。{CHECK_ADDRESS}"
NOT_RUN = "请求被拒绝：工作流没有运行，不会计费。"
MAYBE_RUNNING = """请求可能已经到达 Coze：工作流可能正在运行并计费。脚本不会自动重发。
再次运行之前，请先在 Coze 平台的工作流页面查看运行记录，确认这一次有没有运行。
超过 90 秒的工作流请改用 workflow_async.py（需要扣子的付费版）。"""
Answer = namedtuple("Answer", "status headers reply text")  # HTTP 状态码，响应头，JSON 对象，不是 JSON 对象时的原文
SESSION: Any = Session()  # 唯一发出令牌的地方
SESSION.headers.update({"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
SESSION.auth = lambda request: request  # 没有 auth 时，~/.netrc 会替换令牌
SESSION.get_redirect_target = lambda response: None  # 不跟随重定向，连要转去的地址也不解析：它可能是坏的
for adapter in SESSION.adapters.values():  # 只有连接没有建立起来时才重试，请求发出以后的任何错误都不
    adapter.max_retries = Retry(total=None, connect=CONNECT_RETRIES, read=False, status=0, other=0, backoff_factor=0.5)


class RunError(Exception):
    """到此为止。两个参数：要告诉用户的话，退出状态。"""


def mask(text: str) -> str:
    """把令牌换成 ***。离开脚本的文字（屏幕、文件、文件名）都经过这里；太短的令牌是普通的词，不是秘密。"""
    for spelling in {TOKEN, TOKEN.replace("/", r"\/"), TOKEN.replace("/", r"\\/")}:
        text = text.replace(spelling, "***") if len(TOKEN) >= 16 else text
    return text


def say(text: str, stream: str = "stdout", end: str = "\n") -> bool:
    """打印一行，返回是否成功。管道关闭或磁盘写满之后，这个流不再输出，脚本照常进行。"""
    try:
        print(mask(text), end=end, file=getattr(sys, stream), flush=True)
    except OSError:
        setattr(sys, stream, None)
    return getattr(sys, stream) is not None


def wait(seconds: float, done: threading.Event, counter: str) -> None:
    """等到 done 或满 seconds 秒。counter: 在终端上原地刷新的一行，可以有 {waited}、{left}（秒）；等完就擦掉。"""
    start, waited, shown = time.monotonic(), 0.0, ""
    on_terminal = sys.stdout is sys.__stdout__ and sys.__stdout__ is not None and sys.__stdout__.isatty()
    try:
        while not done.is_set() and waited < seconds:
            line = counter.format(waited=int(waited), left=math.ceil(seconds - waited)) if on_terminal else ""
            if line != shown:
                say(ERASE_LINE + line, end="")
                shown = line
            done.wait(min(0.1, seconds - waited))  # 小步等待，这样 Windows 上 Ctrl-C 也能及时生效
            waited = time.monotonic() - start
    finally:
        say(ERASE_LINE if shown else "", end="")


def text_of(value: Any) -> str:
    """文本去掉首尾空白，整数取它的数字；0（成功的 code，不存在的 ID）和其他（null、小数、对象）等于没有，返回空串。"""
    if type(value) in (int, float) and value % 1 == 0:
        value = str(int(value))
    return value.strip() if isinstance(value, str) and value.strip() != "0" else ""


def as_text(value: Any, ensure_ascii: bool = False) -> str:
    """给人看的值：文本原样，其他的写成 JSON，缩进 2；嵌套太深的不缩进。"""
    with suppress(RecursionError):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=ensure_ascii, indent=2)
    return json.dumps(value, ensure_ascii=ensure_ascii)


def is_writable(value: Any) -> bool:
    """value 能写成 JSON：没有 NaN 和无穷大，嵌套也不太深（记录里还要再套几层）。"""
    with suppress(TypeError, ValueError, RecursionError):
        return bool(json.dumps([[[[value]]]], ensure_ascii=False, allow_nan=False))
    return False


def decode(value: Any) -> Any:
    """文本或字节是 JSON 就解码；不是，或者解出来写不回去，就原样返回。"""
    with suppress(ValueError, RecursionError):
        decoded = json.loads(value) if isinstance(value, (str, bytes)) else value
        return decoded if is_writable(decoded) else value
    return value


def iso_time(value: Any) -> str:
    """Unix 秒或 ISO 8601 文本 -> 2025-10-28T15:58:40Z；没有或看不懂时返回空串。"""
    text = text_of(value)
    with suppress(ValueError, OverflowError, OSError):
        text = datetime.fromtimestamp(int(text), timezone.utc).isoformat() if text.isdigit() else text
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        moment = moment.replace(tzinfo=moment.tzinfo or timezone.utc).astimezone(timezone.utc)
        return f"{moment.isoformat()[:19]}Z"
    return ""


def fields_of(reply: dict) -> dict:
    """回复的全部字段：查询回复的 data[0] 代替 data；null 等于没有，在这里去掉。run_id、state 是文本，没有时为空串。"""
    fields, data = {name: value for name, value in reply.items() if value is not None}, reply.get("data")
    entry = data[0] if isinstance(data, list) and data and isinstance(data[0], dict) else {}
    if entry.keys() & {"execute_status", "status", "interrupt_data"}:
        del fields["data"]
        fields.update((name, value) for name, value in entry.items() if value is not None)
    in_url = re.search(r"[?&]execute_id=([^&#]*)", text_of(fields.get("debug_url")))
    ids = fields.get("run_id"), fields.get("execute_id"), unquote(in_url[1]) if in_url else ""
    state = text_of(fields.get("execute_status", fields.get("status")))
    return {**fields, "run_id": next(filter(None, map(text_of, ids)), ""), "state": state}


def outputs_of(fields: dict) -> Any:
    """工作流的输出：是 JSON 就解码，不是就保留文本。正式版 Coze 的查询回复（有 code 或 detail）里每个节点各用其名。"""
    outputs, nodes = decode(fields.get("outputs", fields.get("output", fields.get("data")))), {}
    is_live_history = "execute_status" in fields and fields.keys() & {"code", "detail"}
    if is_live_history and isinstance(outputs, dict) and outputs.keys() & {"Output", "node_status"}:
        nodes = {name: decode(value) for name, value in outputs.items() if name != "node_status"}
        outputs = nodes.get("Output")  # End 节点
    wrapper = {"content_type", "data", "type_for_model"}  # End 节点以文本回答时的包装，带其他键的是工作流自己的
    if isinstance(outputs, dict) and outputs.keys() - {"original_result"} == wrapper and type(outputs["data"]) is str:
        outputs = outputs["data"]
    nodes.update({"Output": outputs} if "Output" in nodes else {})  # 换成去掉包装的
    return nodes if nodes.keys() - {"Output"} else outputs


def error_of(fields: dict) -> dict:
    """失败的原因 {"code", "message"}，都是文本。"""
    error, state = fields.get("error"), fields["state"]
    inner = error if isinstance(error, dict) else {"message": error}
    code = text_of(inner.get("code")) or text_of(fields.get("error_code")) or text_of(fields.get("code"))
    words = [inner.get("message"), inner.get("msg"), fields.get("error_message"), fields.get("error_msg")]
    words += [text_of(fields.get("code")) and fields.get("msg"), error and json.dumps(error, ensure_ascii=False)]
    message = next(filter(None, map(text_of, words)), "运行被取消。" if state == "Cancel" else "")
    question = decode(fields.get("interrupt_data"))
    if question or state in WAITING_FOR_ANSWER:
        asked = question.get("data") if isinstance(question, dict) else question
        page = fields.get("debug_url") and f"请到这里查看: {fields['debug_url']}"
        parts = "运行停下来等待一个回答，这个脚本不能回答。", asked and f"问题: {as_text(asked)}", message, page
        message = " ".join(filter(None, parts))
    return {"code": code, "message": message or "Coze 没有说明原因。"}


def next_record(record: dict, reply: dict, now: str) -> dict:
    """收到 reply 之后的记录。record: 之前的记录；now: 本机时间，用在 Coze 没有给时间的地方。"""
    fields = fields_of(reply)
    state, code, question = fields["state"], text_of(fields.get("code")), decode(fields.get("interrupt_data"))
    failed = code or question or state in WAITING_FOR_ANSWER or (fields.get("error") and not state)
    status = "failed" if failed else STATUSES.get(state, state) or record["status"]
    updated = dict({name: record[name] for name in ("run_id", "workflow_id", "status", "inputs")}, status=status)
    if status == "completed":
        updated["outputs"] = outputs_of(fields)
    elif status == "failed":
        updated["error"] = error_of(fields)
    updated["created_at"] = iso_time(fields.get("created_at", fields.get("create_time"))) or record["created_at"]
    updated["updated_at"] = iso_time(fields.get("updated_at", fields.get("update_time"))) or now
    return {**updated, "response": reply}


def did_it_run(sent: bool, answer: Answer | None = None) -> str:
    """没有得到运行 ID 时，工作流运行了没有、会不会计费、该做什么。先看 Coze 的错误码，没有错误码时看 HTTP 状态。"""
    if answer is None:
        return MAYBE_RUNNING if sent else NOT_SENT
    code, is_broken = answer.reply.get("code"), answer.text.lstrip().startswith("{")  # 坏了的 JSON 里可能有错误码
    if code is None:
        return f"{NOT_RUN if answer.status in REFUSED_HTTP and not is_broken else MAYBE_RUNNING}\n{CHECK_ADDRESS}"
    return NOT_RUN if text_of(code) in REFUSED or (text_of(code), answer.status) == ("400", 400) else MAYBE_RUNNING


def what_came_back(answer: Answer) -> str:
    """一次拒绝（或看不懂的回复）的全部细节，说明在后。不是 JSON 的长网页只留开头，除非像是没收好的结果。"""
    fields, text = fields_of(answer.reply), answer.text.lstrip()
    text = text if text.startswith(("{", "[")) else mask(text)[:2000]  # 先遮住再截断：截断的令牌认不出来
    error, detail = error_of(fields), fields.get("detail")
    logid = answer.headers.get("X-Tt-Logid") or answer.headers.get("X-Log-Id")
    facts = {
        "完整回复": answer.reply and f"\n{as_text(answer.reply)}",
        "回复不是 JSON 对象": not answer.reply and f"共 {len(answer.text)} 个字符\n{text}",
        "HTTP 状态": answer.status,
        "要求转到另一个地址，脚本没有跟随": answer.headers.get("Location"),
        "错误码 code": error["code"],
        "错误信息 msg": answer.reply and error["message"],
        "logid": (isinstance(detail, dict) and text_of(detail.get("logid"))) or logid,
        "建议": HINTS.get(error["code"]),
    }
    return "\n".join(f"{name}: {fact}" for name, fact in facts.items() if fact)


def tell_the_rest(record: dict) -> None:
    """结果之后的话：运行页面和消耗（Coze 给了才有）；失败的原因和被截断的输出。"""
    fields = fields_of(record["response"])
    usage = fields["usage"] if isinstance(fields.get("usage"), dict) else {"token_count": fields.get("token")}
    used = text_of(usage.get("token_count"))
    for name, text in {"运行详情页面（7 天内有效）": fields.get("debug_url"), "消耗 Token 数": used}.items():
        if text:
            say(f"{name}: {text}")
    if record["status"] == "failed":
        code, message = record["error"]["code"], record["error"]["message"]
        say(f"\n运行失败: {message}" + (f"（错误码 {code}）" if code else ""), "stderr")
        say(f"建议: {HINTS.get(code, '检查工作流。')}\n这次运行已经发生，会计费；脚本不会自动重新运行。", "stderr")
    if fields.get("is_output_trimmed") is True:
        say("\n注意: 输出太大，Coze 把它截断了（is_output_trimmed），结果不完整。", "stderr")


def check_settings(times: dict, rules: list[tuple[Any, str]], new_run: bool = True) -> None:
    """一次说完不能用的配置，话里不含它们的值。times: 秒数；rules: 另外的规则（成立吗，不成立时的话）。抛出 RunError：有不能用的。"""
    filled = isinstance(YOUR_ACCESS_TOKEN, str) and TOKEN not in ("", "your_actual_access_token")
    named = text_of(WORKFLOW_ID) not in ("", "your_actual_workflow_id")
    rules = [
        (filled, "YOUR_ACCESS_TOKEN 还没有填写：填入访问令牌，或设置环境变量 COZE_API_TOKEN"),
        (re.fullmatch(r"[!#-\[\]-~]*", TOKEN), "YOUR_ACCESS_TOKEN 中间有空格、引号或中文等字符，请重新复制令牌"),
        *((id is None or text_of(id), f"{name.upper()} 必须是文字，不用时写 None") for name, id in OPTIONAL.items()),
        (EXT is None or isinstance(EXT, dict) and is_writable(EXT), "EXT 必须是字典，不用时写 None"),
        (re.fullmatch(r"\s*https?://\S+\s*", str(API_BASE)), "API_BASE 必须是以 http:// 或 https:// 开头的地址"),
        *((type(n) in (int, float) and 0 < n <= 86400, f"{name} 要大于 0，最多 86400") for name, n in times.items()),
        *rules,
        (named or not new_run, "WORKFLOW_ID 还没有填写：填入工作流 ID，或设置环境变量 COZE_WORKFLOW_ID"),
        (not new_run or isinstance(INPUTS, dict) and is_writable(INPUTS), 'INPUTS 要像 {"a": 1} 这样，能转换成 JSON'),
    ]
    broken = [sentence for holds, sentence in rules if not holds]
    if broken:
        raise RunError("\n  - ".join(["配置有问题，没有发送任何请求:", *broken]), EXIT_SETTINGS)


class RequestBody(io.BytesIO):
    """运行请求的正文。连接建立之后它才会被读取，所以没有读过就一定没有发出；关闭以后就再也发不出去。"""

    sent = False

    def read(self, size: int | None = -1) -> bytes:
        self.sent = True
        return super().read(size)


def run_body(is_async: bool) -> RequestBody:
    """配置 -> 运行请求的正文（Coze 文档 workflow_run），没有设置的可选项不出现。"""
    body = {"workflow_id": WORKFLOW_ID, "parameters": INPUTS, "is_async": is_async, "ext": EXT, **OPTIONAL}
    body = {name: text_of(value) or value for name, value in body.items() if value is not None}
    return RequestBody(json.dumps(body, ensure_ascii=False).encode("utf-8", "backslashreplace"))


def call(path: str, seconds: float, body: RequestBody | None = None, counter: str = "") -> Answer:
    """唯一与 Coze 通信的函数：有 body 时 POST，否则 GET；从连接到收完回复最多等 seconds 秒。抛出 RunError：没有收到完整的回复。"""
    url, send = f"{API_BASE.strip().rstrip('/')}/{path.lstrip('/')}", SESSION.post if body else SESSION.get
    outcome: list[Any] = []
    done = threading.Event()

    def request() -> None:
        try:
            outcome.append(send(url, data=body, timeout=(CONNECT_TIMEOUT, seconds)))
        except Exception as error:  # noqa: BLE001 任何错误都要带回主线程，由它告诉用户
            outcome.append(error)
        done.set()

    try:
        threading.Thread(target=request, daemon=True).start()
        wait(seconds, done, counter)
    except KeyboardInterrupt:
        if not body or not outcome:  # 只是查询，或者回复还没有到
            raise
    finally:
        if body:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # 收到的回复先要写好，main 在那之后恢复
            body.close()  # 放弃了的正文再也发不出去
    result: Any = outcome[0] if outcome else TimeoutError(f"等了 {seconds} 秒，没有收到完整的回复")
    if isinstance(result, Exception):
        while result.__cause__ or result.__context__:
            result = result.__cause__ or result.__context__
        words = f"网络错误（{type(result).__name__}）: {result}\n{did_it_run(body.sent) if body else ''}"
        raise RunError(words.strip(), EXIT_FAILED)
    text = result.content.decode("utf-8-sig", "replace")
    decoded = decode(text if "execute_id" in text else result.content)  # 说出了运行 ID 的，坏了几个字也要认
    reply = decoded if isinstance(decoded, dict) else {}
    return Answer(result.status_code, result.headers, reply, "" if reply else text)


def file_name(record: dict) -> str:
    """<run_id>_<created_at>.json；各系统不能用的 ID 改写，并以 ID 的哈希结尾，以免撞名。"""
    run_id, created_at = mask(record["run_id"]), re.sub("[-:Z]", "", record["created_at"])
    if re.fullmatch("[A-Za-z0-9_][A-Za-z0-9_-]{0,99}", run_id):
        return f"{run_id}_{created_at}.json"
    digest = hashlib.sha256(run_id.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    readable = re.sub("[^A-Za-z0-9]+", "_", run_id)[:60].strip("_") or "run"
    return f"{readable}_{created_at}_{digest}.json"


def keep(record: dict, path: str, leaving: bool = False) -> tuple[str, bool]:
    """把记录写进 path，再改成正式的名字；写不了就整个放在屏幕上。返回（文件路径，写成了没有）。leaving: 说明怎样接着等。"""
    temporary, saved = f"{path}.{os.getpid()}.tmp", True  # 写好再替换：任何时候被打断，留下的都是完整的旧文件或新文件
    try:
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace", newline="\n") as file:
            print(mask(as_text(record)), file=file, flush=True)
            os.fsync(file.fileno())
        os.replace(temporary, path)
        with suppress(OSError):  # created_at 可能换成了 Coze 的
            final = os.path.join(os.path.dirname(path), file_name(record))
            os.replace(path, final)
            path = final
    except OSError as error:
        saved, path = False, path if os.path.isfile(path) else os.path.basename(path)
        text = as_text(record, ensure_ascii=True)  # 什么编码的控制台都不会改动它
        say(text) or say(text, "stderr")
        say(f"\n文件没有写成: {error}\n完整的记录打印在上面，请把它原样保存为 {path}（UTF-8 编码）。", "stderr")
    finally:
        with suppress(OSError):
            os.remove(temporary)
    if leaving or not saved:
        is_python = os.path.normcase(shutil.which("python") or "") == os.path.normcase(sys.executable)
        command = ["python" if is_python else sys.executable, ASYNC_SCRIPT, path]
        state = "已经结束，用下面的命令再看一遍" if record["status"] in ENDED else "在 Coze 上继续，用下面的命令接着等"
        say(f"运行 ID (run_id): {record['run_id']}\n运行{state}，不会重新运行，不会重复计费:", "stderr")
        say(subprocess.list2cmdline(command) if os.name == "nt" else shlex.join(command), "stderr")
    return path, saved


def first_record(answer: Answer, created_at: str, default_status: str) -> dict:
    """运行请求的回复 -> 第一份记录。default_status: 回复带着运行 ID 而没有提到状态时的状态。抛出 RunError：没有运行 ID 也没有结果。"""
    fields, now = fields_of(answer.reply), iso_time(int(time.time()))
    status = "completed" if not fields["run_id"] else default_status if answer.status < 300 else "pending"
    draft = {"run_id": fields["run_id"] or f"unknown-{os.urandom(4).hex()}", "workflow_id": text_of(WORKFLOW_ID)}
    draft.update(status=status, inputs=INPUTS, created_at=created_at)
    goes_on = fields["run_id"] and answer.status >= 500  # 网关的 5xx 说不准运行的死活；有了 ID 就当它还在继续
    record = {**next_record(draft, {} if goes_on else answer.reply, now), "response": answer.reply}
    # 没有运行 ID 的，有结果或者明说这次运行失败了才记下来
    has_failed = record["status"] == "failed" and (fields["state"] or "interrupt_data" in fields)
    has_ended = has_failed or "outputs" in record and any(fields.get(name) for name in ("outputs", "output", "data"))
    if not fields["run_id"] and (answer.status >= 300 or text_of(fields.get("code")) or not has_ended):
        raise RunError(f"{what_came_back(answer)}\n{did_it_run(True, answer)}", EXIT_FAILED)
    return record


def main() -> int:
    """一次同步运行，从头到尾；返回退出状态。"""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # GBK 控制台显示不了的字符
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    record, path, body, ctrl_c = None, "", RequestBody(), signal.getsignal(signal.SIGINT)
    try:
        check_settings({"TIMEOUT": TIMEOUT}, [])
        body, started = run_body(is_async=False), iso_time(int(time.time()))
        say(f"{RULE}\nCoze 工作流同步执行\n{RULE}\n工作流 ID: {text_of(WORKFLOW_ID)}")
        say(f"输入参数: {as_text(INPUTS)}\n{THIN_RULE}\n正在发送请求...")
        answer = call("/v1/workflow/run", TIMEOUT, body, f"已等待 {{waited}} / {TIMEOUT} 秒")
        record = first_record(answer, started, "completed")
        path, saved = keep(record, file_name(record))
        signal.signal(signal.SIGINT, ctrl_c)
        completed = record["status"] == "completed"
        say(f"\n{'请求成功！' if completed else '请求已完成，但是没有得到结果。'}\n{RULE}")
        say(f"响应结果:\n{as_text(record['response'])}\n{RULE}\n")
        if saved:
            say(f"结果已保存到文件: {path}\n")
        say(f"执行状态: {record['status']}")
        if completed:
            say(f"输出结果: {as_text(record['outputs'])}")
        tell_the_rest(record)
        if record["status"] not in ENDED:
            keep(record, path, leaving=True)
        return EXIT_COMPLETED if completed and saved else EXIT_FAILED
    except (RunError, KeyboardInterrupt) as error:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stopped = f"已按 Ctrl-C 停止。{'' if record else did_it_run(body.sent)}", EXIT_CTRL_C
        words, status = error.args if isinstance(error, RunError) else stopped
        say(f"\n{words}", "stderr")
        if record:
            keep(record, path, leaving=True)
        return int(status)
    finally:
        signal.signal(signal.SIGINT, ctrl_c)


if __name__ == "__main__":
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)  # 解释器收尾时的 Ctrl-C 不改变退出状态
    sys.exit(main())
