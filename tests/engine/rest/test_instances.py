"""Instances, their elements, variables and incidents, by commands and by what is shown of them afterwards."""

import asyncio
from typing import Any

import pytest

from tests.engine.rest.conftest import Service

UNKNOWN = 4242


async def elements(engine: Service, instance: str) -> dict[str, dict[str, Any]]:
    return {each["elementId"]: each for each in await engine.search("element-instances", processInstanceKey=instance)}


async def failed(engine: Service, job_type: str) -> dict[str, Any]:
    """Fail the one job of a type for good and return its incident."""
    job = await engine.job(job_type)
    await engine.post(f"jobs/{job['jobKey']}/failure", {"errorMessage": "no card"}, 204)
    (incident,) = await engine.search("incidents", jobKey=job["jobKey"])
    return incident


async def test_an_instance_is_shown_as_soon_as_it_is_created(engine: Service) -> None:
    created = await engine.post("process-instances", {"processDefinitionId": "order", "variables": {"orderId": "4711"}})
    assert created == {
        "processDefinitionId": "order",
        "processDefinitionVersion": 1,
        "processDefinitionKey": created["processDefinitionKey"],
        "processInstanceKey": created["processInstanceKey"],
        "tenantId": "<default>",
        "variables": {},
        "tags": [],
        "businessId": None,
    }
    shown = await engine.get(f"process-instances/{created['processInstanceKey']}")
    assert (shown["state"], shown["processDefinitionName"]) == ("ACTIVE", "Order")
    (variable,) = await engine.search("variables", processInstanceKey=created["processInstanceKey"])
    assert (variable["name"], variable["value"]) == ("orderId", '"4711"')


async def test_an_instance_is_created_by_key_and_by_version(engine: Service) -> None:
    (definition,) = await engine.search("process-definitions", processDefinitionId="order")
    by_key = {"processDefinitionKey": definition["processDefinitionKey"], "startInstructions": [], "tenantId": ""}
    assert (await engine.post("process-instances", by_key))["processDefinitionId"] == "order"
    by_version = {"processDefinitionId": "order", "processDefinitionVersion": -1, "requestTimeout": 0, "tags": []}
    assert (await engine.post("process-instances", by_version))["processDefinitionVersion"] == 1


@pytest.mark.parametrize(
    ("body", "status", "title", "detail"),
    [
        ({}, 400, "INVALID_ARGUMENT", "At least one of [processDefinitionId, processDefinitionKey] is required."),
        ({"processDefinitionId": "order", "processDefinitionKey": 1}, 400, "INVALID_ARGUMENT", "Only one of"),
        ({"processDefinitionId": "nobody"}, 404, "NOT_FOUND", "Command 'CREATE' rejected with code 'NOT_FOUND': "),
        ({"processDefinitionId": "order", "foo": 1}, 400, "Bad Request", "Request property [foo] cannot be parsed"),
        ({"processDefinitionId": "order", "variables": "{}"}, 400, "Bad Request", "Request property [variables]"),
        ({"processDefinitionId": "order", "businessId": "b"}, 400, "INVALID_ARGUMENT", "Request property [businessId]"),
        ({"processDefinitionId": "order", "tenantId": "acme"}, 400, "INVALID_ARGUMENT", "Expected to handle request"),
        (
            {"processDefinitionId": "order", "startInstructions": [{"elementId": "Nothing"}]},
            400,
            "INVALID_ARGUMENT",
            "Command 'CREATE' rejected with code 'INVALID_ARGUMENT': ",
        ),
        (
            {"processDefinitionId": "order", "startInstructions": [{}]},
            400,
            "INVALID_ARGUMENT",
            "No elementId provided.",
        ),
    ],
)
async def test_a_creation_that_cannot_be_is_refused(
    quiet_engine: Service, body: dict[str, Any], status: int, title: str, detail: str
) -> None:
    problem = await quiet_engine.post("process-instances", body, status)
    assert problem["title"] == title
    assert problem["detail"].startswith(detail)


async def test_a_start_instruction_begins_there(engine: Service) -> None:
    body = {"processDefinitionId": "order", "startInstructions": [{"elementId": "Pay"}]}
    created = await engine.post("process-instances", body)
    assert (await elements(engine, created["processInstanceKey"])).keys() == {"Pay"}


async def test_an_awaited_instance_answers_with_its_variables(engine: Service) -> None:
    body = {"processDefinitionId": "order", "variables": {"a": 1, "b": 2}, "awaitCompletion": True}
    waiting = asyncio.create_task(engine.post("process-instances", {**body, "fetchVariables": ["a", "paid"]}))
    activation = {"type": "pay", "timeout": 60_000, "maxJobsToActivate": 1, "requestTimeout": 20_000}
    (job,) = (await engine.post("jobs/activation", activation))["jobs"]
    await engine.post(f"jobs/{job['jobKey']}/completion", {"variables": {"paid": True}}, 204)
    assert (await waiting)["variables"] == {"a": 1, "paid": True}


async def test_an_awaited_instance_that_takes_too_long_is_504_and_goes_on(engine: Service) -> None:
    body = {"processDefinitionId": "order", "awaitCompletion": True, "requestTimeout": 1}
    problem = await engine.post("process-instances", body, 504)
    assert problem["title"] == "DEADLINE_EXCEEDED"
    (instance,) = await engine.search("process-instances", state="ACTIVE")
    assert instance["processDefinitionId"] == "order"


