"""README 里的两段示例是真的打印出来的，两条命令和图表也在。"""

import json
import re
import subprocess
from datetime import datetime, timezone

from conftest import ASYNC, ROOT, SYNC

README = (ROOT / "README.md").read_text(encoding="utf-8")


def sample(name):
    return re.search(rf"<!-- sample: {name} -->\n```text\n(.*?)```", README, re.DOTALL).group(1)


def run(one):
    """屏幕上看到的全部：标准输出和标准错误。"""
    return one.run(stderr=subprocess.STDOUT)


def reply_after(text, label):
    return json.JSONDecoder().raw_decode(text[text.index(label) + len(label) :].lstrip())[0]


def unix(text):
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=timezone.utc).timestamp())


def shape(text):
    """本机时钟决定的文件名、测试里缩短了的等待和随机的 logid，不参加比较。"""
    text = re.sub(r"_\d{8}T\d{6}\.json", "_….json", re.sub(r"等待 \S+ 秒", "等待 … 秒", text))
    return re.sub(r'"logid": "\w+"', '"logid": "…"', text)


def test_sync_sample(coze, script):
    text = sample("sync")
    done = run(script(SYNC, coze(reply_after(text, "响应结果:"))))
    assert (done.status, shape(done.stdout)) == (0, shape(text))


def test_async_sample(coze, script):
    text = sample("async")
    start, record = reply_after(text, "启动响应:"), reply_after(text, "完整执行结果:\n" + "=" * 60)
    entry = {"create_time": unix(record["created_at"]), "debug_url": start["debug_url"], "usage": {"token_count": 150}}
    running = {**entry, "execute_status": "Running", "update_time": unix(re.search("更新时间: (.*)", text).group(1))}
    output = json.dumps({"node_status": "{}", "Output": json.dumps(record["outputs"])})
    success = {**entry, "execute_status": "Success", "update_time": unix(record["updated_at"]), "output": output}
    frame = {"code": 0, "msg": "", "detail": {"logid": "L1"}}
    done = run(script(ASYNC, coze(start, *[{**frame, "data": data} for data in ([], [running], [success])])))
    assert (done.status, shape(done.stdout)) == (0, shape(text))


def test_resume_command_names_the_file_of_the_sample():
    (path,) = re.findall(r"文件: (\S+)", sample("async"))
    assert f"python workflow_async.py {path}\n" in README


def test_both_commands():
    for command in (
        "pip install -r requirements.txt && python tests/fake_coze.py workflow_async.py",
        "pip install -r tests/requirements.txt && python -m pytest",
    ):
        assert f"```bash\n{command}\n```" in README


def test_every_setting_and_advice_is_listed():
    import workflow_async

    settings = re.findall(r"^([A-Z_]+) = ", (ROOT / SYNC).read_text(encoding="utf-8"), re.MULTILINE)
    settings += re.findall(r"^([A-Z_]+) = ", (ROOT / ASYNC).read_text(encoding="utf-8"), re.MULTILINE)
    edited = [name for name in settings[: settings.index("CONNECT_TIMEOUT")]]
    assert [name for name in edited if f"`{name}`" not in README] == []
    codes = re.search(r"\| code \| 怎么办 \|\n(.*?)\n\n", README, re.DOTALL).group(1)
    assert [code for code in workflow_async.HINTS if code not in codes] == []
