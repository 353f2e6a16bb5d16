"""User tasks: who does them, what they see, and how they end."""

from typing import Any

import pytest

from tests.engine.rest import diagrams
from tests.engine.rest.conftest import Service


async def task(engine: Service) -> dict[str, Any]:
    """Start an instance and return its task."""
    instance = await engine.start("ask", orderId="4711", local=0)
    (found,) = await engine.search("user-tasks", processInstanceKey=instance)
    return found


async def assignee(engine: Service, key: str) -> str | None:
    name: str | None = (await engine.get(f"user-tasks/{key}"))["assignee"]
    return name


async def test_a_task_has_its_modelled_assignee_and_candidates(engine: Service) -> None:
    found = await task(engine)
    assert found == {
        "userTaskKey": found["userTaskKey"],
        "elementInstanceKey": found["elementInstanceKey"],
        "elementId": "Ask",
        "name": "Ask",
        "state": "CREATED",
        "assignee": "ann",
        "candidateGroups": ["sales", "support"],
        "candidateUsers": [],
        "priority": 50,
        "creationDate": found["creationDate"],
        "completionDate": None,
        "dueDate": None,
        "followUpDate": None,
        "formKey": found["formKey"],
        "externalFormReference": None,
        "customHeaders": {},
        "tags": [],
        "processInstanceKey": found["processInstanceKey"],
        "rootProcessInstanceKey": found["processInstanceKey"],
        "processDefinitionId": "ask",
        "processDefinitionKey": found["processDefinitionKey"],
        "processDefinitionVersion": 1,
        "processName": None,
        "tenantId": "<default>",
    }
    assert found["userTaskKey"] != found["elementInstanceKey"]
    assert await engine.search("jobs", processInstanceKey=found["processInstanceKey"]) == []


async def test_a_task_is_assigned_over_another_unless_that_is_not_wanted(engine: Service) -> None:
    key = (await task(engine))["userTaskKey"]
    path = f"user-tasks/{key}/assignment"
    await engine.post(path, {"assignee": "bob", "action": "claim"}, 204)
    await engine.post(path, {"assignee": "bob"}, 204)
    problem = await engine.post(path, {"assignee": "eve", "allowOverride": False}, 409)
    assert problem["title"] == "INVALID_STATE"
    assert await assignee(engine, key) == "bob"
    for _ in range(2):
        assert (await engine.request("DELETE", f"user-tasks/{key}/assignee")).status_code == 204
    assert await assignee(engine, key) is None
    await engine.post(path, {"assignee": "eve", "allowOverride": False}, 204)
    assert (await engine.post(path, {"assignee": ""}, 400))["detail"] == "No assignee provided."
    assert (await engine.post(path, {}, 400))["detail"] == "No assignee provided."
    assert (await engine.post(path, {"assignee": "eve", "force": True}, 400))["title"] == "Bad Request"


async def test_a_task_is_completed_once_by_anybody(engine: Service) -> None:
    found = await task(engine)
    key, instance = found["userTaskKey"], found["processInstanceKey"]
    await engine.request("DELETE", f"user-tasks/{key}/assignee")
    assert (await engine.post(f"user-tasks/{key}/completion", {"variables": {}}, 204)) is None
    assert (await engine.get(f"user-tasks/{key}"))["state"] == "COMPLETED"
    problem = await engine.post(f"user-tasks/{key}/completion", None, 404)
    assert problem["detail"].startswith("Command 'COMPLETE' rejected with code 'NOT_FOUND': Expected to complete user")
    assert (await engine.get(f"process-instances/{instance}"))["state"] == "COMPLETED"
    (ended,) = await engine.search("user-tasks", state="COMPLETED", processInstanceKey=instance)
    assert ended["completionDate"] is not None


async def test_a_tasks_variables_go_to_the_instance(engine: Service) -> None:
    found = await task(engine)
    body = {"variables": {"decision": "undo"}}
    await engine.post(f"user-tasks/{found['userTaskKey']}/completion", body, 204)
    (decision,) = await engine.search("variables", name="decision")
    assert (decision["value"], decision["scopeKey"]) == ('"undo"', found["processInstanceKey"])


