"""Each thing as it is shown, and the filters of its own, over tables that were filled by hand."""

from typing import Any

import httpx
import pytest

from tests.engine.rest.filled import found, refused


async def test_an_instance_has_the_shape_of_8_9(client: httpx.AsyncClient) -> None:
    items = (await found(client, "process-instances"))["items"]
    first, called = items[0], items[4]
    assert first == {
        "processInstanceKey": first["processInstanceKey"],
        "processDefinitionId": "order",
        "processDefinitionName": "Order",
        "processDefinitionVersion": 1,
        "processDefinitionVersionTag": None,
        "processDefinitionKey": first["processDefinitionKey"],
        "state": "ACTIVE",
        "startDate": "2023-11-14T22:13:24.000Z",
        "endDate": None,
        "hasIncident": True,
        "tenantId": "<default>",
        "parentProcessInstanceKey": None,
        "parentElementInstanceKey": None,
        "rootProcessInstanceKey": first["processInstanceKey"],
        "tags": [],
        "businessId": None,
    }
    assert called["parentProcessInstanceKey"] == called["rootProcessInstanceKey"] == first["processInstanceKey"]
    assert isinstance(called["parentElementInstanceKey"], str)


async def test_an_element_shows_its_name_and_its_incident(client: httpx.AsyncClient) -> None:
    (incident,) = (await found(client, "incidents"))["items"]
    (pay,) = (await found(client, "element-instances", filter={"incidentKey": incident["incidentKey"]}))["items"]
    assert pay == {
        "elementInstanceKey": incident["elementInstanceKey"],
        "elementId": "Pay",
        "elementName": "Pay",
        "type": "SERVICE_TASK",
        "state": "ACTIVE",
        "startDate": pay["startDate"],
        "endDate": None,
        "hasIncident": True,
        "incidentKey": incident["incidentKey"],
        "processInstanceKey": incident["processInstanceKey"],
        "rootProcessInstanceKey": incident["rootProcessInstanceKey"],
        "processDefinitionKey": incident["processDefinitionKey"],
        "processDefinitionId": "ship",
        "tenantId": "<default>",
    }
    named = (await found(client, "element-instances", filter={"elementName": "Take the payment"}))["items"]
    assert {each["elementId"] for each in named} == {"Pay"}


async def test_no_element_instance_is_the_process_or_a_flow(client: httpx.AsyncClient) -> None:
    for kind in ("PROCESS", "SEQUENCE_FLOW"):
        assert (await found(client, "element-instances", filter={"type": kind}))["items"] == []


async def test_an_incident_and_a_job_have_the_shapes_of_8_9(client: httpx.AsyncClient) -> None:
    (incident,) = (await found(client, "incidents", filter={"state": "ACTIVE", "errorType": "JOB_NO_RETRIES"}))["items"]
    (job,) = (await found(client, "jobs", filter={"hasFailedWithRetriesLeft": True, "retries": {"$gt": 1}}))["items"]
    assert incident["jobKey"] == job["jobKey"]
    assert incident.keys() == {
        *("incidentKey", "errorType", "errorMessage", "state", "creationTime", "elementId", "elementInstanceKey"),
        *("jobKey", "processInstanceKey", "rootProcessInstanceKey", "processDefinitionKey", "processDefinitionId"),
        "tenantId",
    }
    assert job == {
        **{key: incident[key] for key in incident.keys() & job.keys()},
        "type": "pay",
        "worker": "",
        "state": "FAILED",
        "kind": "BPMN_ELEMENT",
        "listenerEventType": "UNSPECIFIED",
        "retries": 2,
        "deadline": "2023-11-14T22:13:20.000Z",
        "hasFailedWithRetriesLeft": True,
        "errorCode": None,
        "errorMessage": "later",
        "customHeaders": {},
        "creationTime": job["creationTime"],
        "lastUpdateTime": job["lastUpdateTime"],
        "endTime": None,
        "isDenied": None,
        "deniedReason": None,
    }


async def test_a_variables_value_is_cut_unless_whole_ones_are_asked_for(client: httpx.AsyncClient) -> None:
    body = {"filter": {"isTruncated": True}}
    (cut,) = (await client.post("/v2/variables/search", json=body)).json()["items"]
    assert (len(cut["value"]), cut["isTruncated"]) == (8191, True)
    (whole,) = (await client.post("/v2/variables/search?truncateValues=false", json=body)).json()["items"]
    assert (len(whole["value"]), whole["isTruncated"]) == (9002, False)
    one = (await client.get(f"/v2/variables/{cut['variableKey']}")).json()
    assert one == {name: value for name, value in whole.items() if name != "isTruncated"}
    assert (await client.post("/v2/variables/search?truncateValues=maybe", json=body)).status_code == 400


