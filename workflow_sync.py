# /// script
# requires-python = ">=3.8"
# dependencies = ["requests>=2.31"]
# ///
"""同步运行一个 Coze（扣子）工作流：发送，等待，把结果存成 <run_id>_<created_at>.json，显示。

填好下面的设置，运行: python workflow_sync.py（每运行一次，计费一次）
需要：工作流已经发布；令牌有 run 权限（FILES 还要 uploadFile）；运行不超过 90 秒，更长的用异步脚本。

退出状态:
  0    运行成功，结果已保存
  1    运行失败（计费），或者记录没能保存
  2    没有运行，不计费：设置不能用，被拒绝，或者没有连上
  3    运行可能还没有结束：用 workflow_async.py 和它的 run_id 接着等
  4    可能运行过：先看 Coze 平台的运行记录，再决定要不要重来
  130  按了 Ctrl-C（Windows 上是 -1073741510）
也可以导入（设置写在文件里）: run(inputs) 运行一次，返回记录；得不到结果时抛出 CozeError。
"""

import argparse
import io
import json
import os
import re
import sys
import threading
import time
from concurrent.futures import Future, wait
from contextlib import suppress

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
TIMEOUT = 300  # 最多等多少秒没有数据（Coze 自己在 90 秒没有数据时切断）
API_BASE = "https://api.coze.cn"  # 国际版 https://api.coze.com，或者自建服务的地址
OPTIONS = {}  # 运行请求里少用的项，如 {"bot_id": "734…", "ext": {"user_id": "u1"}}

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


def timeout_problems():
    """TIMEOUT 不能用时，一句话。"""
    if not isinstance(TIMEOUT, (int, float)) or not 0 < TIMEOUT <= 86400:
        yield "TIMEOUT 要是大于 0、不超过 86400 的数（秒）"


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


def send_in_background(body):
    """在后台发送运行请求，见 send_run；每 10 秒说一声，Windows 上等的时候也听得到 Ctrl-C。"""
    future = Future()

    def work():
        try:
            future.set_result(send_run(body, TIMEOUT))
        except Exception as error:  # noqa: BLE001 由等着的主线程抛出
            future.set_exception(error)

    try:
        threading.Thread(target=work, daemon=True).start()
        seconds = 0
        while not wait([future], timeout=1).done:
            seconds += 1
            if seconds % 10 == 0:
                say(f"已等待 {seconds} 秒...")
        return future.result()
    finally:
        body.close()  # 不再等了：后台还没有发出去的，从这时起也发不出去


def result_status(response, reply):
    """同步运行的状态；扣子官网不说它，由错误码决定。抛出 CozeError：回复里没有一次运行。"""
    is_error = first(reply, "code") or response.status_code >= 300
    has_result = {"data", "output", "outputs"} & reply.keys()
    is_from_coze = "code" in reply and (has_result or read_question(reply))
    if not read_run_id(reply) and (is_error or not is_from_coze):
        raise no_run_error(response, reply)
    if response.status_code >= 500:
        return "running"  # 网关的错误，运行还在继续
    if is_error:
        return "failed"
    if has_result:
        return read_status(reply) or "completed"
    return read_status(reply) or "running"


def run(inputs):
    """运行一次工作流，等它结束，返回它的记录（也保存了，显示了）。抛出 CozeError：没有得到结果。"""
    check(NOT_RUN, *account_problems(), *input_problems(inputs), *timeout_problems())
    say(f"{DOUBLE_RULE}\nCoze 工作流同步执行\n{DOUBLE_RULE}\n工作流 ID: {WORKFLOW}")
    body = RunBody()
    try:
        inputs = {**inputs, **{name: upload(paths) for name, paths in FILES.items()}}
        say(f"输入参数: {as_text(inputs)}\n{RULE}\n正在发送请求...")
        fields = {**OPTIONS, "workflow_id": WORKFLOW, "parameters": inputs, "is_async": False}
        body = RunBody(json.dumps(fields).encode())
        sent_at = read_time()
        response, reply = send_in_background(body)
        status = result_status(response, reply)
        run_id = read_run_id(reply) or f"unknown-{os.urandom(4).hex()}"
        record = {"run_id": run_id, "workflow_id": WORKFLOW, "status": status, "inputs": inputs}
        record["created_at"] = read_time(first(reply, "created_at") or sent_at)
        update_record(record, status, reply, reply)
        saved = save(record)
    except KeyboardInterrupt:
        warn(MAY_HAVE_RUN if body.was_read else NOT_RUN)
        raise
    if not saved:
        raise CozeError(f"工作流运行过，计费；它的记录没能保存（状态: {status}）。", 1)
    if status in ENDED:
        show_result(record)
        return record
    text = f"运行可能还没有结束（{status}），照常计费；记录在 {file_name(record)}。"
    if read_question(reply):
        text += f"\n它停下来等待回答: {read_question(reply)}\n在 Coze 平台上回答以后，它才会继续。"
    if read_run_id(reply):
        text += f"\n接着等（先填好那个脚本的设置）:\npython workflow_async.py {run_id}"
    raise CozeError(text, 3)


def show_result(record):
    """显示一次结束了的运行。"""
    names = ("run_id", "status", "output", "error", "created_at", "updated_at")
    fields = fields_of({**record, "output": record.get("outputs")})
    shown = {name: fields[name] for name in names if name in fields}
    title = {"completed": "请求成功！", "failed": "运行失败。"}[record["status"]]
    say(f"\n{title}\n{DOUBLE_RULE}\n响应结果:\n{as_text(shown)}\n{DOUBLE_RULE}")
    say(f"\n结果已保存到文件: {file_name(record)}\n\n执行状态: {record['status']}")
    if record["status"] == "completed":
        say(f"输出结果: {as_text(record['outputs'])}")
    if first(record["reply"], "debug_url"):
        say(f"运行详情页面（7 天内有效）: {record['reply']['debug_url']}")
    if record["status"] == "failed":
        warn(f"\n运行失败（计费）: {record['error']['message']}\n错误码: {record['error']['code']}")


def main():
    """从头到尾；返回退出状态。"""
    raw = argparse.RawDescriptionHelpFormatter
    argparse.ArgumentParser(description=__doc__, formatter_class=raw).parse_args()
    try:
        record = run(INPUTS)
    except CozeError as error:
        warn(f"\n{error}")
        if error.status == 4:
            warn("如果是等了 90 秒被 Coze 切断的：更长的工作流请用 workflow_async.py。")
        return error.status
    except KeyboardInterrupt:
        warn("\n已按 Ctrl-C 停止。")
        sys.excepthook = lambda *_: None  # 不打印 Traceback；进程仍然作为被 Ctrl-C 中断的结束
        raise
    return int(record["status"] == "failed")


if __name__ == "__main__":
    sys.exit(main())
