"""Section 12a: the REST API."""

import asyncio
from collections.abc import Awaitable

import pytest
from grpc import StatusCode
from pyzeebe.proto import gateway_pb2 as pb

from tests.conformance.diagrams import draw, one_task
from tests.conformance.zeebe import TIMEOUT, Zeebe, refused
from tests.engine.drawing import call, condition, end, gateway, start, task, user_task

NOBODYS = 4242
"""A key of no partition."""


@pytest.mark.case(131, "s")
async def test_a_key_that_nobody_has_is_not_found(zeebe: Zeebe) -> None:
    calls: list[Awaitable[object]] = [
        zeebe.complete(NOBODYS),
        zeebe.fail(NOBODYS, 1),
        zeebe.throw(NOBODYS, "E"),
        zeebe.retries(NOBODYS, 1),
        zeebe.resolve(NOBODYS),
        zeebe.cancel(NOBODYS),
        zeebe.set(NOBODYS, a=1),
        zeebe.modify(NOBODYS, "a"),
        zeebe.stub.DeleteResource(pb.DeleteResourceRequest(resourceKey=NOBODYS), timeout=TIMEOUT),
    ]
    for each in calls:
        await refused(each, StatusCode.NOT_FOUND, str(NOBODYS))


@pytest.mark.case("131b", "s")
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "jobs/{}/completion", {}),
        ("POST", "jobs/{}/failure", {}),
        ("POST", "jobs/{}/error", {"errorCode": "E"}),
        ("PATCH", "jobs/{}", {"changeset": {"retries": 1}}),
        ("POST", "incidents/{}/resolution", None),
        ("POST", "process-instances/{}/cancellation", None),
        ("POST", "process-instances/{}/modification", {"activateInstructions": [{"elementId": "a"}]}),
        ("PUT", "element-instances/{}/variables", {"variables": {"a": 1}}),
        ("POST", "user-tasks/{}/completion", {}),
        ("POST", "user-tasks/{}/assignment", {"assignee": "ann"}),
        ("DELETE", "user-tasks/{}/assignee", None),
        ("GET", "process-instances/{}", None),
        ("GET", "incidents/{}", None),
    ],
)
async def test_a_key_that_nobody_has_is_not_found_by_rest(zeebe: Zeebe, method: str, path: str, body: object) -> None:
    problem = await zeebe.request(method, path.format(NOBODYS), body, status=404)
    assert (problem["status"], problem["title"]) == (404, "NOT_FOUND")
    assert str(NOBODYS) in problem["detail"]


@pytest.mark.case(132, "s")
async def test_the_gateway_says_that_it_is_of_level_8(zeebe: Zeebe) -> None:
    topology = await zeebe.request("GET", "topology")
    assert topology["gatewayVersion"].startswith("8.")
    assert (await zeebe.version()).startswith("8.")


@pytest.mark.case(140, "s")
async def test_an_incident_shows_at_everything_around_it(zeebe: Zeebe) -> None:
    p, child, t = zeebe.names("p", "child", "t")
    await zeebe.deploy(one_task(child, t), draw(p, "start > c > end", start=start(), c=call(child), end=end()))
    instance = await zeebe.create(p)
    job = await zeebe.job(t)

    async def shows(*, incident: bool) -> None:
        for key in (instance, job.processInstanceKey):
            await zeebe.found("process-instances", processInstanceKey=key, hasIncident=incident)
        for key, element in ((instance, "c"), (job.processInstanceKey, "task")):
            await zeebe.found("element-instances", processInstanceKey=key, elementId=element, hasIncident=incident)

    await shows(incident=False)
    await zeebe.fail(job)
    await shows(incident=True)
    await zeebe.retries(job, 1)
    await zeebe.resolve(await zeebe.incident(job.processInstanceKey))
    await shows(incident=False)


