"""Follow an instance whose old incident Operate still shows, beside the one at which its undo stopped.

Operate is faked: a race between its two indices, which reality gives once in hundreds of runs.
"""

import httpx
import pytest
import respx

from workers.compensation.following import follow
from workers.failure import Failure
from workers.operate import FlowNode, Operate

_INSTANCE = {"key": 1, "bpmnProcessId": "p", "processDefinitionKey": 2, "state": "ACTIVE", "startDate": "2026-01-01"}
_LEFT = {"key": 3, "flowNodeId": "Task_Do", "type": "SERVICE_TASK", "state": "ACTIVE", "incidentKey": 30}
_UNDO = {"key": 4, "flowNodeId": "Task_Undo", "type": "SERVICE_TASK", "state": "ACTIVE", "incidentKey": 40}
_OLD = {"key": 30, "type": "JOB_NO_RETRIES", "message": "why it was to be undone"}
_NEW = {"key": 40, "type": "JOB_NO_RETRIES", "message": "why the undo stopped"}


def _found(*items: object) -> httpx.Response:
    return httpx.Response(200, json={"items": items, "total": len(items), "sortValues": []})


async def test_the_incident_of_what_was_left_is_not_told_as_that_of_its_undo(respx_mock: respx.MockRouter) -> None:
    respx_mock.post("/v1/process-instances/search").mock(return_value=_found(_INSTANCE))
    respx_mock.post("/v1/flownode-instances/search").mock(return_value=_found(_LEFT, _UNDO))
    incidents = respx_mock.post("/v1/incidents/search").mock(side_effect=[_found(_OLD), _found(_OLD, _NEW)])
    operate = Operate("http://operate")
    with pytest.raises(Failure, match="it is busy with Task_Undo") as failure:
        await follow(operate, 1, [FlowNode.model_validate(_LEFT)])
    await operate.close()
    assert str(failure.value).count("incident:") == 1
    assert "incident: why the undo stopped" in str(failure.value)
    assert incidents.call_count == 2
