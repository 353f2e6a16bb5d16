"""Instances, their elements, variables and incidents, by commands and by what is shown of them afterwards."""

import asyncio
from typing import Any

import pytest

from tests.engine.rest import diagrams
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


async def test_an_incident_needs_retries_before_it_is_resolved(engine: Service) -> None:
    instance = await engine.start("order")
    incident = await failed(engine, "pay")
    key, job = incident["incidentKey"], incident["jobKey"]
    assert await engine.get(f"incidents/{key}") == incident
    assert (incident["state"], incident["errorType"], incident["errorMessage"]) == (
        "ACTIVE",
        "JOB_NO_RETRIES",
        "no card",
    )
    problem = await engine.post(f"incidents/{key}/resolution", {}, 409)
    assert problem["title"] == "INVALID_STATE"
    assert (await engine.request("PATCH", f"jobs/{job}", {"changeset": {"retries": 1}})).status_code == 204
    await engine.post(f"incidents/{key}/resolution", {"operationReference": 1}, 204)
    assert (await engine.get(f"incidents/{key}"))["state"] == "RESOLVED"
    assert (await engine.get(f"process-instances/{instance}"))["hasIncident"] is False
    assert (await engine.job("pay"))["jobKey"] == job
    await engine.post(f"incidents/{key}/resolution", None, 404)


async def test_variables_are_set_where_they_are_or_in_exactly_one_scope(engine: Service) -> None:
    instance = await engine.start("order", total=1)
    pay = (await elements(engine, instance))["Pay"]["elementInstanceKey"]
    path = f"element-instances/{pay}/variables"
    assert (await engine.request("PUT", path, {"variables": {"total": 2}})).status_code == 204
    assert (await engine.request("PUT", path, {"variables": {"total": 3}, "local": True})).status_code == 204
    assert (await engine.request("PUT", path, {"variables": {}})).status_code == 204
    whole = {"variables": {"whole": [1.5]}}
    assert (await engine.request("PUT", f"element-instances/{instance}/variables", whole)).status_code == 204
    found = {
        (each["name"], each["scopeKey"]): each["value"]
        for each in await engine.search("variables", processInstanceKey=instance)
    }
    assert found == {("total", instance): "2", ("total", pay): "3", ("whole", instance): "[1.5]"}


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "No variables provided."),
        ({"variables": [1]}, "Request property [variables] cannot be parsed"),
        ({"variables": {"a": 1}, "scope": 1}, "Request property [scope] cannot be parsed"),
        ({"variables": {"a": 1}, "local": "true"}, "Request property [local] cannot be parsed"),
    ],
)
async def test_variables_that_cannot_be_set_are_refused(
    quiet_engine: Service, body: dict[str, Any], detail: str
) -> None:
    response = await quiet_engine.request("PUT", f"element-instances/{UNKNOWN}/variables", body)
    assert response.status_code == 400
    assert response.json()["detail"] == detail


async def test_variables_of_ended_scopes_are_still_found(engine: Service) -> None:
    instance = await engine.start("cancelable", orderId="4711")
    await engine.post("messages/publication", {"name": "Cancel", "correlationKey": "4711"})
    job = await engine.job("cancelable-inner")
    await engine.post(f"jobs/{job['jobKey']}/completion", None, 204)
    (secret,) = await engine.search("variables", processInstanceKey=instance, name="secret")
    assert (secret["value"], secret["scopeKey"]) == ('"4711"', job["elementInstanceKey"])
    assert (await engine.get(f"element-instances/{secret['scopeKey']}"))["state"] == "COMPLETED"


async def test_children_of_a_scope_are_found_by_its_key(engine: Service) -> None:
    instance = await engine.start("cancelable", orderId="4711")
    await engine.post("messages/publication", {"name": "Cancel", "correlationKey": "4711"})
    at_root = await engine.search("element-instances", elementInstanceScopeKey=instance)
    assert {each["elementId"] for each in at_root} == {"Start", "Pay", "Cancel"}
    (cancel,) = [each for each in at_root if each["elementId"] == "Cancel"]
    assert (cancel["elementName"], cancel["type"]) == ("Cancel the order", "EVENT_SUB_PROCESS")
    inside = await engine.search("element-instances", elementInstanceScopeKey=cancel["elementInstanceKey"])
    assert {each["elementId"] for each in inside} == {"Canceling", "Inner"}


async def test_an_incident_inside_is_shown_by_all_that_is_around_it(engine: Service) -> None:
    instance = await engine.start("cancelable", orderId="4711")
    await engine.post("messages/publication", {"name": "Cancel", "correlationKey": "4711"})
    incident = await failed(engine, "cancelable-inner")
    shown = await elements(engine, instance)
    standing = {name for name, each in shown.items() if each["hasIncident"]}
    assert standing == {"Cancel", "Inner"}
    assert (shown["Cancel"]["incidentKey"], shown["Inner"]["incidentKey"]) == (None, incident["incidentKey"])
    (found,) = (await engine.post(f"element-instances/{shown['Cancel']['elementInstanceKey']}/incidents/search"))[
        "items"
    ]
    assert found == incident
    assert (await engine.post(f"element-instances/{shown['Pay']['elementInstanceKey']}/incidents/search"))[
        "items"
    ] == []


async def test_a_message_is_published_once_while_it_is_buffered(engine: Service) -> None:
    body = {"name": "Cancel", "correlationKey": "1", "messageId": "m", "timeToLive": 60_000, "variables": {"a": 1}}
    published = await engine.post("messages/publication", body)
    assert published == {"tenantId": "<default>", "messageKey": published["messageKey"]}
    problem = await engine.post("messages/publication", body, 409)
    assert problem["title"] == "ALREADY_EXISTS"
    assert (await engine.post("messages/publication", {"correlationKey": "1"}, 400))[
        "detail"
    ] == "No messageName provided."
    assert (await engine.post("messages/publication", {"name": "a", "ttl": 1}, 400))["title"] == "Bad Request"


