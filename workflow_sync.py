# /// script
# requires-python = ">=3.8"
# dependencies = ["requests>=2.31", "urllib3>=1.26"]
# ///
"""同步执行 Coze（扣子）工作流：发送一次运行请求，等待，保存并显示结果。

填好脚本顶部的配置，然后运行:  python workflow_sync.py

需要：工作流已经发布；令牌有 run 权限（用 FILES 时还要 uploadFile）；
运行不超过 90 秒（更长的请用 workflow_async.py）。
结果写成当前文件夹里的 <run_id>_<created_at>.json。
令牌只放在发往 API_BASE 的请求头里；16 个字符以上的，不会出现在屏幕上和文件里。
运行请求最多到达 Coze 一次，不会重复计费。
碰令牌、网络和文件的代码都在「信任的核心」里，可以单独读完。
没有改动的那几行配置，使用环境变量 COZE_API_TOKEN、COZE_WORKFLOW_ID、COZE_API_BASE。

退出状态:
  0    运行成功，结果已保存
  1    被拒绝、运行失败，或者出了其他问题
  2    配置或当前文件夹不能用，没有发送任何请求
  3    运行停在提问处，还没有结束
  130  按了 Ctrl-C
"""

import argparse
import io
import json
import os
import re
import signal
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timezone
from typing import NamedTuple

try:
    from requests import Request, Session
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry, ssltransport  # noqa: F401 1.26 起才有它，Retry 也才有 other
except ImportError as error:
    sys.exit(f'''不能使用 requests: {error}。虚拟环境要先激活；没有安装时，请运行:
"{sys.executable}" -m pip install requests "urllib3>=1.26"''')

# 粘贴在 Jupyter 里运行的没有文件，那里的 sys.argv 也不是给脚本的
SCRIPT = sys.argv[0] if "__file__" in globals() else ""

# ======== 配置：只需要修改这一段 ========

# 访问令牌，填在引号里。要把这个文件提交到版本控制的，改用环境变量 COZE_API_TOKEN
YOUR_ACCESS_TOKEN = "your_actual_access_token"
WORKFLOW_ID = "your_actual_workflow_id"  # 工作流页面的地址里 workflow_id= 后面的数字
INPUTS = {  # 名称与工作流「开始」节点的一致
    "param1": "value1",
    "param2": "value2",
}
# 用本机的文件作为输入：参数名 -> 文件，或者几个文件，例如 {"image": "照片.png"}、
# {"docs": ["a.pdf", "b.pdf"]}。Windows 的路径写成 r"C:\图片\a.png" 或 "C:/图片/a.png"
FILES = {}
# 服务地址：国内 https://api.coze.cn，国际版 https://api.coze.com，或自建服务的地址。
# 没有改动这一行，又设置了环境变量 COZE_API_BASE 时，用环境变量的
API_BASE = "https://api.coze.cn"

# 从开始连接到收完整个回复，一共最多等多少秒（Coze 自己在 90 秒没有数据时切断）
TIMEOUT = 300

# 以下各项通常不用改。None 表示请求里不带这一项
BOT_ID = None  # 智能体 ID，例如 "7342…"，含数据库、变量节点的工作流需要
APP_ID = None  # 应用 ID，属于扣子应用的工作流需要，不与 BOT_ID 同用
EXT = None  # 附加信息，例如 {"user_id": "u1"}，值都是字符串
WORKFLOW_VERSION = None  # 版本号，例如 "v0.0.5"，只用于资源库工作流
CONNECTOR_ID = None  # 渠道 ID，Coze 默认 "1024"（API）

# ======== 信任的核心：令牌、网络、文件、屏幕和 Ctrl-C 都只在这一段里 ========
# 再往下的三段不碰这些，要用时调用这里的函数（tests/test_project.py 守着）；
# 例外是 --help 和用法错误（argparse 自己打印），和 os.path 看文件在不在、有多大。
# 两个脚本互不引用，同名的函数逐字相同。

# ---- 配置：填写了的一行用它的值，原样未动的一行才用环境变量 ----

AROUND = " \t\r\n\u3000\xa0\ufeff\u200b\u200c\u200d\u2060\"'`“”‘’<>‹›"  # 粘贴时两头常带进来的


def choose_setting(value, untouched, variable):
    """一行配置的文字，去掉两头的 AROUND。

    untouched: 正则表达式，原来的样子；还是这样的一行，就用环境变量 variable，如果设置了它。
    """
    text = str(value).strip(AROUND)
    if re.match(untouched, text):
        text = os.environ.get(variable, "").strip(AROUND) or text
    return text


TOKEN = choose_setting(YOUR_ACCESS_TOKEN, "your_actual_", "COZE_API_TOKEN")
TOKEN = re.sub(r"(?i)^bearer(\s+|$)", "", TOKEN)  # 连同 Bearer 一起粘贴的
BASE = choose_setting(API_BASE, r"https://api\.coze\.cn$", "COZE_API_BASE").rstrip("/")
IS_COZE = re.match(r"(?i)https?://api\.coze\.(cn|com)(:|/|$)", BASE)  # 不是自建的服务


