# /// script
# requires-python = ">=3.8"
# dependencies = ["requests>=2.31"]
# ///
"""异步运行一个 Coze（扣子）工作流：启动，轮询，把结果存成 <run_id>_<created_at>.json，显示。

填好下面的设置，运行: python workflow_async.py（每运行一次，计费一次）
接着等启动过的运行，不重新运行: python workflow_async.py run_id（或者它的记录文件）
需要：工作流已经发布；令牌有 run 和 listRunHistory 权限（用 FILES 时还要 uploadFile）；扣子付费版。
退出状态:
  0    运行成功，结果已保存
  1    运行失败（计费），或者记录没能保存
  2    没有运行，不计费：设置不能用，被拒绝，没有连上（接着等的，那次运行不受影响）
  3    没有等到结束，或者没有查到：用它的 run_id 接着等
  4    可能运行过：先看 Coze 平台的运行记录，再决定要不要重来
  130  按了 Ctrl-C（Windows 上是 -1073741510）
也可以导入（设置写在文件里）: run(inputs) 运行一次，返回记录；得不到结果时抛出 CozeError。
"""

import argparse
import glob
import io
import json
import os
import re
import sys
import time
from contextlib import suppress
from urllib.parse import quote

try:
    import requests
except ImportError as error:
    print(f"什么也没有发送：{error}。请运行 python -m pip install requests", file=sys.stderr)
    sys.exit(2)

# ======== 设置：只需要修改这一段 ========

YOUR_ACCESS_TOKEN = "your_actual_access_token"  # 访问令牌；不填的用环境变量 COZE_API_TOKEN
WORKFLOW_ID = "your_actual_workflow_id"  # 工作流的地址里 workflow_id= 后面的；或 COZE_WORKFLOW_ID
INPUTS = {  # 名称与工作流「开始」节点的一致；没有参数时写 {}
    "param1": "value1",
    "param2": "value2",
}
FILES = {}  # 本机的文件作为输入，如 {"image": "照片.png", "docs": ["a.pdf", r"C:\资料\b.pdf"]}
INITIAL_POLL_INTERVAL = 2  # 初始轮询间隔（秒）
MAX_POLL_INTERVAL = 30  # 最大轮询间隔（秒）
MAX_POLL_ATTEMPTS = 120  # 最大轮询次数
API_BASE = "https://api.coze.cn"  # 国际版 https://api.coze.com，或者自建服务的地址
OPTIONS = {}  # 运行请求里少用的项，如 {"bot_id": "734…", "ext": {"user_id": "u1"}}
# 查询的地址。自建的 Coze Studio 换成
# "/v1/workflow/get_run_history?workflow_id={workflow_id}&execute_id={execute_id}"
RUN_HISTORY_PATH = "/v1/workflows/{workflow_id}/run_histories/{execute_id}"

# ======== 以下不用修改 ========
DOUBLE_RULE = "=" * 60
RULE = "-" * 60

# 服务器说的状态（小写）-> 记录里的状态；不在这里的原样显示，当作还在运行
STATES = {
    "running": "running",
    "interrupted": "interrupted",
    "<unset>": "interrupted",  # Coze Studio 的说法
    "completed": "completed",
    "success": "completed",
    "fail": "failed",
    "failed": "failed",
    "cancel": "failed",
    "canceled": "failed",
    "timeout": "failed",
}
ENDED = ("completed", "failed")

