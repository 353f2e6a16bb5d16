"""What is deployed, shown and deleted; and keys that nobody has."""

from typing import Any

import pytest

from tests.engine.rest import diagrams
from tests.engine.rest.conftest import Service

UNKNOWN = 4242


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