def account_problems():
    """令牌和服务地址不能用的地方，每处一句话，话里没有它们的值。"""
    if not TOKEN or TOKEN.startswith("your_actual_"):
        yield "YOUR_ACCESS_TOKEN 还没有填写，也没有设置环境变量 COZE_API_TOKEN"
    elif not isinstance(YOUR_ACCESS_TOKEN, str) or not re.fullmatch("[!-~]+", TOKEN):
        yield "YOUR_ACCESS_TOKEN 要写成引号里的文字：里面没有空格和中文，后面没有逗号"
    if not BASE.lower().startswith(("https://", "http://")):
        yield "API_BASE 要写成引号里的地址，以 https:// 开头（自建的服务也可以 http://）"
    if IS_COZE and not BASE.lower().startswith("https:"):
        yield "API_BASE 要以 https:// 开头：http:// 不加密，路上谁都能看到令牌"


# ---- 令牌：add_token 是发出它的唯一一行；屏幕、文件、回复三处用 hide_token 遮住它 ----


def add_token(request):
    """把令牌放进请求头。requests 的 auth 可以是函数；有了它，~/.netrc 就不会替换令牌。"""
    request.headers["Authorization"] = f"Bearer {TOKEN}"
    return request


def hide_token(text):
    """令牌换成 ***。不到 16 个字符的是自建服务随便填的词，不是秘密。"""
    if len(TOKEN) < 16:
        return text
    return text.replace(TOKEN, "***")


# ---- 屏幕 ----

with suppress(AttributeError):  # GBK 控制台显示不了的字符写成 \u…；IDLE、Jupyter 的窗口不需要
    sys.stdout.reconfigure(errors="backslashreplace")


def say(text, stream="stdout", end="\n"):
    """打印，返回成功没有。管道关闭、磁盘写满以后，脚本照常进行，不再写这个流。"""
    try:
        print(hide_token(text), end=end, file=getattr(sys, stream), flush=True)
    except OSError:
        setattr(sys, stream, None)  # 换成 None，Python 退出时就不会再写它、再出错
    return getattr(sys, stream) is not None


# ---- Ctrl-C：第一次按只记下来，要发送、要等待的时候才看 ----

PRESSED = []  # 按下 Ctrl-C 的时刻
NEVER = threading.Event()


def note_press(*_):
    """按下了 Ctrl-C：只记下来。过一会儿再按，立刻停止；更快的算同一次，uv run 会转发一遍。"""
    PRESSED.append(time.monotonic())
    if PRESSED[-1] - PRESSED[0] > 0.2:
        raise KeyboardInterrupt


@contextmanager
def ctrl_c_noted():
    """main 全程在里面。停止就是抛出 KeyboardInterrupt，这样 shell 的循环也会停下来。

    按下以后，到下一次发送或等待时停止；后面不再等待的，到 main 结束时停止。
    所以按一次，从收到回复到写好文件、说完话，不会停在半路。
    抛出 ValueError：不在主线程里，Python 不允许；这时什么都还没有发送。
    """
    PRESSED.clear()
    previous = signal.signal(signal.SIGINT, note_press)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if PRESSED:
        raise KeyboardInterrupt


def wait(seconds, done=NEVER, report=None):
    """等到 done 发生，或者满 seconds 秒。report: 显示等了几秒的函数（同步脚本用）。

    抛出 KeyboardInterrupt：还没有 done，就按了 Ctrl-C。
    """
    start = time.monotonic()
    while not done.is_set() and time.monotonic() < start + seconds:
        if PRESSED:
            raise KeyboardInterrupt
        if report:
            report(int(time.monotonic() - start))
        done.wait(min(seconds, 0.1))  # 小步等待，Windows 上 Ctrl-C 也能及时生效


def rewrite_line(words):
    """改写终端上的最后一行；不是终端的，什么也不写。"""
    if sys.stdout is sys.__stdout__ and sys.stdout and sys.stdout.isatty():
        say(f"\r{' ' * 40}\r{words}", end="")


def quiet_interrupt(kind, *error):
    """用作 sys.excepthook：Ctrl-C 该说的已经说完，不打印 Traceback；别的（和 python -i）照旧。"""
    if kind is not KeyboardInterrupt or sys.flags.inspect:
        return sys.__excepthook__(kind, *error)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python 收尾时再按，直接结束


# ---- 网络：只有 exchange 发送。运行请求走 send → post_run → exchange，没有一步在循环里 ----

# 出错以后只有一种情形再发送：连接没有建立起来，那时请求一定没有发出。
# total=None: 不设总数，看下面各项；connect=3: 连不上，再试三次；
# read=False、redirect=0、status=0、other=0: 发出以后断开、转到别处、503 之类、TLS 出错，都不再试。
# 不要改成 max_retries=3：读回复时的 TLS 错误，会让它把同一个 POST 送达四次。
RETRY = Retry(total=None, connect=3, read=False, redirect=0, status=0, other=0, backoff_factor=0.5)
SESSION = Session()  # 接连的查询用同一个连接
for scheme in ("https://", "http://"):
    SESSION.mount(scheme, HTTPAdapter(max_retries=RETRY))


