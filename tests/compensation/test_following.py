"""Follow an instance to its end, also where the cluster shows what is old beside what is new.

The cluster is faked: reality gives such a race once in hundreds of runs.
"""

import httpx
import pytest
import respx

from saga.clients.failure import Failure
from saga.clients.instances import ElementInstance, Instances
from saga.operations.compensate.following import follow

_INSTANCE = {
    "processInstanceKey": "1",
    "processDefinitionId": "p",
    "processDefinitionKey": "2",
    "state": "ACTIVE",
    "startDate": "2026-01-01T00:00:00.000Z",
}
_LEFT = {
    "elementInstanceKey": "3",
    "elementId": "Task_Do",
    "elementName": "Do",
    "type": "SERVICE_TASK",
    "state": "ACTIVE",
    "incidentKey": "30",
}
_UNDO = {**_LEFT, "elementInstanceKey": "4", "elementId": "Task_Undo", "elementName": "Undo", "incidentKey": "40"}
_OLD = {
    "incidentKey": "30",
    "errorType": "JOB_NO_RETRIES",
    "errorMessage": "why it was to be undone",
    "state": "ACTIVE",
    "creationTime": "2026-01-01T00:00:00.000Z",
    "processDefinitionKey": "2",
    "processInstanceKey": "1",
    "elementInstanceKey": "3",
    "jobKey": "5",
}
_NEW = {**_OLD, "incidentKey": "40", "errorMessage": "why the undo stopped", "elementInstanceKey": "4"}


def _found(*items: object) -> httpx.Response:
    page = {"totalItems": len(items), "hasMoreTotalItems": False, "startCursor": None, "endCursor": None}
    return httpx.Response(200, json={"items": items, "page": page})


async def test_the_incident_of_what_was_left_is_not_told_as_that_of_its_undo(respx_mock: respx.MockRouter) -> None:
    respx_mock.get("/v2/process-instances/1").mock(return_value=httpx.Response(200, json=_INSTANCE))
    respx_mock.post("/v2/element-instances/search").mock(return_value=_found(_LEFT, _UNDO))
    incidents = respx_mock.post("/v2/incidents/search").mock(side_effect=[_found(_OLD), _found(_OLD, _NEW)])
    instances = Instances("http://engine")
    with pytest.raises(Failure, match="it is busy with Undo") as failure:
        await follow(instances, 1, [ElementInstance.model_validate(_LEFT)])
    await instances.close()
    assert str(failure.value).count("incident:") == 1
    assert "incident: why the undo stopped" in str(failure.value)
    assert incidents.call_count == 2


async def test_an_instance_in_a_state_that_nobody_knows_is_followed_on(respx_mock: respx.MockRouter) -> None:
    strange = httpx.Response(200, json={**_INSTANCE, "state": "HIBERNATING"})
    terminated = httpx.Response(200, json={**_INSTANCE, "state": "TERMINATED"})
    shown = respx_mock.get("/v2/process-instances/1").mock(side_effect=[strange, terminated])
    respx_mock.post("/v2/element-instances/search").mock(return_value=_found())
    respx_mock.get("/v2/process-definitions/2/xml").mock(return_value=httpx.Response(200, text=_NO_PATH))
    instances = Instances("http://engine")
    with pytest.raises(Failure, match="has ended, and not on its compensation path: cancelled in the engine"):
        await follow(instances, 1, [])
    await instances.close()
    assert shown.call_count == 2


_NO_PATH = """<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL">
  <bpmn:process id="p" isExecutable="true"><bpmn:startEvent id="start" /></bpmn:process>
</bpmn:definitions>"""