@pytest.mark.case(141, "s")
async def test_statistics_count_an_element_at_an_incident_and_one_that_was_terminated(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    instance = await zeebe.create(p)

    async def counts() -> dict[str, int]:
        items = (await zeebe.request("GET", f"process-instances/{instance}/statistics/element-instances"))["items"]
        return next(({**each} for each in items if each["elementId"] == "task"), {})

    await zeebe.fail(await zeebe.job(t))
    await zeebe.incident(instance)
    at_incident = {"elementId": "task", "active": 0, "canceled": 0, "incidents": 1, "completed": 0}
    await zeebe.until(counts, lambda seen: seen == at_incident)
    await zeebe.cancel(instance)
    canceled = {"elementId": "task", "active": 0, "canceled": 1, "incidents": 0, "completed": 0}
    await zeebe.until(counts, lambda seen: seen == canceled)


@pytest.mark.case(142, "s")
async def test_neither_process_nor_flows_are_element_instances_and_a_flow_is_listed_once(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    drawn = draw(
        p,
        "start > merge > a > again > end",
        start=start(),
        merge=gateway(),
        a=task(t),
        again=gateway("end"),
        back=condition("again", "merge", "=more"),
        end=end(),
    )
    await zeebe.deploy(drawn)
    instance = await zeebe.create(p, more=True)
    await zeebe.complete_next(t)
    await zeebe.complete_next(t, more=False)
    await zeebe.ended(instance)
    ids = ["a", "a", "again", "again", "end", "merge", "merge", "start"]
    items = await zeebe.found("element-instances", len(ids), processInstanceKey=instance)
    assert sorted(each["elementId"] for each in items) == ids
    flows = (await zeebe.request("GET", f"process-instances/{instance}/sequence-flows"))["items"]
    taken = ["a-again", "again-end", "again-merge", "merge-a", "start-merge"]
    assert sorted(each["elementId"] for each in flows) == taken
    assert flows[0]["sequenceFlowId"] == f"{instance}_{flows[0]['elementId']}"


@pytest.mark.case(143, "s")
async def test_an_activated_job_reads_created_and_a_failed_one_failed(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    await zeebe.create(p)
    job = await zeebe.job(t)
    (found,) = await zeebe.found("jobs", type=t)
    assert (found["state"], found["hasFailedWithRetriesLeft"], found["kind"]) == ("CREATED", False, "BPMN_ELEMENT")
    await zeebe.fail(job, 2)
    (found,) = await zeebe.found("jobs", type=t, state="FAILED")
    assert (found["jobKey"], found["retries"], found["hasFailedWithRetriesLeft"]) == (str(job.key), 2, True)


@pytest.mark.case(144, "s")
@pytest.mark.parametrize(
    "body",
    [
        {"page": {"limit": 0}},
        {"page": {"limit": 10_001}},
        {"filter": {"nothing": 1}},
        {"sort": [{"field": "nothing"}]},
        {"sort": [{"order": "ASC"}]},
        {"nothing": 1},
    ],
)
async def test_a_search_that_asks_for_what_there_is_not_is_refused(zeebe: Zeebe, body: object) -> None:
    response = await zeebe.rest.post("/v2/process-instances/search", json=body)
    assert response.status_code == 400
    assert response.headers["content-type"].startswith("application/problem+json")
    problem = response.json()
    assert problem["status"] == 400
    assert problem["title"]
    assert problem["detail"]


@pytest.mark.case(145, "s")
async def test_an_unknown_field_is_refused_before_the_key_is_looked_up(zeebe: Zeebe) -> None:
    path = f"jobs/{NOBODYS}/completion"
    await zeebe.request("POST", path, {"variables": {}, "nothing": 1}, status=400)
    await zeebe.request("POST", path, {"variables": {}}, status=404)


async def asked(zeebe: Zeebe, assigned: str = "") -> tuple[int, str]:
    """Deploy a user task, start it, and return the instance's key and the task's."""
    assignment = f'<zeebe:assignmentDefinition assignee="{assigned}" />' if assigned else ""
    p = zeebe.name("p")
    await zeebe.deploy(draw(p, "start > ask > end", start=start(), ask=user_task(extensions=assignment), end=end()))
    instance = await zeebe.create(p)
    filters = {"assignee": assigned} if assigned else {}
    (item,) = await zeebe.found("user-tasks", 1, processInstanceKey=instance, state="CREATED", **filters)
    return instance, item["userTaskKey"]


@pytest.mark.case(146, "s")
async def test_a_user_task_is_assigned_over_and_not_where_that_is_forbidden(zeebe: Zeebe) -> None:
    instance, key = await asked(zeebe, "ann")
    await zeebe.request("POST", f"user-tasks/{key}/assignment", {"assignee": "bob"}, status=204)
    await zeebe.found("user-tasks", processInstanceKey=instance, assignee="bob")
    body = {"assignee": "cid", "allowOverride": False}
    await zeebe.request("POST", f"user-tasks/{key}/assignment", body, status=409)
    await zeebe.request("PATCH", f"user-tasks/{key}", {"changeset": {"priority": 101}}, status=400)


@pytest.mark.case("146b", "s")
async def test_a_user_task_is_completed_unassigned_and_once(zeebe: Zeebe) -> None:
    instance, key = await asked(zeebe)
    for _ in range(2):
        await zeebe.request("DELETE", f"user-tasks/{key}/assignee", status=204)
    await zeebe.request("POST", f"user-tasks/{key}/completion", {"variables": {"said": "yes"}}, status=204)
    await zeebe.ended(instance)
    await zeebe.request("POST", f"user-tasks/{key}/completion", {}, status=404)
    (variable,) = await zeebe.found("variables", processInstanceKey=instance, name="said")
    assert (variable["value"], variable["scopeKey"]) == ('"yes"', str(instance))


@pytest.mark.case("12a", "s")
async def test_rest_activates_and_completes_as_grpc_does(zeebe: Zeebe) -> None:
    p, t = zeebe.names("p", "t")
    await zeebe.deploy(one_task(p, t))
    body = {"processDefinitionId": p, "variables": {"a": 1}, "awaitCompletion": True}
    created = asyncio.create_task(zeebe.request("POST", "process-instances", body))
    asking = {"type": t, "timeout": 60_000, "maxJobsToActivate": 1, "requestTimeout": 5000, "worker": "conformance"}
    (job,) = (await zeebe.request("POST", "jobs/activation", asking))["jobs"]
    assert (job["variables"], job["retries"], job["processDefinitionId"]) == ({"a": 1}, 3, p)
    await zeebe.request("POST", f"jobs/{job['jobKey']}/completion", {"variables": {"b": 2}}, status=204)
    assert (await created)["variables"] == {"a": 1, "b": 2}