class Answer(NamedTuple):
    """收完的一个回复。"""

    status: int  # HTTP 状态
    headers: object
    text: str  # 正文，令牌已经遮住


class NoAnswer(Exception):
    """没有收完回复。两个参数：requests 说的原因（时间用完的是空串），最多等几秒。"""


class RunBody(io.BytesIO):
    """运行请求的正文。连接建立、请求头发出以后，requests 才来 read，边读边发。

    was_read 是 False：正文一个字节也没有发出，Coze 不会开始运行。
    关闭以后，后台晚到的 read 会出错，正文发不出去：所以先关闭，再看 was_read。
    """

    was_read = False

    def read(self, size=-1):
        self.was_read = True
        return super().read(size)


def exchange(method, path, seconds, report=None, **content):
    """发送一个请求，从连接到收完回复一共最多等 seconds 秒。抛出 NoAnswer、KeyboardInterrupt。

    content: 请求的正文，requests 的 data 和 headers。

    后台的线程发送，这里等：总的时间有限，Ctrl-C 也及时。
    放弃以后，线程可能还在，所以 post_run 会关上它的正文。
    """
    results = []  # 后台放进来的一样东西：回复，或者错误
    done = threading.Event()

    def work():
        try:
            results.append(
                SESSION.request(
                    method,
                    BASE + path,
                    auth=add_token,
                    timeout=(10, seconds),  # 一次连接、一块发送最多 10 秒；后一个是两次收到之间
                    allow_redirects=False,  # 跟随 307、308 会把请求再发一遍
                    **content,
                )
            )
        except Exception as error:  # noqa: BLE001 交给等着的主线程
            results.append(error)
        done.set()

    if PRESSED:
        raise KeyboardInterrupt  # 还没有发送，就按过了
    threading.Thread(target=work, daemon=True).start()
    wait(seconds, done, report)
    if not results:
        raise NoAnswer("", seconds)
    response = results[0]
    if isinstance(response, Exception):
        # 代理的地址里，@ 前面有密码
        raise NoAnswer(re.sub(r"\S+@", "***@", str(response)), seconds)
    text = response.content.decode("utf-8-sig", "replace")
    return Answer(response.status_code, response.headers, hide_token(text))


def post_run(body, seconds, report=None):
    """发送运行请求：唯一花钱的一步，一次运行只调用一次。抛出 NoAnswer、KeyboardInterrupt。"""
    with closing(body):  # 放弃了的正文，从这时起再也发不出去
        json_type = {"Content-Type": "application/json"}
        return exchange("POST", "/v1/workflow/run", seconds, report, data=body, headers=json_type)


def upload_file(path, seconds):
    """上传一个文件，不花钱，也不启动什么。抛出 OSError（不能读）、NoAnswer、KeyboardInterrupt。"""
    with open(path, "rb") as file:  # requests 把它整个读进内存
        part = {"file": (os.path.basename(path), file)}
        form = Request("POST", BASE, files=part).prepare()
    body = io.BytesIO(form.body)  # requests 一块一块地读和发；整个一起发，10 秒没有发完就算超时
    answer = exchange("POST", "/v1/files/upload", seconds, data=body, headers=form.headers)
    SESSION.close()  # 运行请求用新的连接：旧的可能正在被服务器关掉，那样就说不准运行过没有
    return answer


# ---- 文件 ----


def read_file(path, size=-1):
    """文件的内容，最多 size 个字节（-1 是全部）。抛出 OSError。"""
    with open(path, "rb") as file:
        return file.read(size)


def write_file(path, text):
    """写好再替换：写到一半断掉，留下的也是完整的旧文件或新文件。抛出 OSError。"""
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(hide_token(f"{text}\n").encode("utf-8", "backslashreplace"))
            file.flush()
            with suppress(OSError):  # 有的磁盘没有 fsync，不算失败
                os.fsync(file.fileno())
        # Windows 上，杀毒或同步的程序可能正占着旧文件：等它两秒，再不行才抛出
        for _ in range(20):
            with suppress(PermissionError):
                return os.replace(temporary, path)
            time.sleep(0.1)
        os.replace(temporary, path)
    finally:
        with suppress(OSError):
            os.remove(temporary)


def try_folder():
    """在当前文件夹里试写一个小文件，再删掉。抛出 OSError：写不了，结果也会存不下来。"""
    path = os.path.abspath(f"coze-{os.getpid()}")
    write_file(path, "x")
    os.remove(path)


# ======== 翻译：Coze 的回复变成记录。纯函数，不碰外界、时钟和配置 ========

# Coze 和各种网关的状态，不分大小写 -> 记录里的状态；不在表里的（pending 也是）原样不动
STATUSES = {
    "running": "running",
    "success": "completed",
    "completed": "completed",
    "fail": "failed",
    "failed": "failed",
    "cancel": "failed",
    "canceled": "failed",
    "timeout": "failed",
    "interrupted": "interrupted",
    "<unset>": "interrupted",  # Coze Studio 的写法
}
ENDED = ("completed", "failed")


