"""速度和内存：同步脚本与十行的 requests 脚本（bare.py）、官方 SDK cozepy（sdk.py）相比，在同一台机器上同一次测得。

    python tests/benchmark.py [--rounds 15]

README 里的倍数由此而来。替身在另一个进程里，立刻回答；每个对象轮流作为完整的进程运行，取中位数。
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

from conftest import MB, ROOT, SYNC, edit_settings
from fake_coze import FakeCoze, Reply

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


def serve(kind):
    """在这个进程里运行替身，打印环境变量，直到被结束。big: 每个结果是 20 MB 的文本。"""
    server = FakeCoze()
    if kind == "big":
        reply = {
            "code": 0,
            "msg": "",
            "data": "文" * (20 * MB // 3),
            "execute_id": "7",
            "debug_url": "https://x/",
        }
        server.replies.extend([Reply(json.dumps(reply, ensure_ascii=False).encode("utf-8"))] * 1000)
    with server:
        print(json.dumps(server.environment), flush=True)
        sys.stdin.read()


def run_once(command, environment, folder):
    """一个完整进程的 (秒, MiB)。"""
    silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, env=environment, **silent)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.WEXITSTATUS(status)
    assert process.returncode == 0, command
    return time.perf_counter() - started, usage.ru_maxrss / (
        1024 if sys.platform == "linux" else MB
    )


def compare(kind, names, rounds):
    """每个对象的中位数 {名字: (秒, MiB)}；每一轮换个顺序，机器的快慢变化落在每个对象上。"""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare.py").write_text(BARE, encoding="utf-8")
        (Path(folder) / "sdk.py").write_text(SDK, encoding="utf-8")
        edit_settings(Path(shutil.copy(ROOT / SYNC, folder)), {})
        command, measured = (
            [sys.executable, __file__, "--serve", kind],
            {name: [] for name in names},
        )
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as server:
            environment = {**os.environ, **json.loads(server.stdout.readline())}
            for _ in range(rounds + 1):
                for name in random.sample(names, len(names)):
                    measured[name].append(run_once([sys.executable, name], environment, folder))
            server.stdin.close()
    return {
        name: list(map(statistics.median, zip(*pairs[1:]))) for name, pairs in measured.items()
    }  # 第一轮是热身


def ratio(kind, other, rounds):
    """时间和内存是 other 的几倍，括号里是两边的中位数。"""
    medians = compare(kind, [SYNC, other], rounds)
    columns = zip(medians[SYNC], medians[other], ("秒", "MiB"))
    return " | ".join(
        f"{ours / others:.2f} 倍（{ours:.2f} / {others:.2f} {unit}）"
        for ours, others, unit in columns
    )


def main():
    """测量并打印表格。"""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="短的运行重复几次，默认 15")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return serve(options.serve)

    print(
        f"{date.today()}，CPython {sys.version.split()[0]}，{sys.platform}，{os.cpu_count()} 核\n"
    )
    print("| 一个完整的进程 | 与谁相比 | 时间 | 内存峰值 |\n| --- | --- | --- | --- |")
    for kind, label, other, rounds in (
        ("short", "很短的同步运行", "bare.py", options.rounds),
        ("short", "很短的同步运行", "sdk.py", options.rounds),
        ("big", "20 MB 的结果", "sdk.py", options.rounds // 3 + 1),
    ):
        print(f"| {label} | {other} | {ratio(kind, other, rounds)} |")
    return None


if __name__ == "__main__":
    main()
