"""速度：一次很短的同步运行，与十行的 requests 脚本（bare.py）、官方 SDK cozepy（sdk.py）相比。

    python tests/benchmark.py [--rounds 15]

替身立刻回答；每个对象轮流作为完整的进程运行，取中位数。
"""

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from conftest import ROOT, SYNC, edit_settings
from fake_coze import FakeCoze

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


def run_once(script, environment, folder):
    """一个完整进程的秒数。"""
    started = time.perf_counter()
    command = [sys.executable, script]
    subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return time.perf_counter() - started


def measure(rounds, environment, folder):
    """每个对象的中位数 {名字: 秒}。每一轮换个顺序，机器的快慢落在每个对象上；第一轮是热身。"""
    seconds = {SYNC: [], "bare.py": [], "sdk.py": []}
    for _ in range(rounds + 1):
        for name in random.sample(list(seconds), len(seconds)):
            seconds[name].append(run_once(name, environment, folder))
    return {name: statistics.median(column[1:]) for name, column in seconds.items()}


def main():
    """命令行：测量，打印。"""
    parser = argparse.ArgumentParser(description="同步脚本的速度")
    parser.add_argument("--rounds", type=int, default=15, help="重复几次，默认 15")
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bare.py").write_text(BARE, encoding="utf-8")
        (folder / "sdk.py").write_text(SDK, encoding="utf-8")
        shutil.copy(ROOT / SYNC, folder)
        edit_settings(folder / SYNC, {})
        with FakeCoze() as server:
            medians = measure(rounds, {**os.environ, **server.environment}, folder)
    ours = medians.pop(SYNC)
    for other, seconds in medians.items():
        print(f"{other}: {ours / seconds:.2f} 倍（{ours:.3f} / {seconds:.3f} 秒）")


if __name__ == "__main__":
    main()
