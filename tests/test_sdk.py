"""官方 SDK（cozepy，不改一个字）能对着替身同步、异步地运行工作流：替身讲的是真的协议。"""

import json
import time

import pytest
from cozepy import Coze, CozeAPIError, TokenAuth
from cozepy.workflows.runs.run_histories import WorkflowExecuteStatus
from fake_coze import TOKEN, WORKFLOW_ID

SECONDS = 0.3  # 一次运行


@pytest.fixture
def sdk(coze, monkeypatch):
    """对着替身的 SDK：sdk(token)。"""
    server = coze(seconds=SECONDS)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)

    def sdk(token=TOKEN):
        return Coze(auth=TokenAuth(token), base_url=server.url)

    return sdk


@pytest.fixture
def run_workflow(sdk):
    """运行替身的工作流：run_workflow({"a": "1"}, is_async=True)。"""

    def run_workflow(inputs, **options):
        runs = sdk().workflows.runs
        return runs.create(workflow_id=WORKFLOW_ID, parameters=inputs, **options)

    return run_workflow


@pytest.fixture
def query(sdk):
    """查询一次运行：query(运行 ID)。"""

    def query(run_id):
        histories = sdk().workflows.runs.run_histories
        return histories.retrieve(workflow_id=WORKFLOW_ID, execute_id=run_id)

    return query


def inputs_of(output):
    """替身的输出里带着输入。"""
    return json.loads(output)["inputs"]


def test_sync(run_workflow):
    result = run_workflow({"a": "1"})
    assert inputs_of(result.data) == {"a": "1"}
    assert result.execute_id in result.debug_url
    assert result.usage.token_count == 150


def test_async(run_workflow, query):
    """第一次查询是空列表，SDK 因此出错。"""
    run_id = run_workflow({"a": "1"}, is_async=True).execute_id
    with pytest.raises(IndexError):
        query(run_id)
    assert query(run_id).execute_status == WorkflowExecuteStatus.RUNNING
    time.sleep(SECONDS + 0.1)
    history = query(run_id)
    assert history.execute_status == WorkflowExecuteStatus.SUCCESS
    assert history.execute_id == run_id
    assert inputs_of(json.loads(history.output)["Output"]) == {"a": "1"}


def test_wrong_token_is_refused(sdk):
    with pytest.raises(CozeAPIError) as error:
        sdk("wrong").workflows.runs.create(workflow_id=WORKFLOW_ID)
    assert error.value.code == 4100


def test_unknown_run_is_refused(query):
    with pytest.raises(CozeAPIError) as error:
        query("1")
    assert error.value.code == 4314


def test_file_is_an_input(sdk, run_workflow, tmp_path):
    photo = tmp_path / "照片.png"
    photo.write_bytes(b"\x89PNG\r\n\x1a\n")
    file = sdk().files.upload(file=photo)
    assert file.bytes == 8
    assert file.file_name == "照片.png"
    inputs = {"image": json.dumps({"file_id": file.id})}
    result = run_workflow(inputs)
    assert inputs_of(result.data) == inputs