async def test_a_cancelled_instance_is_terminated_and_gone(engine: Service) -> None:
    instance = await engine.start("order")
    await engine.post(f"process-instances/{instance}/cancellation", None, 204)
    shown = await engine.get(f"process-instances/{instance}")
    assert (shown["state"], shown["endDate"] is not None) == ("TERMINATED", True)
    (job,) = await engine.search("jobs", processInstanceKey=instance)
    assert (job["state"], job["endTime"] is not None) == ("CANCELED", True)
    problem = await engine.post(f"process-instances/{instance}/cancellation", {}, 404)
    assert problem["detail"].startswith("Command 'CANCEL' rejected with code 'NOT_FOUND': Expected to cancel")


async def test_a_modification_terminates_and_activates_with_a_local_variable(engine: Service) -> None:
    instance = await engine.start("order")
    old = (await elements(engine, instance))["Pay"]["elementInstanceKey"]
    variables = [{"variables": {"mine": 1}, "scopeId": "Pay"}, {"variables": {"ours": 2}}]
    body = {
        "activateInstructions": [{"elementId": "Pay", "variableInstructions": variables}],
        "terminateInstructions": [{"elementInstanceKey": old}],
    }
    await engine.post(f"process-instances/{instance}/modification", body, 204)
    states = [each["state"] for each in await engine.search("element-instances", elementId="Pay")]
    assert states == ["TERMINATED", "ACTIVE"]
    found = {each["name"]: each["scopeKey"] for each in await engine.search("variables", processInstanceKey=instance)}
    assert found["ours"] == instance
    assert found["mine"] not in {instance, old}


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ({"activateInstructions": [{"elementId": "Nothing"}]}, "INVALID_ARGUMENT"),
        ({"activateInstructions": [{}]}, "INVALID_ARGUMENT"),
        ({"terminateInstructions": [{"elementInstanceKey": UNKNOWN}]}, "INVALID_ARGUMENT"),
        ({"moveInstructions": [{"targetElementId": "Pay"}]}, "INVALID_ARGUMENT"),
        ({"activateInstructions": {"elementId": "Pay"}}, "Bad Request"),
    ],
)
async def test_a_modification_that_cannot_be_changes_nothing(engine: Service, body: dict[str, Any], title: str) -> None:
    instance = await engine.start("order")
    before = await elements(engine, instance)
    problem = await engine.post(f"process-instances/{instance}/modification", body, 400)
    assert problem["title"] == title
    assert await elements(engine, instance) == before


async def test_a_modification_can_enter_an_interrupting_event_subprocess_without_interrupting(engine: Service) -> None:
    instance = await engine.start("interruptible", orderId="4711")
    body = {"activateInstructions": [{"elementId": "Cancel"}]}
    await engine.post(f"process-instances/{instance}/modification", body, 204)
    states = {name: each["state"] for name, each in (await elements(engine, instance)).items()}
    assert (states["Pay"], states["Cancel"], states["Inner"]) == ("ACTIVE", "ACTIVE", "ACTIVE")


async def test_a_flow_is_one_item_however_often_it_was_taken(engine: Service) -> None:
    instance = await engine.start("loop", done=False)
    for done in (False, True):
        job = await engine.job("again")
        await engine.post(f"jobs/{job['jobKey']}/completion", {"variables": {"done": done}}, 204)
    flows = (await engine.get(f"process-instances/{instance}/sequence-flows"))["items"]
    assert sorted(each["elementId"] for each in flows) == ["back", "f1", "f2", "on"]
    (back,) = [each for each in flows if each["elementId"] == "back"]
    assert back == {
        "sequenceFlowId": f"{instance}_back",
        "elementId": "back",
        "processInstanceKey": instance,
        "rootProcessInstanceKey": instance,
        "processDefinitionKey": back["processDefinitionKey"],
        "processDefinitionId": "loop",
        "tenantId": "<default>",
    }
    counted = (await engine.get(f"process-instances/{instance}/statistics/element-instances"))["items"]
    completed = {each["elementId"]: each["completed"] for each in counted}
    assert completed == {"Start": 1, "Again": 2, "Done": 2, "End": 1}


async def test_an_element_at_an_incident_is_not_counted_as_active(engine: Service) -> None:
    instance = await engine.start("order")
    await failed(engine, "pay")
    path = f"process-instances/{instance}/statistics/element-instances"
    pay = {"elementId": "Pay", "active": 0, "canceled": 0, "incidents": 1, "completed": 0}
    assert pay in (await engine.get(path))["items"]
    await engine.post(f"process-instances/{instance}/cancellation", None, 204)
    assert {**pay, "canceled": 1, "incidents": 0} in (await engine.get(path))["items"]


async def test_a_job_failed_with_retries_left_counts_as_active(engine: Service) -> None:
    instance = await engine.start("order")
    job = await engine.job("pay")
    await engine.post(f"jobs/{job['jobKey']}/failure", {"retries": 1}, 204)
    counted = (await engine.get(f"process-instances/{instance}/statistics/element-instances"))["items"]
    assert {"elementId": "Pay", "active": 1, "canceled": 0, "incidents": 0, "completed": 0} in counted
