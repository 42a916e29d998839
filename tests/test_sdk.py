"""官方 SDK（cozepy，不改一个字）能对着替身同步、异步地运行工作流：替身讲的是真的协议。"""

import json
import time
from functools import partial

import pytest
from cozepy import Coze, CozeAPIError, TokenAuth
from cozepy.workflows.runs.run_histories import WorkflowExecuteStatus
from fake_coze import TOKEN, WORKFLOW_ID


@pytest.fixture
def sdk(coze, monkeypatch):
    """对着替身的 SDK：sdk(token)。"""
    server = coze(seconds=0.3)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return lambda token=TOKEN: Coze(auth=TokenAuth(token), base_url=server.url)


@pytest.fixture
def runs(sdk):
    """SDK 里运行工作流的部分：runs(token)。"""
    return lambda token=TOKEN: sdk(token).workflows.runs


def test_sync(runs):
    result = runs().create(workflow_id=WORKFLOW_ID, parameters={"a": "1"})
    assert json.loads(result.data)["inputs"] == {"a": "1"}
    assert (result.execute_id in result.debug_url, result.usage.token_count) == (True, 150)


def test_async(runs):
    run = runs().create(workflow_id=WORKFLOW_ID, parameters={"a": "1"}, is_async=True)
    query = partial(
        runs().run_histories.retrieve, workflow_id=WORKFLOW_ID, execute_id=run.execute_id
    )
    with pytest.raises(IndexError):  # 第一次查询是空列表
        query()
    assert query().execute_status == WorkflowExecuteStatus.RUNNING
    time.sleep(0.4)
    history = query()
    assert (history.execute_status, history.execute_id) == (
        WorkflowExecuteStatus.SUCCESS,
        run.execute_id,
    )
    assert json.loads(json.loads(history.output)["Output"])["inputs"] == {"a": "1"}


def test_refusals(runs):
    refused = {
        4100: lambda: runs("wrong").create(workflow_id=WORKFLOW_ID),
        4200: lambda: runs().create(workflow_id="1"),
        4314: lambda: runs().run_histories.retrieve(workflow_id=WORKFLOW_ID, execute_id="1"),
    }
    for code, call in refused.items():
        with pytest.raises(CozeAPIError) as error:
            call()
        assert error.value.code == code


def test_file(sdk, runs, tmp_path):
    (tmp_path / "照片.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    file = sdk().files.upload(file=tmp_path / "照片.png")
    assert (file.bytes, file.file_name) == (8, "照片.png")
    inputs = {"image": json.dumps({"file_id": file.id})}
    result = runs().create(workflow_id=WORKFLOW_ID, parameters=inputs)
    assert json.loads(result.data)["inputs"] == inputs


def test_unknown_file(runs):
    with pytest.raises(CozeAPIError) as error:
        runs().create(workflow_id=WORKFLOW_ID, parameters={"image": '{"file_id":"1"}'})
    assert error.value.code == 4000