class Reply(NamedTuple):
    """Coze 的一个回复，读好了的；没有的文本是空串。

    下面 read_… 的函数做出它；它们以外，不出现 Coze 的字段名。
    """

    answer: Answer
    body: object  # 原来的 JSON，记录里要保存；不是 JSON 时是文本
    code: str  # 拒绝的错误码
    run_id: str
    status: str  # 记录里的写法；没有说到时是空串
    outputs: object
    error: dict  # 失败的原因 {"code", "message"}
    question: object  # 运行停下来问的问题，文本；没有在问时是 None
    created_at: str
    updated_at: str
    page: str  # 运行详情页面
    tokens: str  # 消耗的 Token 数
    is_trimmed: bool  # 输出太大，Coze 把它截断了


def decode(text):
    """JSON 文本 -> 它的值；不是 JSON 的、嵌套深得读不了的，原样返回。"""
    try:
        return json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text


def fields_of(value):
    """JSON 对象里不是 null 的字段；不是对象的，当作没有字段。"""
    if not isinstance(value, dict):
        return {}
    return {name: field for name, field in value.items() if field is not None}


def as_text(value):
    """给人看的值：文本原样，其他的写成 JSON。"""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2)


def first_text(fields, *names):
    """这些字段里第一个有内容的，写成文本；0（成功的 code，不存在的 ID）等于没有。"""
    for name in names:
        value = fields.get(name)
        if type(value) in (str, int) and value not in ("", "0", 0):
            return str(value)
    return ""


def first_time(fields, *names):
    """同 first_text，Unix 秒写成 2025-10-28T15:58:40Z；别的写法不动。"""
    text = first_text(fields, *names)
    if re.fullmatch("[0-9]{10}", text):
        return f"{datetime.fromtimestamp(int(text), timezone.utc):%Y-%m-%dT%H:%M:%SZ}"
    return text


def read_code(fields, http_status):
    """拒绝的错误码；只是重复 HTTP 状态的是网关说的，不算。"""
    code = first_text(fields, "code")
    if http_status >= 400 and code == str(http_status):
        return ""
    return code


def read_run_id(fields):
    """运行 ID；同步的回复可能只在 debug_url 里有。0 不是 ID：没有成为一次运行。"""
    run_id = first_text(fields, "run_id", "execute_id")
    found = re.search(r"[?&]execute_id=([1-9a-zA-Z][\w-]*)", first_text(fields, "debug_url"))
    if found and not run_id:
        return found[1]
    return run_id


def read_question(fields):
    """运行停下来问的问题（Coze 文档 resume_workflow）；没有在问时是 None。

    interrupt_data 是 {"event_id": …, "data": '{"content": "问题"}'}；
    输入节点的 content 是要填的各项，写成 JSON 的列表 '[{"name": …}, …]'。
    """
    interrupt = fields_of(fields.get("interrupt_data"))
    asked = decode(interrupt.get("data"))
    question = decode(fields_of(asked).get("content", asked))
    if isinstance(question, list):
        question = "、".join(first_text(fields_of(item), "name") for item in question)
    if question or interrupt.get("event_id"):  # Coze 也会给一个全空的
        return as_text(question or "")
    return None


def read_status(fields, code, http_status):
    """一次运行的状态，记录里的写法；没有说到时是空串。"""
    if code and http_status < 500:
        return "failed"
    if http_status >= 300:  # 网关的错误，说不准运行的死活：当作还在继续
        return "pending"
    state = first_text(fields, "execute_status", "status")
    status = STATUSES.get(state.lower(), state)
    if status in ENDED:  # 这时还留着的问题，是回答过的
        return status
    if read_question(fields) is not None:
        return "interrupted"
    return status


def read_error(fields):
    """失败的原因 {"code", "message"}，都是文本。"""
    error = fields.get("error", "")
    said = {**fields, **fields_of(error)}
    message = first_text(said, "error_message", "error_msg", "message", "msg")
    return {"code": first_text(said, "error_code", "code"), "message": message or as_text(error)}


def unwrap_text(value):
    """End 节点以文本回答时的包装（original_result 可以没有）-> 文本。

    带别的键的，是工作流自己的对象，原样返回。
    """
    if fields_of(value).keys() - {"original_result"} == {"content_type", "data", "type_for_model"}:
        return value["data"]
    return value


def read_reply(body, answer):
    """读运行请求的回复（Coze 文档 workflow_run）。body: answer 的 JSON，或者历史里的一条。"""
    fields = fields_of(body)
    usage = {**fields, **fields_of(fields.get("usage"))}
    code = read_code(fields, answer.status)
    outputs = fields.get("outputs", fields.get("output", fields.get("data")))
    return Reply(
        answer=answer,
        body=body,
        code=code,
        run_id=read_run_id(fields),
        status=read_status(fields, code, answer.status),
        outputs=unwrap_text(decode(outputs)),
        error=read_error(fields),
        question=read_question(fields),
        created_at=first_time(fields, "created_at", "create_time"),
        updated_at=first_time(fields, "updated_at", "update_time"),
        page=first_text(fields, "debug_url"),
        tokens=first_text(usage, "token_count", "token"),
        is_trimmed=fields.get("is_output_trimmed") is True,
    )


