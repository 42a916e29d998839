"""速度和内存：脚本与十行的 requests 脚本、官方 SDK（cozepy）相比，在同一台机器上同一次测得。

    python tests/benchmark.py [--rounds 15]

输出 README 里的表格。替身在另一个进程里，立刻回答；每个对象轮流作为完整的进程运行，取中位数。
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).resolve().parent.parent))

from conftest import MB, edit_settings

BARE = """
import json, os, requests
reply = requests.post(
    os.environ["COZE_API_BASE"] + "/v1/workflow/run",
    headers={"Authorization": "Bearer " + os.environ["COZE_API_TOKEN"]},
    json={"workflow_id": os.environ["COZE_WORKFLOW_ID"], "parameters": {"param1": "value1", "param2": "value2"}},
    timeout=300,
).json()
print(json.loads(reply["data"]))
"""

SDK = """
import os
from cozepy import Coze, TokenAuth
coze = Coze(auth=TokenAuth(os.environ["COZE_API_TOKEN"]), base_url=os.environ["COZE_API_BASE"])
result = coze.workflows.runs.create(
    workflow_id=os.environ["COZE_WORKFLOW_ID"], parameters={"param1": "value1", "param2": "value2"}
)
print(result.data)
"""


def table_rows():
    """20 MB 的表格：每行一个对象。"""
    return [{"id": n, "name": f"第 {n} 行", "price": n / 7, "tags": ["a", "b"]} for n in range(210_000)]


def serve(kind):
    """在这个进程里运行替身，打印环境变量，直到被结束。"""
    from fake_coze import FakeCoze, Reply

    data = {"text": lambda: "文" * (20 * MB // 3), "rows": lambda: json.dumps(table_rows(), ensure_ascii=False)}
    server = FakeCoze()
    if kind in data:
        value = {"code": 0, "msg": "", "data": data[kind](), "execute_id": "7", "debug_url": "https://x/?execute_id=7"}
        body = json.dumps(value, ensure_ascii=False).encode("utf-8")
        server.replies.extend(Reply(body) for _ in range(1000))
    with server:
        print(json.dumps(server.environment), flush=True)
        sys.stdin.read()


def run_once(command, environment, folder):
    """一个完整进程的 (秒, MiB)。"""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.WEXITSTATUS(status)
    assert process.returncode == 0, command
    for result in Path(folder).glob("*.json"):
        result.unlink()
    return seconds, usage.ru_maxrss / (1024 if sys.platform == "linux" else MB)


def compare(kind, names, rounds):
    """每个对象的中位数 {名字: (秒, MiB)}；每一轮换个顺序，机器的快慢变化落在每个对象上。"""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare.py").write_text(BARE, encoding="utf-8")
        (Path(folder) / "sdk.py").write_text(SDK, encoding="utf-8")
        shutil.copy(root / "workflow_sync.py", folder)
        edit_settings(Path(folder) / "workflow_sync.py", {})
        scripts = {"sync": "workflow_sync.py", "bare": "bare.py", "sdk": "sdk.py"}
        command = [sys.executable, __file__, "--serve", kind]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            environment = {**os.environ, **json.loads(server.stdout.readline())}
            measured = {name: [] for name in names}
            for _ in range(rounds + 1):
                for name in random.sample(names, len(names)):
                    measured[name].append(run_once([sys.executable, scripts[name]], environment, folder))
            server.stdin.close()
    return {
        name: tuple(statistics.median(column) for column in zip(*pairs[1:]))  # 第一轮是热身
        for name, pairs in measured.items()
    }


def polling(seconds, next_interval, first):
    """长 seconds 秒的运行：(查询次数, 结束后多久才看到)。第一次查询看到 running，状态由此变化一次。"""
    clock, interval, queries = 0, first, 0
    while True:
        clock += interval
        queries += 1
        if clock >= seconds:
            return queries, clock - seconds
        interval = next_interval(interval, changed=queries == 1)


def polling_means(length, next_interval, first):
    """平均值，运行长度均匀分布在 length 上下 30 % 之间。"""
    lengths = [length * (0.7 + 0.6 * step / 200) for step in range(201)]
    return [statistics.mean(column) for column in zip(*(polling(one, next_interval, first) for one in lengths))]


def main():
    """测量并打印表格。"""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="短的运行重复几次，默认 15")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)

    import workflow_async

    print(f"{date.today()}，CPython {sys.version.split()[0]}，{sys.platform}，{os.cpu_count()} 核\n")
    print("| 一个完整的进程 | 与谁相比 | 时间 | 内存峰值 |\n| --- | --- | --- | --- |")
    short = compare("short", ("sync", "bare", "sdk"), options.rounds)
    for label, other in (("十行的 requests 脚本", "bare"), ("官方 SDK", "sdk")):
        print(ratio("很短的同步运行", label, short["sync"], short[other]))
    for kind, label in (("text", "20 MB 的结果，一段文本"), ("rows", "20 MB 的结果，21 万行的表格")):
        big = compare(kind, ("sync", "sdk"), max(3, options.rounds // 3))
        print(ratio(label, "官方 SDK", big["sync"], big["sdk"]))
    print("\n| 运行的长度（±30 %） | 查询次数 | 结束后多久看到 | 每秒查询一次：次数 | 多久看到 |")
    print("| --- | --- | --- | --- | --- |")
    for length in (5, 15, 60, 300, 1800, 3600):
        ours = polling_means(length, workflow_async.next_interval, workflow_async.INITIAL_POLL_INTERVAL)
        fixed = polling_means(length, lambda interval, changed: 1, 1)
        print(f"| {length} 秒 | {ours[0]:.1f} | {ours[1]:.1f} 秒 | {fixed[0]:.1f} | {fixed[1]:.1f} 秒 |")
    return None


def ratio(what, other_name, ours, other):
    """表格的一行：时间和内存的倍数，括号里是两边的中位数。"""
    return (
        f"| {what} | {other_name} | {ours[0] / other[0]:.2f} 倍（{ours[0]:.2f} 秒 / {other[0]:.2f} 秒） "
        f"| {ours[1] / other[1]:.2f} 倍（{ours[1]:.0f} MiB / {other[1]:.0f} MiB） |"
    )


if __name__ == "__main__":
    main()