async def test_a_subscription_is_shown_while_it_is_open(engine: Service) -> None:
    instance = await engine.start("interruptible", orderId="4711")
    (open_one,) = await engine.search("message-subscriptions", processInstanceKey=instance)
    assert (open_one["messageName"], open_one["correlationKey"]) == ("Cancel", "4711")
    assert open_one["messageSubscriptionState"] == "CREATED"
    await engine.post("messages/publication", {"name": "Cancel", "correlationKey": "4711"})
    assert await engine.search("message-subscriptions", processInstanceKey=instance) == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "process-instances/{}", None),
        ("GET", "process-instances/{}/call-hierarchy", None),
        ("GET", "process-instances/{}/sequence-flows", None),
        ("GET", "process-instances/{}/statistics/element-instances", None),
        ("POST", "process-instances/{}/incidents/search", None),
        ("POST", "process-instances/{}/cancellation", None),
        ("POST", "process-instances/{}/modification", {"activateInstructions": [{"elementId": "Pay"}]}),
        ("GET", "element-instances/{}", None),
        ("PUT", "element-instances/{}/variables", {"variables": {"a": 1}}),
        ("POST", "element-instances/{}/incidents/search", None),
        ("GET", "variables/{}", None),
        ("GET", "incidents/{}", None),
        ("POST", "incidents/{}/resolution", None),
        ("PATCH", "jobs/{}", {"changeset": {"retries": 1}}),
        ("PATCH", "jobs/{}", {"changeset": {"timeout": 1000}}),
        ("POST", "jobs/{}/completion", {}),
        ("POST", "jobs/{}/failure", {}),
        ("POST", "jobs/{}/error", {"errorCode": "E"}),
        ("GET", "process-definitions/{}", None),
        ("GET", "process-definitions/{}/xml", None),
        ("POST", "resources/{}/deletion", {}),
        ("GET", "user-tasks/{}", None),
        ("GET", "user-tasks/{}/form", None),
        ("POST", "user-tasks/{}/variables/search", None),
        ("POST", "user-tasks/{}/effective-variables/search", {}),
        ("POST", "user-tasks/{}/assignment", {"assignee": "ann"}),
        ("DELETE", "user-tasks/{}/assignee", None),
        ("POST", "user-tasks/{}/completion", None),
        ("PATCH", "user-tasks/{}", {"changeset": {"priority": 1}}),
    ],
)
async def test_what_nobody_knows_is_not_found(
    quiet_engine: Service, method: str, path: str, body: dict[str, Any] | None
) -> None:
    for key in (UNKNOWN, 9675540027, 9999999999999999):
        response = await quiet_engine.request(method, path.format(key), body)
        assert response.status_code == 404, response.text
        assert response.json()["title"] == "NOT_FOUND"
        assert str(key) in response.json()["detail"]
    response = await quiet_engine.request(method, path.format("meow"), body)
    assert response.status_code == 400, response.text
    assert response.json()["detail"].startswith("Failed to convert '")
    assert response.json()["detail"].endswith("Key' with value: 'meow'")


async def test_a_deployment_is_shown_with_its_diagram(engine: Service) -> None:
    xml = diagrams.task("later")
    deployed = await engine.deploy(("later.bpmn", xml), ("other.form", diagrams.FORM.replace(b"ask-form", b"other")))
    assert deployed["tenantId"] == "<default>"
    process, form = deployed["deployments"]
    definition = process["processDefinition"]
    assert definition == {
        "processDefinitionId": "later",
        "processDefinitionVersion": 1,
        "processDefinitionKey": definition["processDefinitionKey"],
        "resourceName": "later.bpmn",
        "tenantId": "<default>",
    }
    assert {name for name, value in process.items() if value is None} == {
        *("decisionDefinition", "decisionRequirements", "form", "resource")
    }
    assert (form["form"]["formId"], form["form"]["version"], form["form"]["resourceName"]) == ("other", 1, "other.form")
    key = definition["processDefinitionKey"]
    response = await engine.request("GET", f"process-definitions/{key}/xml")
    assert response.content == xml
    assert response.headers["content-type"].startswith("text/xml")
    shown = await engine.get(f"process-definitions/{key}")
    assert (shown["name"], shown["version"], shown["resourceName"]) == ("Later", 1, "later.bpmn")


async def test_a_deleted_definition_starts_nothing_and_keeps_its_history(engine: Service) -> None:
    (definition,) = await engine.search("process-definitions", processDefinitionId="order")
    key = definition["processDefinitionKey"]
    answered = await engine.post(f"resources/{key}/deletion", {"deleteHistory": False})
    assert answered == {"resourceKey": key, "batchOperation": None}
    await engine.post("process-instances", {"processDefinitionKey": key}, 404)
    assert await engine.get(f"process-definitions/{key}") == definition
    assert await engine.search("process-definitions", processDefinitionId="order", isLatestVersion=True) == []
    assert (await engine.post(f"resources/{key}/deletion", {"deleteHistory": True}, 400))["title"] == "INVALID_ARGUMENT"


async def test_a_definition_with_instances_is_not_deleted(engine: Service) -> None:
    await engine.start("order")
    (definition,) = await engine.search("process-definitions", processDefinitionId="order")
    problem = await engine.post(f"resources/{definition['processDefinitionKey']}/deletion", None, 409)
    assert problem["title"] == "INVALID_STATE"