def has_result(reply):
    """没有运行 ID 的回复：它带着结果吗。"""
    if reply.code or reply.answer.status >= 300 or reply.status not in ("", "completed"):
        return False
    return reply.outputs not in (None, "", [], {})


def read_upload(reply):
    """上传以后，作为输入的文字（Coze 文档 upload_files）；没有传上去的是空串。"""
    if reply.code or reply.answer.status >= 300:
        return ""
    file = fields_of(reply.outputs)
    url = first_text(file, "url")  # 有网址的是 Coze Studio，它的工作流要网址
    file_id = first_text(file, "id")
    if url or not file_id:
        return url
    return f'{{"file_id":"{file_id}"}}'


def make_record(run, reply, status, now):
    """收到 reply 之后的记录。run: 之前的记录；now: Coze 没有给更新时间时用的。"""
    record = {
        "run_id": run["run_id"],
        "workflow_id": run["workflow_id"],
        "status": status,
        "inputs": run["inputs"],
    }
    if status == "completed":
        record["outputs"] = reply.outputs
    if status == "failed":
        record["error"] = reply.error
    record["created_at"] = run.get("created_at") or reply.created_at or now
    record["updated_at"] = reply.updated_at or now
    record["response"] = reply.body
    return record


def file_name(record):
    """<run_id>_<created_at>.json；文件名里不能有的字符换成 _，最多 100 个字符。"""
    moment = re.sub("[^0-9A-Za-z]|Z$", "", record["created_at"])
    name = re.sub("[^0-9A-Za-z_-]", "_", f"{record['run_id']}_{moment}")
    return f"{name[:100]}.json"


# ---- 错误码（Coze 文档 coze_error_codes）-> 怎么办。没有运行 ID 时，工作流运行过吗：分成三组 ----

SITES = "API_BASE（或 COZE_API_BASE）也要对：coze.cn 和 coze.com 的账号、令牌和工作流互不相通。"
NEW_TOKEN = f"令牌无效或已过期，请换一个。{SITES}"
PUBLISH = f"没有这个工作流，或者它从未发布：检查 WORKFLOW_ID，并发布工作流。{SITES}"
CHECK_BOT = "没有这个智能体，或者它没有发布为 API：检查 BOT_ID。"
TOP_UP = "额度不足，请到 Coze 平台充值。"
BUSY = "Coze 正忙、限流或暂时出错，请稍后再试。"
CHECK_WORKFLOW = "按错误信息检查工作流，或者把 logid 告诉 Coze 的支持。"  # 不在表里的

REFUSED = {  # 没有运行；再试还是这样
    "4000": "检查 INPUTS 的参数名和类型（与「开始」节点一致），WORKFLOW_ID、APP_ID、BOT_ID。",
    "4006": CHECK_BOT,
    "4015": CHECK_BOT,
    "4100": NEW_TOKEN,
    "4101": f"令牌没有权限（run、listRunHistory，上传要 uploadFile）或不属于这个空间。{SITES}",
    "4200": PUBLISH,
    "4302": "文件太大。",
    "4303": "Coze 不支持这种文件。",
    "4304": "文件损坏了。",
    "6003": "异步运行需要付费版，请改用 workflow_sync.py。",
    "6031": PUBLISH,
    "700012006": f"{NEW_TOKEN}自建的 Coze Studio 也可能是数据库停了。",
    "720702004": PUBLISH,
}
REFUSED_FOR_NOW = {  # 没有运行；以后再试也许就好
    "4008": "今天的调用次数用完了，请明天再试。",
    "4009": BUSY,
    "4011": TOP_UP,
    "4019": TOP_UP,
    "4020": BUSY,
    "4022": TOP_UP,
}
MAY_HAVE_RUN = {  # 可能运行过；不在表里的也是
    "4013": BUSY,
    "4314": "没有这次运行：检查运行 ID 和 WORKFLOW_ID；刚启动的请稍等，很久以前的可能已经过期。",
    "5000": BUSY,
    "6039": "工作流里有提问或输入节点，不能同步运行；提问之前的节点已经运行过。",
    "720701013": "正式版请稍后再试；Coze Studio 有节点失败，检查工作流，WORKFLOW_ID 要全是数字。",
}
ADVICE = {**REFUSED, **REFUSED_FOR_NOW, **MAY_HAVE_RUN}
# 没有错误码时，这些 HTTP 状态是运行之前的拒绝（写错的 API_BASE、代理、网关）
REFUSED_STATUSES = (*range(300, 400), 400, 401, 403, 404, 405, 407, 413, 429)


def may_have_run(reply):
    """没有运行 ID 的回复：工作流可能运行过、计过费吗。"""
    if reply.code:
        return reply.code not in {**REFUSED, **REFUSED_FOR_NOW}
    return reply.answer.status not in REFUSED_STATUSES


# ======== 说明：记录和拒绝变成给人看的话。纯函数，返回文字 ========

RULE = "============================================================"
THIN_RULE = "------------------------------------------------------------"

