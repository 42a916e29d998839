"""速度和内存：同步脚本与十行的 requests 脚本（bare.py）、官方 SDK cozepy（sdk.py）相比。

    python tests/benchmark.py [--rounds 15]

README 里的倍数由此而来，在同一台机器上同一次测得。替身在另一个进程里，立刻回答；
每个对象轮流作为完整的进程运行，取中位数。
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
from contextlib import contextmanager
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
    json={
        "workflow_id": os.environ["COZE_WORKFLOW_ID"],
        "parameters": {"param1": "value1", "param2": "value2"},
    },
    timeout=300,
).json()
print(json.loads(reply["data"]))
"""

SDK = """
import os
from cozepy import Coze, TokenAuth
coze = Coze(auth=TokenAuth(os.environ["COZE_API_TOKEN"]), base_url=os.environ["COZE_API_BASE"])
result = coze.workflows.runs.create(
    workflow_id=os.environ["COZE_WORKFLOW_ID"],
    parameters={"param1": "value1", "param2": "value2"},
)
print(result.data)
"""

BIG_RESULT = {
    "code": 0,
    "msg": "",
    "data": "文" * (20 * MB // 3),
    "execute_id": "7",
    "debug_url": "https://x/",
}


def serve(kind):
    """在这个进程里运行替身，打印环境变量，直到被结束。big: 每个结果是 20 MB 的文本。"""
    server = FakeCoze()
    if kind == "big":
        text = json.dumps(BIG_RESULT, ensure_ascii=False)
        server.replies.extend([Reply(text.encode("utf-8"))] * 1000)
    with server:
        print(json.dumps(server.environment), flush=True)
        sys.stdin.read()


@contextmanager
def stand_in(kind):
    """另一个进程里的替身；给出它的环境变量。"""
    command = [sys.executable, __file__, "--serve", kind]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as server:
        yield {**os.environ, **json.loads(server.stdout.readline())}
        server.stdin.close()


@contextmanager
def folder_of_scripts():
    """三个对象所在的文件夹。"""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare.py").write_text(BARE, encoding="utf-8")
        (folder / "sdk.py").write_text(SDK, encoding="utf-8")
        shutil.copy(ROOT / SYNC, folder)
        edit_settings(folder / SYNC, {})
        yield folder


def run_once(script, environment, folder):
    """一个完整进程的 (秒, MiB)。"""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, script],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.WEXITSTATUS(status)
    assert process.returncode == 0, script
    unit = MB  # macOS 的 ru_maxrss 是字节，Linux 的是 KiB
    if sys.platform == "linux":
        unit = 1024
    return seconds, usage.ru_maxrss / unit


def measure(names, rounds, environment, folder):
    """每个对象每一轮的 {名字: [(秒, MiB), …]}；每一轮换个顺序，机器的快慢落在每个对象上。"""
    measured = {name: [] for name in names}
    for _ in range(rounds):
        for name in random.sample(names, len(names)):
            once = run_once(name, environment, folder)
            measured[name].append(once)
    return measured


def medians(pairs):
    """(秒, MiB) 各自的中位数；第一轮是热身，不算。"""
    return [statistics.median(column) for column in zip(*pairs[1:])]


def ratio(kind, other, rounds):
    """时间和内存是 other 的几倍，括号里是两边的中位数。"""
    with folder_of_scripts() as folder, stand_in(kind) as environment:
        measured = measure([SYNC, other], rounds + 1, environment, folder)
    columns = zip(medians(measured[SYNC]), medians(measured[other]), ["秒", "MiB"])
    cells = []
    for ours, others, unit in columns:
        cells.append(f"{ours / others:.2f} 倍（{ours:.2f} / {others:.2f} {unit}）")
    return " | ".join(cells)


def print_table(rounds):
    """测量，打印表格。rounds: 短的运行重复几次。"""
    few = rounds // 3 + 1
    version = sys.version.split()[0]
    print(f"{date.today()}，CPython {version}，{sys.platform}，{os.cpu_count()} 核\n")
    print("| 一个完整的进程 | 与谁相比 | 时间 | 内存峰值 |")
    print("| --- | --- | --- | --- |")
    print("| 很短的同步运行 | bare.py |", ratio("short", "bare.py", rounds), "|")
    print("| 很短的同步运行 | sdk.py |", ratio("short", "sdk.py", rounds), "|")
    print("| 20 MB 的结果 | sdk.py |", ratio("big", "sdk.py", few), "|")


def main():
    """命令行。"""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--rounds", type=int, default=15, help="短的运行重复几次，默认 15")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve)
    else:
        print_table(options.rounds)


if __name__ == "__main__":
    main()