async def test_a_cancelled_task_stays_searchable(engine: Service) -> None:
    found = await task(engine)
    await engine.post(f"process-instances/{found['processInstanceKey']}/cancellation", None, 204)
    assert (await engine.get(f"user-tasks/{found['userTaskKey']}"))["state"] == "CANCELED"


async def test_a_change_leaves_alone_what_it_does_not_name_and_an_empty_value_resets(engine: Service) -> None:
    key = (await task(engine))["userTaskKey"]
    path = f"user-tasks/{key}"
    first = {"dueDate": "2026-01-02T03:04:05+01:00", "candidateUsers": ["bob"], "priority": 80, "followUpDate": None}
    assert (await engine.request("PATCH", path, {"changeset": first})).status_code == 204
    shown = await engine.get(path)
    assert (shown["dueDate"], shown["followUpDate"]) == ("2026-01-02T02:04:05.000Z", None)
    assert (shown["candidateUsers"], shown["candidateGroups"]) == (["bob"], ["sales", "support"])
    assert (shown["priority"], shown["assignee"]) == (80, "ann")
    second = {"dueDate": "", "candidateUsers": [], "candidateGroups": []}
    assert (await engine.request("PATCH", path, {"changeset": second, "action": "x"})).status_code == 204
    shown = await engine.get(path)
    assert (shown["dueDate"], shown["candidateUsers"], shown["candidateGroups"]) == (None, [], [])
    assert shown["priority"] == 80


@pytest.mark.parametrize(
    "changeset",
    [{"priority": 101}, {"priority": -1}, {"dueDate": "soon"}, {"candidateUsers": "bob"}, {"assignee": "x"}],
)
async def test_a_change_that_cannot_be_is_refused(quiet_engine: Service, changeset: dict[str, Any]) -> None:
    response = await quiet_engine.request("PATCH", "user-tasks/4242", {"changeset": changeset})
    assert response.status_code == 400


async def test_a_form_is_shown_and_a_task_without_one_has_none(engine: Service) -> None:
    found = await task(engine)
    form = await engine.get(f"user-tasks/{found['userTaskKey']}/form")
    assert form == {
        "formKey": found["formKey"],
        "formId": "ask-form",
        "version": 1,
        "schema": diagrams.FORM.decode(),
        "tenantId": "<default>",
    }
    bare = diagrams.ASK.replace(b'<zeebe:formDefinition formId="ask-form" />', b"").replace(b'id="ask"', b'id="bare"')
    await engine.deploy(("bare.bpmn", bare))
    instance = await engine.start("bare")
    (formless,) = await engine.search("user-tasks", processInstanceKey=instance)
    assert formless["formKey"] is None
    response = await engine.request("GET", f"user-tasks/{formless['userTaskKey']}/form")
    assert (response.status_code, response.content) == (204, b"")


async def test_a_task_sees_its_own_variables_and_those_around_it(engine: Service) -> None:
    found = await task(engine)
    await engine.start("ask", orderId="4712")
    path = f"user-tasks/{found['userTaskKey']}"
    seen = (await engine.post(f"{path}/variables/search"))["items"]
    values = sorted((each["name"], each["value"]) for each in seen)
    assert values == [("local", "0"), ("local", "1"), ("orderId", '"4711"')]
    nearest = (await engine.post(f"{path}/effective-variables/search", {"sort": [{"field": "name"}]}))["items"]
    assert [(each["name"], each["value"]) for each in nearest] == [("local", "1"), ("orderId", '"4711"')]
    named = (await engine.post(f"{path}/variables/search", {"filter": {"name": {"$like": "order*"}}}))["items"]
    assert [each["name"] for each in named] == ["orderId"]
    assert (await engine.post(f"{path}/variables/search", {"filter": {"value": "1"}}, 400))["title"] == "Bad Request"