# 没有得到一次运行的时候：它运行过没有，会不会计费
CHANCES = {
    False: "\n工作流没有运行，不会计费。",
    True: """
请求可能已经到达 Coze：工作流可能正在运行并计费。脚本不会自动重发。
再次运行之前，请先在 Coze 平台的工作流页面查看运行记录，确认这一次有没有运行。
有的话，试试用它的运行 ID 取回结果: python workflow_async.py 运行ID""",
}
LONGER_RUNS = "\n超过 90 秒的工作流请改用 workflow_async.py（需要扣子的付费版）。"
SYNC_CHANCES = {**CHANCES, True: CHANCES[True] + LONGER_RUNS}
FILL_IN_ASYNC = "workflow_async.py 里也要先填好令牌和 API_BASE。"
STOPPED = "已按 Ctrl-C 停止。"

# 运行有了结局的时候
TRIMMED = "\n注意: 输出太大，Coze 把它截断了（is_output_trimmed），结果不完整。"


def list_facts(facts):
    """一行一条「名称: 内容」；没有内容的不说。"""
    return "\n".join(f"{name}: {fact}" for name, fact in facts.items() if fact)


def describe_sync_request(workflow, inputs):
    """就要发送运行请求了。"""
    return f"""{RULE}
Coze 工作流同步执行
{RULE}
工作流 ID: {workflow}
输入参数: {as_text(inputs)}
{THIN_RULE}
正在发送请求..."""


def describe_no_answer(cause, seconds):
    """没有收完回复：为什么，怎么办。两个参数是 NoAnswer 的。"""
    why = cause or f"等了 {seconds} 秒，没有收到完整的回复。"
    advice = "请检查网络、代理和 API_BASE（没有改动它时，是环境变量 COZE_API_BASE）。"
    if "CERTIFICATE_VERIFY_FAILED" in cause:
        advice = """证书不对：请检查电脑的时间；
公司的网络，请把公司的证书文件写进环境变量 REQUESTS_CA_BUNDLE。"""
    if "Missing dependencies for SOCKS" in cause:
        advice = "SOCKS 代理需要另外安装: python -m pip install pysocks"
    return f"网络错误: {why} {advice}"


def advise(reply):
    """没有得到一次运行，或者没有查到状态：怎么办。"""
    if not reply.code or "session_key" in reply.answer.text:  # Studio 这样说它没有的地址
        return "这不像 Coze 的回复：请检查 API_BASE（或者环境变量 COZE_API_BASE）、代理和网关。"
    return ADVICE.get(reply.code, CHECK_WORKFLOW)


def describe_reply(reply):
    """一次拒绝（或看不懂的回复）的全部细节，和建议。网页只留开头。"""
    answer = reply.answer
    said = f"完整回复: \n{as_text(reply.body)}"
    if not answer.text.lstrip().startswith(("{", "[")):  # 这样开头的可能是没有收好的结果
        said = f"回复不是 JSON，共 {len(answer.text)} 个字符\n{answer.text[:2000]}"
    facts = {
        "HTTP 状态": answer.status,
        "logid": first_text(answer.headers, "X-Tt-Logid", "X-Log-Id"),
        "要求转到另一个地址，脚本没有跟随": first_text(answer.headers, "Location"),
    }
    return f"{list_facts(facts)}\n{said}\n建议: {advise(reply)}"


def describe_upload(path, size):
    """就要上传一个文件了。size: 字节。"""
    return f"正在上传 {path}（{size / 2**20:.1f} MB）…"


def describe_unsaved(error, path, printed):
    """记录没有写成文件。printed: 完整的记录打印出来了吗。"""
    if not printed:
        return f"\n文件没有写成: {error}\n记录也没有能打印出来。"
    return f"\n文件没有写成: {error}\n完整的记录打印在上面，请原样保存为 {path}（UTF-8 编码）。"


def describe_saved(path, folder):
    """结果的文件。folder: 它所在的文件夹；不必说时是空串。"""
    return list_facts({"结果已保存到文件": path, "所在的文件夹": folder})


def describe_cost(reply):
    """运行的页面和消耗；Coze 给了才有。"""
    return list_facts({"运行详情页面（7 天内有效）": reply.page, "消耗 Token 数": reply.tokens})


def describe_failure(error):
    """运行失败了。"""
    facts = {
        "\n运行失败": error["message"] or "Coze 没有说明原因。",
        "错误码": error["code"],
        "建议": ADVICE.get(error["code"], CHECK_WORKFLOW),
    }
    return f"{list_facts(facts)}\n这次运行已经发生，会计费；脚本不会自动重新运行。"


def describe_question(reply):
    """运行停在提问处。"""
    return f"""运行停下来等待一个回答，脚本不能回答。请在 Coze 平台上回答它，它才会继续。
{list_facts({"问题": reply.question, "运行的页面": reply.page})}"""


def describe_go_on(record, command):
    """运行还没有结束，怎样接着等。"""
    return f"""运行 ID (run_id): {record["run_id"]}
没有结束的运行在 Coze 上继续（停在提问处的，回答以后继续）。
用下面的命令接着等，不会重新运行，不会重复计费:
{command}"""