# 运行之前就拒绝、不计费的错误码，和建议（Coze 文档 coze_error_codes）；别的错误码都可能运行过
SITES = "API_BASE 也要对：coze.cn 和 coze.com 的账号、令牌和工作流互不相通。"
ADVICE = {
    "4000": "检查 INPUTS 的名称和类型（与「开始」节点一致）、WORKFLOW_ID 和 OPTIONS。",
    "4006 4015": "检查 OPTIONS 里的 bot_id：没有这个智能体，或者它没有发布为 API。",
    "4008": "今天的调用次数用完了，请明天再试。",
    "4009 4020": "Coze 正忙，请稍后再试。",
    "4011 4019 4022": "额度不足，请充值。",
    "4100": f"令牌无效或已过期，请换一个。{SITES}",
    "4101": f"令牌没有权限（run、listRunHistory、uploadFile）或不属于这个空间。{SITES}",
    "4200 6031 720702004": f"检查 WORKFLOW_ID；从未发布过的，先发布。{SITES}",
    "6003": "异步运行需要付费版，请改用 workflow_sync.py。",
    "700012006": "令牌无效，请换一个；自建的 Coze Studio 还要检查 API_BASE 和 RUN_HISTORY_PATH。",
}
REFUSED = {code: advice for codes, advice in ADVICE.items() for code in codes.split()}
REFUSED_STATUSES = (*range(300, 400), 400, 401, 403, 404, 405, 407, 413, 429)  # 没有错误码时
PASSING = ("4008", "4009", "4011", "4019", "4020", "4022")  # REFUSED 里，查询遇到也接着查的
UNSEEN = "还没有查到"  # 只知道 run_id 的运行的状态
PROGRESS = {"pending": "任务已创建，等待执行...", "running": "任务正在执行中..."}

NOT_RUN = "工作流没有运行，不会计费。"
MAY_HAVE_RUN = """工作流可能已经运行并计费。再次运行之前，先在 Coze 平台的工作流页面查看运行记录；
有这一次的，用它的 run_id 取回结果: python workflow_async.py run_id"""

TOKEN = str(YOUR_ACCESS_TOKEN).strip()
WORKFLOW = str(WORKFLOW_ID).strip()
BASE = str(API_BASE).strip().rstrip("/")
if re.match("your_actual_|None$|$", WORKFLOW):
    WORKFLOW = os.environ.get("COZE_WORKFLOW_ID", "").strip()
if re.match("your_actual_|None$|$", TOKEN):
    TOKEN = os.environ.get("COZE_API_TOKEN", "").strip()
    if BASE == "https://api.coze.cn":  # 环境变量里的地址，只和环境变量里的令牌一起用
        BASE = os.environ.get("COZE_API_BASE", BASE).strip().rstrip("/")
IS_COZE = re.match(r"(?i)https?://api\.coze\.(cn|com)\b", BASE)  # 不是自建的服务
with suppress(AttributeError):  # GBK 控制台没有的字写成 \u…；IDLE 的窗口不需要
    sys.stdout.reconfigure(errors="backslashreplace")


class CozeError(Exception):
    """没有得到结果。文字给人看：发生了什么，运行了吗，计费吗，怎么办；status: 退出状态。"""

    def __init__(self, text, status=1):  # 有默认值，pickle 才能还原
        super().__init__(text)
        self.status = status


class RunBody(io.BytesIO):
    """运行请求的正文。requests 连上服务器以后才读它：没有读过，请求就没有发出去。"""

    was_read = False

    def read(self, size=-1):
        self.was_read = True
        return super().read(size)


def say(text, stream="stdout"):
    """打印一行。管道关了、终端没有了，就不再打印，运行照样进行。"""
    try:
        print(text, file=getattr(sys, stream), flush=True)
    except (OSError, ValueError):
        setattr(sys, stream, None)


def warn(text):
    """问题写到标准错误。"""
    say(text, "stderr")


def as_text(value):
    """给人看的值：文字原样，其他的写成 JSON。"""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)


def decode(text):
    """JSON 对象、列表、null 的文字 -> 它的值；其他的（1.10、true、不是文字的）原样。"""
    try:
        value = json.loads(text)
    except (TypeError, ValueError, RecursionError):
        return text
    if isinstance(value, (str, int, float)):
        return text
    return value


def fields_of(value):
    """JSON 对象里不是 null 的字段；不是对象的，没有字段。"""
    if not isinstance(value, dict):
        return {}
    return {name: field for name, field in value.items() if field is not None}


def first(fields, *names):
    """这些字段里第一个有内容的，写成文字；0（成功的 code、不存在的 run_id）等于没有。"""
    for name in names:
        if fields.get(name) not in (None, "", "0", 0):
            return as_text(fields[name])
    return ""


