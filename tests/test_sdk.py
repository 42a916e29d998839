"""官方 SDK（cozepy，不改一个字）能对着替身同步、异步地运行工作流：替身讲的是真的协议。"""

import json
import time

import pytest
from cozepy import Coze, CozeAPIError, TokenAuth
from cozepy.workflows.runs.run_histories import WorkflowExecuteStatus
from fake_coze import TOKEN, WORKFLOW_ID


@pytest.fixture
def server(coze, monkeypatch):
    server = coze(seconds=0.3)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    return server


def test_sync(server):
    sdk = Coze(auth=TokenAuth(TOKEN), base_url=server.url)
    result = sdk.workflows.runs.create(workflow_id=WORKFLOW_ID, parameters={"a": "1"})
    assert json.loads(result.data)["inputs"] == {"a": "1"}
    assert result.execute_id in result.debug_url
    assert result.usage.token_count == 150


def test_async(server):
    sdk = Coze(auth=TokenAuth(TOKEN), base_url=server.url)
    run = sdk.workflows.runs.create(workflow_id=WORKFLOW_ID, parameters={"a": "1"}, is_async=True)
    with pytest.raises(IndexError):
        sdk.workflows.runs.run_histories.retrieve(workflow_id=WORKFLOW_ID, execute_id=run.execute_id)
    states = []
    for _ in range(50):
        history = sdk.workflows.runs.run_histories.retrieve(workflow_id=WORKFLOW_ID, execute_id=run.execute_id)
        states.append(history.execute_status)
        if history.execute_status != WorkflowExecuteStatus.RUNNING:
            break
        time.sleep(0.1)
    assert states[0] == WorkflowExecuteStatus.RUNNING
    assert states[-1] == WorkflowExecuteStatus.SUCCESS
    assert history.execute_id == run.execute_id
    assert json.loads(json.loads(history.output)["Output"])["inputs"] == {"a": "1"}


def test_refusals(server):
    with pytest.raises(CozeAPIError) as refused:
        Coze(auth=TokenAuth("wrong"), base_url=server.url).workflows.runs.create(workflow_id=WORKFLOW_ID)
    assert refused.value.code == 4100
    assert "COZE_API_TOKEN" in refused.value.msg
    sdk = Coze(auth=TokenAuth(TOKEN), base_url=server.url)
    with pytest.raises(CozeAPIError) as refused:
        sdk.workflows.runs.create(workflow_id="1")
    assert refused.value.code == 4200
    with pytest.raises(CozeAPIError) as refused:
        sdk.workflows.runs.run_histories.retrieve(workflow_id=WORKFLOW_ID, execute_id="1")
    assert refused.value.code == 4314