async def test_variables_are_filtered_by_scope_name_and_json_text(client: httpx.AsyncClient) -> None:
    (mine,) = (await found(client, "variables", filter={"name": "mine"}))["items"]
    assert mine["scopeKey"] != mine["processInstanceKey"]
    assert mine["value"] == "true"
    both = {"name": "orderId", "value": '"4711"', "processInstanceKey": mine["processInstanceKey"]}
    assert len((await found(client, "variables", filter=both))["items"]) == 1
    assert (await found(client, "variables", filter={**both, "scopeKey": mine["scopeKey"]}))["items"] == []


@pytest.mark.parametrize(
    ("filters", "priorities"),
    [
        ({"candidateGroup": "sales"}, [10]),
        ({"candidateGroup": {"$in": ["sales", "other"]}}, [10]),
        ({"candidateGroup": "nobody"}, []),
        ({"assignee": {"$exists": False}}, [90]),
        ({"assignee": "ann", "state": "CREATED"}, [10]),
        ({"priority": {"$gt": 10}}, [90]),
        ({"name": "Ask"}, [10, 90]),
        ({"processInstanceVariables": [{"name": "long", "value": {"$like": '"x*'}}]}, [10, 90]),
        ({"localVariables": [{"name": "long", "value": {"$like": '"x*'}}]}, []),
        ({"$or": [{"priority": 10}, {"priority": 90}]}, [10, 90]),
    ],
)
async def test_a_filter_finds_user_tasks(
    client: httpx.AsyncClient, filters: dict[str, Any], priorities: list[int]
) -> None:
    items = (await found(client, "user-tasks", filter=filters))["items"]
    assert [each["priority"] for each in items] == priorities


async def test_among_the_latest_versions_pages_go_forward_only(client: httpx.AsyncClient) -> None:
    latest = {"isLatestVersion": True}
    answer = await found(client, "process-definitions", filter=latest, sort=[{"field": "processDefinitionId"}])
    assert [(each["processDefinitionId"], each["version"]) for each in answer["items"]] == [("order", 2), ("ship", 1)]
    assert answer["page"]["startCursor"] is None
    assert answer["page"]["endCursor"]
    await refused(client, "process-definitions", filter=latest, page={"from": 1})
    await refused(client, "process-definitions", filter=latest, sort=[{"field": "version"}])


async def test_a_definition_has_the_shape_of_8_9(client: httpx.AsyncClient) -> None:
    (ship,) = (await found(client, "process-definitions", filter={"processDefinitionId": "ship"}))["items"]
    assert ship == {
        "processDefinitionKey": ship["processDefinitionKey"],
        "processDefinitionId": "ship",
        "name": None,
        "version": 1,
        "versionTag": None,
        "resourceName": "ship.bpmn",
        "tenantId": "<default>",
        "hasStartForm": False,
    }


async def test_incidents_of_an_instance_include_those_of_called_ones(client: httpx.AsyncClient) -> None:
    items = (await found(client, "process-instances"))["items"]
    numbers = [
        len((await found(client, f"process-instances/{each['processInstanceKey']}/incidents"))["items"])
        for each in items
    ]
    assert numbers == [1, 0, 0, 0, 1]
    own = (await found(client, "incidents", filter={"processInstanceKey": items[0]["processInstanceKey"]}))["items"]
    assert own == []
    assert (await client.post("/v2/process-instances/4242/incidents/search")).status_code == 404


async def test_the_call_hierarchy_begins_at_the_root(client: httpx.AsyncClient) -> None:
    called = (await found(client, "process-instances"))["items"][4]
    hierarchy = (await client.get(f"/v2/process-instances/{called['processInstanceKey']}/call-hierarchy")).json()
    keys = [called["rootProcessInstanceKey"], called["processInstanceKey"]]
    assert [each["processInstanceKey"] for each in hierarchy] == keys


async def test_a_definitions_statistics_count_its_ended_instances_too(client: httpx.AsyncClient) -> None:
    instance = (await found(client, "process-instances"))["items"][0]
    path = f"/v2/process-definitions/{instance['processDefinitionKey']}/statistics/element-instances"
    pay = {"elementId": "Pay", "active": 2, "canceled": 1, "incidents": 1, "completed": 1}
    assert pay in (await client.post(path)).json()["items"]
    ended = (await client.post(path, json={"filter": {"state": {"$in": ["COMPLETED", "TERMINATED"]}}})).json()["items"]
    assert ended == [{"elementId": "Pay", "active": 0, "canceled": 1, "incidents": 0, "completed": 1}]
    unknown = await client.post("/v2/process-definitions/4242/statistics/element-instances")
    assert unknown.json() == {"items": []}
    assert (await client.post(path, json={"sort": [1]})).status_code == 400
