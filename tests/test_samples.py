"""使用说明里的两段控制台示例，逐字相同。"""

from conftest import ASYNC, SYNC

SYNC_SAMPLE = """\
============================================================
Coze 工作流同步执行
============================================================
工作流 ID: your_workflow_id
输入参数: {
  "param1": "value1",
  "param2": "value2"
}
------------------------------------------------------------
正在发送请求...

请求成功！
============================================================
响应结果:
{
  "run_id": "run123",
  "status": "completed",
  "output": {
    "result": "success"
  },
  "created_at": "2025-10-28T15:58:40Z",
  "updated_at": "2025-10-28T15:59:00Z"
}
============================================================

结果已保存到文件: run123_20251028T155840.json

执行状态: completed
输出结果: {
  "result": "success"
}
"""

ASYNC_SAMPLE = """\
============================================================
启动 Coze 工作流异步执行
============================================================
工作流 ID: your_workflow_id
输入参数: {
  "param1": "value1",
  "param2": "value2"
}
------------------------------------------------------------
正在发送异步执行请求...

异步任务已启动！
------------------------------------------------------------
启动响应:
{
  "run_id": "run123",
  "status": "pending",
  "created_at": "2025-10-28T15:58:40Z"
}

任务 ID (run_id): run123
初始状态: pending
============================================================

开始轮询任务状态...
------------------------------------------------------------

第 1 次查询... (等待 2 秒)
当前状态: running
更新时间: 2025-10-28T15:58:42Z
任务正在执行中...

第 2 次查询... (等待 2 秒)
当前状态: completed

任务执行完成！
============================================================
完整执行结果:
============================================================
{
  "run_id": "run123",
  "workflow_id": "your_workflow_id",
  "status": "completed",
  "inputs": {
    "param1": "value1",
    "param2": "value2"
  },
  "outputs": {
    "result": "success"
  },
  "created_at": "2025-10-28T15:58:40Z",
  "updated_at": "2025-10-28T16:00:00Z"
}
============================================================

结果已保存到文件: run123_20251028T155840.json

最终状态: completed

输出结果:
{
  "result": "success"
}

============================================================
执行完成！
============================================================
"""

STARTED = {"run_id": "run123", "status": "pending", "created_at": "2025-10-28T15:58:40Z"}
RUNNING = {"run_id": "run123", "status": "running", "updated_at": "2025-10-28T15:58:42Z"}


def test_sync_sample(coze, script):
    reply = {
        "run_id": "run123",
        "status": "completed",
        "output": {"result": "success"},
        "created_at": "2025-10-28T15:58:40Z",
        "updated_at": "2025-10-28T15:59:00Z",
    }
    done = script(SYNC, coze(reply), WORKFLOW_ID="your_workflow_id").run()
    assert (done.status, done.stdout, done.stderr) == (0, SYNC_SAMPLE, "")
    assert done.names == ["run123_20251028T155840.json"]
    assert list(done.record.items()) == [
        ("run_id", "run123"),
        ("workflow_id", "your_workflow_id"),
        ("status", "completed"),
        ("inputs", {"param1": "value1", "param2": "value2"}),
        ("outputs", {"result": "success"}),
        ("created_at", "2025-10-28T15:58:40Z"),
        ("updated_at", "2025-10-28T15:59:00Z"),
        ("response", reply),
    ]


def test_async_sample(coze, script):
    final = {
        "run_id": "run123",
        "status": "completed",
        "outputs": {"result": "success"},
        "created_at": "2025-10-28T15:58:40Z",
        "updated_at": "2025-10-28T16:00:00Z",
    }
    # 间隔用 2 秒才与示例相同；两次等待共 4 秒
    done = script(ASYNC, coze(STARTED, RUNNING, final), WORKFLOW_ID="your_workflow_id", INITIAL_POLL_INTERVAL=2).run()
    assert (done.status, done.stdout, done.stderr) == (0, ASYNC_SAMPLE, "")
    assert done.names == ["run123_20251028T155840.json"]
    assert done.record["response"] == final
    assert list(done.record) == [
        "run_id",
        "workflow_id",
        "status",
        "inputs",
        "outputs",
        "created_at",
        "updated_at",
        "response",
    ]
