"""Variables, incidents and messages, by commands and by what is shown of them afterwards."""

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
