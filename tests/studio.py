"""一个真实的 Coze Studio 的回复，逐字抄录：(HTTP 状态, 响应头, 正文)。"""

STUDIO_PATH = "/v1/workflow/get_run_history?workflow_id={workflow_id}&execute_id={execute_id}"

REPLIES = {
    "a sync run that succeeded": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "775aebac-6cfa-45e2-9b9b-77f04eba37ce",
        },
        {
            "code": 0,
            "msg": None,
            "data": '{"answer":"你好","n":3}',
            "token": 0,
            "cost": "0.00000",
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427210409043055&execute_mode=2&space_id=123&workflow_id=1795427209366005212",
            "execute_id": "1795427210409043055",
            "BaseResp": None,
        },
    ),
    "a sync run whose End node answers with text": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "15287510-25b9-464e-a30b-90323d29d6d7",
        },
        {
            "code": 0,
            "msg": None,
            "data": '{"type_for_model":2,"content_type":1,"data":"You asked: why?"}',
            "token": 0,
            "cost": "0.00000",
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427210516390358&execute_mode=2&space_id=123&workflow_id=1795427209478498119",
            "execute_id": "1795427210516390358",
            "BaseResp": None,
        },
    ),
    "a sync run that failed in a node: it has an id, in debug_url alone": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "2ce25a93-ca23-4e2e-be83-46d33ac84ae2",
        },
        {
            "code": 720701013,
            "msg": 'Workflow execution failure: [NodeRunError] request http://127.0.0.1:9000/fail failed, response status code=500, status=500 Internal Server Error, headers={"Content-Length":"4","Content-Type":"text/plain; charset=utf-8","Date":"Mon, 23 Nov 2026 09:46:50 GMT"}, body=boom\n------------------------\nnode path: [200001]',
            "data": None,
            "token": None,
            "cost": None,
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427210558788012&execute_mode=2&space_id=123&workflow_id=1795427209389058584",
            "execute_id": None,
            "BaseResp": None,
        },
    ),
    "refused before it ran: debug_url carries execute_id=0": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "3ac52da6-cd5b-4815-b3d6-a96f9b6dc7f8",
        },
        {
            "code": 4000,
            "msg": "Missing required parameters：’question‘. Please review the API documentation and ensure all mandatory fields are included in your request.",
            "data": None,
            "token": None,
            "cost": None,
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=0&execute_mode=2&space_id=0&workflow_id=0",
            "execute_id": None,
            "BaseResp": None,
        },
    ),
    "refused: never published": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "6b78ce72-5e6c-4af5-9a3d-cc58ec126bc7",
        },
        {
            "code": 6031,
            "msg": "Workflow not published. The requested operation cannot be performed on an unpublished workflow. Please publish the workflow and try again.",
            "data": None,
            "token": None,
            "cost": None,
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=0&execute_mode=2&space_id=0&workflow_id=0",
            "execute_id": None,
            "BaseResp": None,
        },
    ),
    "refused: no such workflow": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "c228acdd-aa95-498c-831a-4ac03cb7309d",
        },
        {
            "code": 720702004,
            "msg": "workflow 123456 not found, please check if the workflow exists and not deleted",
            "data": None,
            "token": None,
            "cost": None,
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=0&execute_mode=2&space_id=0&workflow_id=0",
            "execute_id": None,
            "BaseResp": None,
        },
    ),
    "a sync run that stopped at an input node": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "8d5ddf9a-53fe-49b6-990e-ba51aa6a254c",
        },
        {
            "code": 6039,
            "msg": "Synchronous requests do not support interruption. Please switch to asynchronous requests for interruptible operations.",
            "data": None,
            "token": None,
            "cost": None,
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=0&execute_mode=2&space_id=0&workflow_id=0",
            "execute_id": None,
            "BaseResp": None,
        },
    ),
    "refused: token (the same reply while the server's database is down)": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "1729dfe2-69e5-43a1-86ff-a8b232bb6770",
        },
        {"code": 700012006, "msg": "authentication failed: CheckPermission failed"},
    ),
    "refused: body is no JSON": (
        400,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "0a8a9e13-ac83-4dd2-a8b0-76239b5fdc14",
        },
        {
            "code": 400,
            "msg": 'failed to unmarshal request body: "Syntax error at index 15: eof\\n\\n\\t{\\"workflow_id\\":\\n\\t^\\n"',
        },
    ),
    "async start": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "de84ecea-921f-4be1-bd4e-a34ae41b400b",
        },
        {
            "code": 0,
            "msg": None,
            "data": None,
            "token": None,
            "cost": None,
            "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427210771969046&execute_mode=2&space_id=123&workflow_id=1795427209389058584",
            "execute_id": "1795427210771969046",
            "BaseResp": None,
        },
    ),
    "query: running": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "9b565837-6273-4785-99e4-3444e5aacc0e",
        },
        {
            "data": [
                {
                    "execute_id": 1795427210771969046,
                    "execute_status": "Running",
                    "bot_id": None,
                    "connector_id": 1024,
                    "connector_uid": "123",
                    "run_mode": 2,
                    "log_id": "de84ecea-921f-4be1-bd4e-a34ae41b400b",
                    "create_time": 1795427210,
                    "update_time": 1795427210,
                    "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427210771969046&execute_mode=2&space_id=123&workflow_id=1795427209389058584",
                    "input": '{"question":"slow"}',
                    "output": "",
                    "token": 0,
                    "cost": "0.00000",
                    "cost_unit": None,
                    "ext": None,
                    "error_code": "",
                    "error_msg": "",
                }
            ],
            "BaseResp": None,
        },
    ),
    "query: success": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "8aed3460-7748-4a5b-9b76-058a6b87e3c4",
        },
        {
            "data": [
                {
                    "execute_id": 1795427210771969046,
                    "execute_status": "Success",
                    "bot_id": None,
                    "connector_id": 1024,
                    "connector_uid": "123",
                    "run_mode": 2,
                    "log_id": "de84ecea-921f-4be1-bd4e-a34ae41b400b",
                    "create_time": 1795427210,
                    "update_time": 1795427215,
                    "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427210771969046&execute_mode=2&space_id=123&workflow_id=1795427209389058584",
                    "input": '{"question":"slow"}',
                    "output": '{"answer":"slow done","status":200}',
                    "token": 0,
                    "cost": "0.00000",
                    "cost_unit": None,
                    "ext": None,
                    "error_code": "",
                    "error_msg": "",
                }
            ],
            "BaseResp": None,
        },
    ),
    "query: failed": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "83450229-a0d0-4553-b0ac-3b70115b1636",
        },
        {
            "data": [
                {
                    "execute_id": 1795427215831881621,
                    "execute_status": "Fail",
                    "bot_id": None,
                    "connector_id": 1024,
                    "connector_uid": "123",
                    "run_mode": 2,
                    "log_id": "098702ce-0814-4adc-9963-c9c0f17edafa",
                    "create_time": 1795427215,
                    "update_time": 1795427219,
                    "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427215831881621&execute_mode=2&space_id=123&workflow_id=1795427209389058584",
                    "input": '{"question":"slowfail"}',
                    "output": "",
                    "token": 0,
                    "cost": "0.00000",
                    "cost_unit": None,
                    "ext": None,
                    "error_code": "720701013",
                    "error_msg": 'Workflow execution failure: request http://127.0.0.1:9000/slowfail failed, response status code=500, status=500 Internal Server Error, headers={"Content-Length":"4","Content-Type":"text/plain; charset=utf-8","Date":"Mon, 23 Nov 2026 09:46:59 GMT"}, body=boom',
                }
            ],
            "BaseResp": None,
        },
    ),
    "query: success, End node answers with text": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "c79a682b-61fc-49ad-a39f-eaec4802e33f",
        },
        {
            "data": [
                {
                    "execute_id": 1795427219875750622,
                    "execute_status": "Success",
                    "bot_id": None,
                    "connector_id": 1024,
                    "connector_uid": "123",
                    "run_mode": 2,
                    "log_id": "1f8633b5-7963-4e7f-a37b-2212849fdd54",
                    "create_time": 1795427219,
                    "update_time": 1795427219,
                    "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427219875750622&execute_mode=2&space_id=123&workflow_id=1795427209478498119",
                    "input": '{"question":"why?"}',
                    "output": '{"output":"You asked: why?"}',
                    "token": 0,
                    "cost": "0.00000",
                    "cost_unit": None,
                    "ext": None,
                    "error_code": "",
                    "error_msg": "",
                }
            ],
            "BaseResp": None,
        },
    ),
    "query: the run waits at an input node": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "ba4c3c77-e2ac-4793-9413-aa8e75af12b3",
        },
        {
            "data": [
                {
                    "execute_id": 1795427220007949416,
                    "execute_status": "<UNSET>",
                    "bot_id": None,
                    "connector_id": 1024,
                    "connector_uid": "123",
                    "run_mode": 2,
                    "log_id": "453acbac-e8b4-40a7-9c2a-552563f3b039",
                    "create_time": 1795427220,
                    "update_time": 1795427220,
                    "debug_url": "http://127.0.0.1:8888/work_flow?execute_id=1795427220007949416&execute_mode=2&space_id=123&workflow_id=1795427209449503543",
                    "input": '{"input":"x"}',
                    "output": "",
                    "token": 0,
                    "cost": "0.00000",
                    "cost_unit": None,
                    "ext": None,
                    "error_code": "",
                    "error_msg": "",
                }
            ],
            "BaseResp": None,
        },
    ),
    "query: no such run": (
        200,
        {
            "Content-Type": "application/json; charset=utf-8",
            "X-Log-Id": "a314be5d-5bb1-4852-ab29-d90627864871",
        },
        {
            "code": 777777775,
            "msg": "Workflow operation failure: user 123 does not have access to space 0",
            "BaseResp": None,
        },
    ),
    "query at an address that the server does not have": (
        401,
        {"Content-Type": "application/json; charset=utf-8"},
        {"code": 401, "msg": "missing session_key in cookie"},
    ),
    "query: cancelled on the page while it waited at a question": (
        200,
        {"Content-Type": "application/json; charset=utf-8"},
        {
            "data": [
                {
                    "execute_id": 1795599766358650026,
                    "execute_status": "Cancel",
                    "bot_id": None,
                    "connector_id": 1024,
                    "connector_uid": "123",
                    "run_mode": 2,
                    "log_id": "53d1e869-24bb-4e97-87c9-8c4868bcac56",
                    "create_time": 1795599766,
                    "update_time": 1795599766,
                    "debug_url": "http://127.0.0.1:8090/work_flow?execute_id=1795599766358650026&execute_mode=2&space_id=123&workflow_id=1795599702986520961",
                    "input": '{"question":"a"}',
                    "output": "",
                    "token": 0,
                    "cost": "0.00000",
                    "cost_unit": None,
                    "ext": None,
                    "error_code": "777777777",
                    "error_msg": "workflow cancel by user",
                }
            ],
            "BaseResp": None,
        },
    ),
    "run request at a wrong path (API_BASE that ends in /v1)": (
        401,
        {"Content-Type": "application/json; charset=utf-8"},
        {"code": 401, "msg": "missing session_key in cookie"},
    ),
    "refused: the token's user is not in the space": (
        200,
        {"Content-Type": "application/json; charset=utf-8"},
        {
            "code": 720701013,
            "msg": "Workflow execution failure: user 123 does not have access to space 999",
            "data": None,
            "debug_url": "http://127.0.0.1:8090/work_flow?execute_id=0&execute_mode=2&space_id=0&workflow_id=0",
            "execute_id": None,
            "token": None,
            "cost": None,
            "BaseResp": None,
        },
    ),
}