def check(meaning, *problems):
    """抛出 CozeError：设置有问题，一次全部说出来。meaning: 这对运行意味着什么。"""
    if problems:
        raise CozeError("\n  - ".join([f"设置有问题，没有发送请求。{meaning}", *problems]), 2)


def account_problems():
    """令牌、地址和当前文件夹不能用的地方，每处一句话。"""
    if not re.fullmatch("[A-Za-z0-9._~+/=-]+", TOKEN):
        yield "YOUR_ACCESS_TOKEN 没有填写，或者里面有令牌没有的字符（空格、引号、中文）"
    if not re.match("(?i)https://" if IS_COZE else "(?i)https?://", BASE):
        yield "API_BASE 要以 https:// 开头（只有自建的服务可以 http://）"
    try:
        with open("coze-trial.tmp", "w") as file:
            file.write("x")
    except OSError as error:
        yield f"当前文件夹不能写，结果会存不下来，请换一个文件夹运行: {error}"
    with suppress(OSError):
        os.remove("coze-trial.tmp")


def input_problems(inputs):
    """WORKFLOW_ID、INPUTS（或者代替它的 inputs）、FILES、OPTIONS 不能用的地方，每处一句话。"""
    if not re.fullmatch("[A-Za-z0-9_-]+", WORKFLOW):
        yield "WORKFLOW_ID 没有填对：它是工作流页面的地址里 workflow_id= 后面的数字"
    try:
        json.dumps({**inputs, **FILES, **OPTIONS}, allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f'INPUTS、FILES、OPTIONS 要像 {{"a": 1}} 这样，没有的写 {{}}: {error}'
        return
    if inputs == {"param1": "value1", "param2": "value2"} and IS_COZE:
        yield "INPUTS 还是示例：换成工作流「开始」节点的参数，没有参数时写 {}"
    for paths in FILES.values():
        for path in paths if isinstance(paths, list) else [paths]:
            if not os.path.isfile(str(path)):
                yield f"FILES 里的 {path} 不是一个文件"


def polling_problems():
    """轮询的设置不能用的地方，每处一句话。"""
    numbers = (INITIAL_POLL_INTERVAL, MAX_POLL_INTERVAL, MAX_POLL_ATTEMPTS)
    valid = all(isinstance(number, (int, float)) and 0 < number <= 86400 for number in numbers)
    if not valid or not isinstance(MAX_POLL_ATTEMPTS, int):
        yield "INITIAL_POLL_INTERVAL、MAX_POLL_INTERVAL、MAX_POLL_ATTEMPTS（整数）限于 0 到 86400"
    if not re.match(r"/.*\{execute_id\}", str(RUN_HISTORY_PATH)):
        yield "RUN_HISTORY_PATH 要以 / 开头，里面有 {execute_id}"


def add_token(request):
    """用作 requests 的 auth：只写在请求头里的话，~/.netrc 里的密码会替换令牌。"""
    request.headers["Authorization"] = f"Bearer {TOKEN}"
    return request


def send(method, path, timeout, **content):
    """发送一个请求，只发一次；返回 (response, 回复的 JSON 对象)，回复不是对象的是 {}。

    timeout: 秒，requests 的。抛出 OSError（requests 的错误都是）、ValueError：没有收到完整的回复。
    """
    response = requests.request(  # 跟随 307、308 的话，会把运行请求再发一遍
        method, BASE + path, auth=add_token, timeout=timeout, allow_redirects=False, **content
    )
    response.encoding = "utf-8-sig"
    reply = fields_of(decode(response.text))
    if str(reply.get("code")) == str(response.status_code):
        del reply["code"]  # 网关只是重复 HTTP 状态，不是 Coze 的错误码
    return response, reply


def describe_refusal(response, reply):
    """没有得到想要的：服务器说了什么，怎么办。错误和网页只要开头，可能是结果的不截断。"""
    code = first(reply, "code")
    said = as_text(reply) if reply else response.headers.get("Location", response.text)
    if len(TOKEN) >= 16:  # 有的网关会把请求写在错误里；更短的是自建服务随便填的词
        said = said.replace(TOKEN, "***")
    if code or response.status_code >= 300 or "<html" in said.lower():
        said = said[:2000]
    logid = first(response.headers, "X-Tt-Logid", "X-Log-Id")  # Coze 的支持会问到它
    advice = REFUSED.get(code, "看上面的回复；检查 WORKFLOW_ID、API_BASE、RUN_HISTORY_PATH、代理。")
    return f"HTTP 状态: {response.status_code}\nlogid: {logid}\n回复: {said}\n建议: {advice}"


def upload(path):
    """上传一个文件（或者列表里的几个），返回它作为输入的文字。抛出 CozeError：没有传上去。"""
    if isinstance(path, list):
        return [upload(one) for one in path]
    say(f"正在上传 {path}（还没有运行，不计费）...")
    try:
        with open(path, "rb") as file:
            response, reply = send("POST", "/v1/files/upload", 600, files={"file": file})
    except (OSError, ValueError) as error:
        raise CozeError(f"文件 {path} 没有传上去: {error}\n{NOT_RUN}", 2) from None
    data = fields_of(reply.get("data"))
    if not data.get("id"):
        trouble = describe_refusal(response, reply)
        raise CozeError(f"文件 {path} 没有传上去。\n{trouble}\n{NOT_RUN}", 2)
    # Coze Studio 的工作流要网址，扣子官网的要这样的文字
    return data.get("url") or json.dumps({"file_id": first(data, "id")})


def send_run(body, timeout):
    """发送运行请求，只发一次；返回 (response, 回复)，见 send。抛出 CozeError：没有收到回复。"""
    headers = {"Content-Type": "application/json"}
    try:
        return send("POST", "/v1/workflow/run", (10, timeout), data=body, headers=headers)
    except (OSError, ValueError) as error:
        if body.was_read:
            raise CozeError(f"请求发出了，没有收到完整的回复: {error}\n{MAY_HAVE_RUN}", 4) from None
        advice = "检查 API_BASE、网络、代理、证书（REQUESTS_CA_BUNDLE）和电脑的时间。"
        raise CozeError(f"没有连上 {BASE}: {error}\n建议: {advice}\n{NOT_RUN}", 2) from None


def no_run_error(response, reply):
    """回复里没有一次运行：CozeError，说出可能运行过没有。"""
    text = f"没有得到运行结果。\n{describe_refusal(response, reply)}"
    code = first(reply, "code")
    if code in REFUSED or (not code and response.status_code in REFUSED_STATUSES):
        return CozeError(f"{text}\n{NOT_RUN}", 2)
    return CozeError(f"{text}\n{MAY_HAVE_RUN}", 4)


def read_run_id(fields):
    """运行的 ID，没有时是空串；可能只在 debug_url 里有。"""
    in_url = re.search(r"[?&]execute_id=([1-9]\w*)", first(fields, "debug_url"))
    run_id = first(fields, "run_id", "execute_id")
    if in_url and not run_id:
        return in_url[1]
    return run_id


def read_question(fields):
    """运行停下来问的问题，没有时是空串（Coze 文档 resume_workflow）。"""
    interrupt = fields_of(fields.get("interrupt_data"))
    asked = decode(interrupt.get("data"))
    return fields_of(asked).get("content", asked) or first(interrupt, "event_id")


def read_status(fields):
    """运行的状态，记录里的写法；没有说到的是空串。"""
    said = first(fields, "execute_status", "status")
    status = STATES.get(said.lower(), said)
    if status not in ENDED and read_question(fields):
        return "interrupted"
    return status


def read_time(text=""):
    """Unix 秒 -> 2025-10-28T15:58:40Z；已经是这样的不动，别的（没有说到的）是现在。"""
    if re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", text):
        return text
    seconds = int(text) if re.fullmatch(r"\d{10}", text) else time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def read_error(fields):
    """失败的原因 {"code", "message"}。"""
    fields = {**fields, **fields_of(fields.get("error"))}
    names = ("error_message", "error_msg", "message", "msg", "error", "execute_status")
    return {"code": first(fields, "error_code", "code"), "message": first(fields, *names)}


def read_output(value):
    """一个输出：JSON 对象和列表解开，End 节点以文字回答的取出文字，其他的原样。"""
    output = decode(value)
    wrapper = {"content_type", "data", "type_for_model"}
    if isinstance(output, dict) and output.keys() - {"original_result"} == wrapper:
        return output["data"]
    return output


def update_record(record, status, fields, reply):
    """把回复写进记录。fields: 回复里说到这次运行的字段。"""
    record.pop("reply", None)  # 它写在最后
    record["status"] = status
    record["updated_at"] = read_time(first(fields, "updated_at", "update_time"))
    if status == "completed":
        outputs = fields.get("outputs", fields.get("output", fields.get("data")))
        record["outputs"] = read_output(outputs)
    if status == "failed":
        record["error"] = read_error(fields)
    record["reply"] = reply


def file_name(record):
    """<run_id>_<created_at>.json，文件名里不能有的字符换成 _。"""
    moment = re.sub("[^0-9T]", "", record["created_at"][:19])
    name = re.sub("[^A-Za-z0-9_-]", "_", record["run_id"])
    return f"{name}_{moment}.json"


def save(record):
    """写好再替换，所以读到的总是完整的；返回写成了没有，没有写成的整个打印出来。"""
    name = file_name(record)
    temporary = f"{name}.tmp"
    try:
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(as_text(record))
        try:
            os.replace(temporary, name)
        except PermissionError:  # Windows 上，杀毒或同步的程序可能正占着它
            time.sleep(2)
            os.replace(temporary, name)
    except OSError as error:
        with suppress(OSError):
            os.remove(temporary)
        warn(f"文件没有写成: {error}\n完整的记录在下面，请保存为 {name}:")
        warn(json.dumps(record))  # 只有 ASCII，什么编码的控制台都不会改动它
        return False
    return True


def entry_of(reply):
    """查询的回复里说到这次运行的字段；没有说到的，没有字段。"""
    if read_run_id(reply):  # 用户文档的写法；扣子官网和 Studio 在 data 的列表里说
        return reply
    entries = reply.get("data")
    if isinstance(entries, list):
        entries = next(iter(entries), None)
    return fields_of(entries)


def read_nodes(outputs):
    """扣子官网的历史里，End 节点的输出在 Output 里，输出节点各用其名；只有 End 节点时取出它的。"""
    if not fields_of(outputs).keys() & {"Output", "node_status"}:
        return outputs
    nodes = {name: read_output(value) for name, value in outputs.items() if name != "node_status"}
    if nodes.keys() == {"Output"}:
        return nodes["Output"]
    return nodes


def query(record):
    """查询一次，返回回复；没有查到状态的说一声，返回 {}。抛出 CozeError：再查还是这样。"""
    path = RUN_HISTORY_PATH.replace("{workflow_id}", record["workflow_id"])
    path = path.replace("{execute_id}", quote(record["run_id"], safe=""))
    try:
        response, reply = send("GET", path, (10, 30))
    except (OSError, ValueError) as error:
        warn(f"这次没有查到，运行不受影响，稍后再查: {error}")
        return {}
    if read_status(entry_of(reply)) and response.status_code < 300:
        return reply
    judge_trouble(record, response, reply)
    return {}


def judge_trouble(record, response, reply):
    """没有查到状态：会过去的说一声，不会过去的抛出 CozeError。"""
    code = first(reply, "code")
    trouble = describe_refusal(response, reply)
    is_hopeless = False
    if code:
        is_unknown = record["status"] == UNSEEN and code in ("4314", "720701013", "777777775")
        is_hopeless = is_unknown or (code in REFUSED and code not in PASSING)
    elif response.status_code >= 300:
        is_hopeless = response.status_code < 500 and response.status_code not in (408, 425, 429)
    elif "data" in reply and not entry_of(reply):
        is_hopeless = record["status"] == UNSEEN
        trouble = "Coze 还没有它的记录（一直没有的，检查 run_id 和 WORKFLOW_ID）。"
    if is_hopeless:
        raise CozeError(f"不再查了，没有查到运行 {record['run_id']}。\n{trouble}", 3)
    warn(f"稍后再查，运行不受影响。{trouble}")


def update_from_history(record, reply):
    """把查到的写进记录，显示状态。"""
    entry = entry_of(reply)
    if record["status"] == UNSEEN:
        record["inputs"] = decode(entry.get("input"))
        record["created_at"] = read_time(first(entry, "created_at", "create_time"))
    update_record(record, read_status(entry), entry, reply)
    if "outputs" in record and {"code", "detail"} & reply.keys():  # 扣子官网，不是 Studio
        record["outputs"] = read_nodes(record["outputs"])
    say(f"当前状态: {record['status']}")
    if record["status"] not in ENDED:
        say(f"更新时间: {record['updated_at']}\n{PROGRESS.get(record['status'], '')}".rstrip())


def poll(record):
    """按间隔查询，状态一变就保存，运行结束时返回。抛出 CozeError：不再查了，运行还没有结束。"""
    say(f"{DOUBLE_RULE}\n\n开始轮询任务状态...\n{RULE}")
    interval = min(INITIAL_POLL_INTERVAL, MAX_POLL_INTERVAL)
    for attempt in range(1, MAX_POLL_ATTEMPTS + 1):
        say(f"\n第 {attempt} 次查询... (等待 {round(interval, 1):g} 秒)")
        time.sleep(interval)
        interval = min(interval * 1.5, MAX_POLL_INTERVAL)
        reply = query(record)
        if not reply:
            continue
        before = record["status"]
        update_from_history(record, reply)
        if record["status"] in ENDED:
            return
        if record["status"] != before:
            interval = min(INITIAL_POLL_INTERVAL, MAX_POLL_INTERVAL)
            save(record)
        if record["status"] == "interrupted":
            question = read_question(entry_of(reply))
            raise CozeError(f"运行停下来等待回答，在 Coze 平台上回答以后才会继续。\n{question}", 3)
    raise CozeError(f"查了 {attempt} 次，没有等到结束；想多等，把 MAX_POLL_ATTEMPTS 改大。", 3)


def follow(record, greeting):
    """等一次启动过的运行结束，保存，显示，返回它的记录。抛出 CozeError：没有等到，或者没能保存。"""
    try:
        if record["status"] != UNSEEN:
            save(record)
        say(f"\n{greeting}\n任务 ID (run_id): {record['run_id']}\n初始状态: {record['status']}")
        poll(record)
        if not save(record):
            raise CozeError(f"运行结束了（{record['status']}），计费；它的记录没能保存。", 1)
    except CozeError as error:
        raise CozeError(f"{error}{how_to_go_on(record)}", error.status) from None
    except BaseException:  # Ctrl-C，或者别的什么
        warn(how_to_go_on(record))
        raise
    show_outcome(record, f"结果已保存到文件: {file_name(record)}")
    return record


def how_to_go_on(record):
    """怎样接着等；Coze 还没有说到过的 run_id，是空串。"""
    if record["status"] == UNSEEN:
        return ""
    command = f'{os.path.basename(sys.executable)} "{__file__}" {record["run_id"]}'
    return f"\nrun_id: {record['run_id']}（启动过，计费）。接着等，不会重新运行:\n{command}"


def run(inputs):
    """运行一次工作流，等它结束，返回它的记录（也保存了，显示了）。抛出 CozeError：没有得到结果。"""
    check(NOT_RUN, *account_problems(), *input_problems(inputs), *polling_problems())
    say(f"{DOUBLE_RULE}\n启动 Coze 工作流异步执行\n{DOUBLE_RULE}\n工作流 ID: {WORKFLOW}")
    body = RunBody()
    try:
        inputs = {**inputs, **{name: upload(paths) for name, paths in FILES.items()}}
        say(f"输入参数: {as_text(inputs)}\n{RULE}\n正在发送异步执行请求...")
        fields = {**OPTIONS, "workflow_id": WORKFLOW, "parameters": inputs, "is_async": True}
        body = RunBody(json.dumps(fields).encode())
        sent_at = read_time()
        response, reply = send_run(body, 60)
    except KeyboardInterrupt:
        warn(MAY_HAVE_RUN if body.was_read else NOT_RUN)
        raise
    run_id = read_run_id(reply)
    if not run_id:
        raise no_run_error(response, reply)
    record = {"run_id": run_id, "workflow_id": WORKFLOW, "status": "pending", "inputs": inputs}
    record["created_at"] = read_time(first(reply, "created_at") or sent_at)
    started = {name: record[name] for name in ("run_id", "status", "created_at")}
    update_record(record, "pending", reply, reply)
    return follow(record, f"异步任务已启动！\n{RULE}\n启动响应:\n{as_text(started)}\n")


def record_of(given):
    """run_id 或者记录文件 -> (记录, 它的文件)；没有文件的 run_id 是新的记录。抛出 CozeError。"""
    for path in [given] if os.path.isfile(given) else glob.glob(f"{given}_*.json"):
        with suppress(OSError, ValueError, LookupError, TypeError), open(path, "rb") as file:
            record = json.load(file)
            is_whole = record["workflow_id"] and record["status"] and record["created_at"]
            if is_whole and given in (path, record["run_id"]):
                return record, path
    if not re.fullmatch("[A-Za-z0-9_-]+", given) or not WORKFLOW:
        raise CozeError(f"{given} 不是记录文件，也不是 run_id；用 run_id 要填 WORKFLOW_ID。", 2)
    return {"run_id": given, "workflow_id": WORKFLOW, "status": UNSEEN, "inputs": None}, ""


def resume(given):
    """接着等一次启动过的运行，已经结束的只显示；返回它的记录。抛出 CozeError：没有得到结果。"""
    record, path = record_of(given)
    if record["status"] in ENDED:
        show_outcome(record, f"记录文件: {path}")
        return record
    check("启动过的运行不受影响。", *account_problems(), *polling_problems())
    return follow(record, "接着等启动过的运行，不重新运行。")


def show_outcome(record, place):
    """显示一次结束了的运行。place: 记录在哪里。"""
    times = ("created_at", "updated_at")
    names = ("run_id", "workflow_id", "status", "inputs", "outputs", "error", *times)
    shown = {name: record[name] for name in names if name in record}
    word = {"completed": "完成", "failed": "失败"}[record["status"]]
    say(f"\n任务执行{word}！\n{DOUBLE_RULE}\n完整执行结果:\n{DOUBLE_RULE}")
    say(f"{as_text(shown)}\n{DOUBLE_RULE}\n\n{place}\n\n最终状态: {record['status']}")
    if record["status"] == "completed":
        say(f"\n输出结果:\n{as_text(record.get('outputs'))}")
    entry = entry_of(fields_of(record.get("reply")))
    if first(entry, "debug_url"):
        say(f"\n运行详情页面（7 天内有效）: {entry['debug_url']}")
    if entry.get("is_output_trimmed") is True:
        warn("注意: 输出太大，Coze 把它截断了，结果不完整。")
    if record["status"] == "failed":
        warn(f"\n运行失败（计费）: {record['error']['message']}\n错误码: {record['error']['code']}")
    say(f"\n{DOUBLE_RULE}\n执行{word}！\n{DOUBLE_RULE}")


def main():
    """从头到尾；返回退出状态。"""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("run_id", nargs="?", help="接着等的运行：它的 run_id，或者它的记录文件")
    given = parser.parse_args().run_id
    try:
        record = run(INPUTS) if given is None else resume(given)
    except CozeError as error:
        warn(f"\n{error}")
        return error.status
    except KeyboardInterrupt:
        warn("\n已按 Ctrl-C 停止。")
        sys.excepthook = lambda *_: None  # 不打印 Traceback；进程仍然作为被 Ctrl-C 中断的结束
        raise
    return int(record["status"] == "failed")


if __name__ == "__main__":
    sys.exit(main())