def describe_result(record, saved, cost):
    """一次同步运行的回复和结果。saved: 结果的文件；cost: 运行的页面和消耗；没有时都是空串。"""
    status = record["status"]
    title = "请求已完成，但是没有得到结果。"
    result = f"执行状态: {status}"
    if status == "completed":
        title = "请求成功！"
        result += f"\n输出结果: {as_text(record['outputs'])}"
    if cost:
        result += f"\n{cost}"
    reply = f"\n{title}\n{RULE}\n响应结果:\n{as_text(record['response'])}\n{RULE}"
    return "\n\n".join(filter(None, [reply, saved, result]))


# ======== 流程：检查配置，发送，等待，显示结果 ========

WORKFLOW = choose_setting(WORKFLOW_ID, "your_actual_", "COZE_WORKFLOW_ID")
UPLOAD_TIMEOUT = 300  # 上传一个文件最多等多少秒
EXIT_COMPLETED = 0
EXIT_FAILED = 1
EXIT_SETTINGS = 2
EXIT_UNFINISHED = 3


class Stop(Exception):
    """到此为止。两个参数：要说的话，退出状态。"""


def now():
    """本机时钟的时间（UTC），2025-10-28T15:58:40Z。"""
    return f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}"


def refuse(*problems):
    """抛出 Stop：有问题，一次全部说出来。"""
    if problems:
        words = "\n  - ".join(["配置有问题，没有发送任何请求:", *problems])
        raise Stop(words, EXIT_SETTINGS)


def is_seconds(value):
    """可以用的秒数吗。"""
    return type(value) in (int, float) and 0 < value <= 86400


def run_problems():
    """启动或者接着等一次运行，不能用的配置和文件夹，每处一句话。"""
    yield from account_problems()
    if type(WORKFLOW_ID) not in (str, int):
        yield "WORKFLOW_ID 要写成引号里的文字，引号后面不能有逗号"
    elif not WORKFLOW or WORKFLOW.startswith("your_actual_"):
        yield "WORKFLOW_ID 还没有填写，也没有设置环境变量 COZE_WORKFLOW_ID"
    elif IS_COZE and re.search("[^0-9]", WORKFLOW):
        yield """WORKFLOW_ID 要全是数字：
    它在工作流页面的地址里，workflow_id= 后面（应用里是 /workflow/ 后面）"""
    try:
        try_folder()
    except OSError as error:
        yield f"当前文件夹不能写，结果会存不下来，请换一个文件夹运行: {error}"


def input_problems():
    """INPUTS 和 FILES 等不能用的地方，每处一句话。"""
    if not isinstance(INPUTS, dict):
        yield 'INPUTS 要像 {"a": 1} 这样，没有参数时写 {}'
    try:
        make_body([INPUTS, FILES], is_async=True)  # 只试试能不能写成 JSON
    except (TypeError, ValueError, RecursionError) as error:
        yield f"INPUTS 或者 FILES、EXT 等不能写成 JSON: {error}"
    if not isinstance(FILES, dict):
        yield 'FILES 要像 {"image": "照片.png"} 这样，没有文件时写 {}'
        return
    for name, paths in FILES.items():
        if isinstance(INPUTS, dict) and name in INPUTS:
            yield f"FILES 和 INPUTS 里都有 {name}"
        if not isinstance(paths, list):
            paths = [paths]
        for path in paths:
            yield from file_problems(path)


def file_problems(path):
    """FILES 里的一个文件不能用时，一句话。"""
    if not isinstance(path, str):
        yield f"FILES 里要写文件名，或者文件名的列表，不能写 {path}"
        return
    try:
        read_file(path, 1)  # 试试能不能读
        size = os.path.getsize(path)
    except (OSError, ValueError) as error:
        yield f"FILES 里的文件不存在或不能读（Windows 的路径里 \\ 要写成 /）: {error}"
        return
    if not 0 < size <= 512 * 2**20:
        yield f"FILES 里的文件是空的，或者超过 512 MB: {path}"


def timeout_problems():
    """TIMEOUT 不能用时，一句话。"""
    if not is_seconds(TIMEOUT):
        yield "TIMEOUT 要大于 0，最多 86400"


def upload(path):
    """上传一个文件（列表里的每一个），返回作为输入的文字。抛出 Stop：没有传上去，没有运行。"""
    if isinstance(path, list):
        return [upload(one) for one in path]
    try:
        say(describe_upload(path, os.path.getsize(path)))
        answer = upload_file(path, UPLOAD_TIMEOUT)
        reply = read_reply(decode(answer.text), answer)
        text = read_upload(reply)
        if text:
            return text
        why = describe_reply(reply)
    except OSError as error:
        why = error
    except NoAnswer as problem:
        why = describe_no_answer(*problem.args)
    raise Stop(f"文件 {path} 没有传上去。{why}{CHANCES[False]}", EXIT_FAILED)


def upload_files():
    """上传 FILES 里的文件，返回这次运行的输入。抛出 Stop、KeyboardInterrupt：什么也没有运行。"""
    inputs = dict(INPUTS)
    for name, paths in FILES.items():
        inputs[name] = upload(paths)
    return inputs


def make_body(inputs, is_async):
    """运行请求的正文（Coze 文档 workflow_run）；没有设置的项不出现。

    抛出 TypeError、ValueError、RecursionError：有不能写成 JSON 的。
    """
    fields = {
        "workflow_id": WORKFLOW,
        "parameters": inputs,
        "is_async": is_async,
        "bot_id": BOT_ID,
        "app_id": APP_ID,
        "ext": EXT,
        "workflow_version": WORKFLOW_VERSION,
        "connector_id": CONNECTOR_ID,
    }
    text = json.dumps(fields_of(fields), ensure_ascii=False, allow_nan=False)
    return RunBody(text.encode())


def saved_words(path):
    """结果保存在哪里；文件夹就是脚本所在的，不说。"""
    folder = os.path.dirname(os.path.abspath(path))
    if folder == os.path.dirname(os.path.abspath(SCRIPT)):
        folder = ""
    return describe_saved(path, folder)


def keep(record, path):
    """把记录写进文件，返回说它在哪里的话；写不成，就马上整个放在屏幕上，返回空串。"""
    try:
        write_file(path, as_text(record))
        return saved_words(path)
    except OSError as error:
        text = json.dumps(record, indent=2)  # 只有 ASCII，什么编码的控制台都不会改动它
        printed = say(text) or say(text, "stderr")
        say(describe_unsaved(error, path, printed), "stderr")
        return ""


def go_on_command(script, path):
    """接着等待的命令，可以粘贴到终端里。script: workflow_async.py 在哪里。"""
    python = "python3"
    if os.name == "nt":
        python = "python"
    return f'{python} "{script}" "{path}"'


def show_waited(waited):
    """在终端上显示等了几秒。"""
    rewrite_line(f"已等待 {waited} / {TIMEOUT} 秒")


def send(body):
    """发送运行请求，返回它的回复。抛出 Stop：没有得到一次运行，也没有结果。"""
    try:
        answer = post_run(body, TIMEOUT, show_waited)
    except NoAnswer as problem:
        raise Stop(f"{describe_no_answer(*problem.args)}{SYNC_CHANCES[body.was_read]}", EXIT_FAILED)
    finally:
        rewrite_line("")
    reply = read_reply(decode(answer.text), answer)
    if not reply.run_id and not has_result(reply):
        raise Stop(f"{describe_reply(reply)}{SYNC_CHANCES[may_have_run(reply)]}", EXIT_FAILED)
    return reply


def sync_record(reply, inputs, moment):
    """运行的记录。moment: 发送之前的时间，Coze 没有给 created_at 时用它。"""
    run = {
        "run_id": reply.run_id or f"unknown-{os.urandom(4).hex()}",
        "workflow_id": WORKFLOW,
        "inputs": inputs,
        "created_at": reply.created_at or moment,
    }
    return make_record(run, reply, reply.status or "completed", now())


def show_result(record, reply, path, saved):
    """显示回复和结果。saved: 结果保存在哪里。"""
    say(describe_result(record, saved, describe_cost(reply)))
    if record["status"] == "failed":
        say(describe_failure(reply.error), "stderr")
    if record["status"] == "interrupted":
        say(f"\n{describe_question(reply)}", "stderr")
    if reply.is_trimmed:
        say(TRIMMED, "stderr")
    if record["status"] not in ENDED:
        script = os.path.join(os.path.dirname(SCRIPT), "workflow_async.py")
        command = go_on_command(script, path)
        say(f"\n{FILL_IN_ASYNC}\n{describe_go_on(record, command)}", "stderr")


def exit_status(record, saved):
    """运行的结局 -> 退出状态。"""
    if record["status"] == "interrupted":
        return EXIT_UNFINISHED
    if record["status"] == "completed" and saved:
        return EXIT_COMPLETED
    return EXIT_FAILED


def check_arguments():
    """命令行只有 --help；不是以文件运行的，不看命令行。"""
    if SCRIPT:
        raw = argparse.RawDescriptionHelpFormatter
        argparse.ArgumentParser(description=__doc__, formatter_class=raw).parse_args()


@ctrl_c_noted()
def main():
    """一次同步运行，从头到尾；返回退出状态。"""
    check_arguments()
    body = RunBody()  # 还没有读过：什么也没有发送
    record = None
    path = ""
    try:
        refuse(*run_problems(), *input_problems(), *timeout_problems())
        inputs = upload_files()
        body = make_body(inputs, is_async=False)
        say(describe_sync_request(WORKFLOW, inputs))
        moment = now()
        reply = send(body)
        record = sync_record(reply, inputs, moment)
        path = file_name(record)
        saved = keep(record, path)
        show_result(record, reply, path, saved)
        return exit_status(record, saved)
    except Stop as stop:
        words, status = stop.args
        say(f"\n{words}", "stderr")
        return status
    except KeyboardInterrupt:
        if record is None:
            say(f"\n{STOPPED}{SYNC_CHANCES[body.was_read]}", "stderr")
        else:
            say(f"\n{STOPPED}\n{keep(record, path)}", "stderr")
        raise


if __name__ == "__main__":
    sys.excepthook = quiet_interrupt
    sys.exit(main())
