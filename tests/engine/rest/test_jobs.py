"""Jobs: activated, answered, and shown as their last record has them."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from saga.engine.writer import Activated, JobRequest
from tests.engine.rest import diagrams
from tests.engine.rest.conftest import Service

ACTIVATION = {"type": "pay", "timeout": 60_000, "maxJobsToActivate": 5, "requestTimeout": -1}


async def shown(engine: Service, key: str) -> dict[str, Any]:
    (job,) = await engine.search("jobs", jobKey=key)
    return job


async def test_an_activated_job_has_all_that_a_worker_needs(engine: Service) -> None:
    instance = await engine.start("order", orderId="4711", total=7)
    body = {**ACTIVATION, "worker": "w", "fetchVariable": ["total"], "tenantFilter": "PROVIDED", "withLease": False}
    (job,) = (await engine.post("jobs/activation", {**body, "tenantIds": ["<default>"]}))["jobs"]
    (element,) = await engine.search("element-instances", processInstanceKey=instance, elementId="Pay")
    assert job == {
        "jobKey": job["jobKey"],
        "type": "pay",
        "worker": "w",
        "retries": 3,
        "deadline": job["deadline"],
        "variables": {"total": 7},
        "customHeaders": {"currency": "EUR"},
        "elementId": "Pay",
        "elementInstanceKey": element["elementInstanceKey"],
        "processInstanceKey": instance,
        "processDefinitionId": "order",
        "processDefinitionVersion": 1,
        "processDefinitionKey": element["processDefinitionKey"],
        "kind": "BPMN_ELEMENT",
        "listenerEventType": "UNSPECIFIED",
        "userTask": None,
        "tags": [],
        "tenantId": "<default>",
    }
    assert isinstance(job["deadline"], int)
    assert (await engine.post("jobs/activation", ACTIVATION)) == {"jobs": []}


async def test_a_request_waits_for_jobs(engine: Service) -> None:
    waiting = asyncio.create_task(engine.post("jobs/activation", {**ACTIVATION, "requestTimeout": 20_000}))
    instance = await engine.start("order")
    (job,) = (await waiting)["jobs"]
    assert job["processInstanceKey"] == instance


async def leaving(engine: Service, left: asyncio.Event) -> None:
    """Ask for jobs as a client that waits long, and goes away when `left` is set."""
    body = [b'{"type":"pay","timeout":60000,"maxJobsToActivate":5,"requestTimeout":600000}']

    async def receive() -> Message:
        if body:
            return {"type": "http.request", "body": body.pop()}
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    path = "/v2/jobs/activation"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "scheme": "http",
        "http_version": "1.1",
        "server": ("127.0.0.1", 8080),
        "headers": [(b"host", b"127.0.0.1:8080"), (b"content-type", b"application/json"), (b"content-length", b"75")],
    }
    await engine.application(scope, receive, send)


async def test_jobs_for_a_client_that_has_gone_are_there_for_the_next(engine: Service) -> None:
    left = asyncio.Event()
    waiting = asyncio.create_task(leaving(engine, left))
    await asyncio.sleep(0)
    left.set()
    await waiting
    await engine.start("order")
    assert (await engine.job("pay"))["type"] == "pay"


async def test_jobs_that_come_just_as_their_client_goes_are_given_back(
    engine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await engine.start("order")
    activated = await engine.writer.activate(JobRequest("pay", "w", 60_000), 1, -1)

    async def activate(*_arguments: object) -> Activated:
        return activated

    left = asyncio.Event()
    left.set()
    with monkeypatch.context() as patched:
        patched.setattr(engine.writer, "activate", activate)
        await leaving(engine, left)
    assert (await engine.job("pay"))["jobKey"] == str(activated.jobs[0]["key"])


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "No type provided."),
        ({"type": ""}, "No type provided."),
        ({"type": "a"}, "No timeout provided."),
        ({"type": "a", "timeout": 1}, "No maxJobsToActivate provided."),
        ({"type": "a", "timeout": 0, "maxJobsToActivate": 1}, "The value for timeout is '0'"),
        ({"type": "a", "timeout": 1, "maxJobsToActivate": 0}, "The value for maxJobsToActivate is '0'"),
        ({**ACTIVATION, "tenantIds": ["acme"]}, "Expected to handle request with tenant identifier 'acme'"),
        ({**ACTIVATION, "fetchVariables": ["a"]}, "Request property [fetchVariables] cannot be parsed"),
        ({**ACTIVATION, "timeout": 1.5}, "Request property [timeout] cannot be parsed"),
    ],
)
async def test_an_activation_that_cannot_be_is_refused(
    quiet_engine: Service, body: dict[str, Any], detail: str
) -> None:
    assert (await quiet_engine.post("jobs/activation", body, 400))["detail"].startswith(detail)


async def test_activation_does_not_change_what_is_shown(engine: Service) -> None:
    await engine.start("order")
    key = (await engine.job("pay"))["jobKey"]
    assert (await shown(engine, key))["state"] == "CREATED"


async def test_a_completed_job_ends_its_instance(engine: Service) -> None:
    instance = await engine.start("order")
    key = (await engine.job("pay"))["jobKey"]
    await engine.post(f"jobs/{key}/completion", {"variables": {"paid": True}, "result": None}, 204)
    assert (await engine.get(f"process-instances/{instance}"))["state"] == "COMPLETED"
    job = await shown(engine, key)
    assert (job["state"], job["endTime"]) == ("COMPLETED", job["lastUpdateTime"])
    problem = await engine.post(f"jobs/{key}/completion", None, 404)
    assert problem["detail"].startswith("Command 'COMPLETE' rejected with code 'NOT_FOUND': Expected to complete job")


async def test_an_unknown_field_is_refused_before_the_job_is_looked_up(quiet_engine: Service) -> None:
    assert (await quiet_engine.post("jobs/4242/completion", {"foo": 1}, 400))["title"] == "Bad Request"
    assert (await quiet_engine.post("jobs/4242/completion", {"foo": None}, 404))["title"] == "NOT_FOUND"
    assert (await quiet_engine.post("jobs/4242/completion", {"result": {"type": "userTask"}}, 400))["title"] == (
        "INVALID_ARGUMENT"
    )


async def test_a_failed_job_with_retries_is_there_again(engine: Service) -> None:
    await engine.start("order")
    key = (await engine.job("pay"))["jobKey"]
    body = {"retries": 2, "errorMessage": "later", "retryBackOff": 0, "variables": {"tried": 1}}
    await engine.post(f"jobs/{key}/failure", body, 204)
    job = await shown(engine, key)
    assert (job["state"], job["hasFailedWithRetriesLeft"], job["retries"]) == ("FAILED", True, 2)
    assert (job["errorMessage"], job["endTime"]) == ("later", None)
    again = await engine.job("pay")
    assert (again["jobKey"], again["variables"]) == (key, {"tried": 1})


async def test_a_failed_job_without_retries_is_an_incident_and_cannot_be_completed(engine: Service) -> None:
    await engine.start("order")
    key = (await engine.job("pay"))["jobKey"]
    await engine.post(f"jobs/{key}/failure", None, 204)
    job = await shown(engine, key)
    assert (job["state"], job["hasFailedWithRetriesLeft"], job["retries"]) == ("FAILED", False, 0)
    for path, body in (("completion", {}), ("failure", {}), ("error", {"errorCode": "E"})):
        assert (await engine.post(f"jobs/{key}/{path}", body, 409))["title"] == "INVALID_STATE"
    assert (await engine.post(f"jobs/{key}/failure", {"retryBackOff": -1}, 400))["title"] == "INVALID_ARGUMENT"


async def test_an_uncaught_error_is_accepted_and_an_incident(engine: Service) -> None:
    await engine.start("order")
    key = (await engine.job("pay"))["jobKey"]
    assert (await engine.post(f"jobs/{key}/error", {}, 400))["detail"] == "No errorCode provided."
    await engine.post(f"jobs/{key}/error", {"errorCode": "DECLINED", "errorMessage": "no", "variables": None}, 204)
    job = await shown(engine, key)
    assert (job["state"], job["errorCode"], job["errorMessage"]) == ("ERROR_THROWN", "DECLINED", "no")
    (incident,) = await engine.search("incidents", jobKey=key)
    assert incident["errorType"] == "UNHANDLED_ERROR_EVENT"


async def test_a_jobs_retries_and_lease_are_changed(engine: Service) -> None:
    await engine.start("order")
    key = (await engine.job("pay"))["jobKey"]
    both = await engine.request("PATCH", f"jobs/{key}", {"changeset": {"retries": 7, "timeout": 120_000}})
    assert both.status_code == 204
    job = await shown(engine, key)
    assert (job["retries"], job["deadline"] is not None) == (7, True)
    wrong: list[dict[str, Any]] = [{"changeset": {"retries": 0}}, {"changeset": {"lease": 1}}, {"changeset": {}}, {}]
    for body in wrong:
        assert (await engine.request("PATCH", f"jobs/{key}", body)).status_code == 400


async def test_a_lease_that_nobody_holds_is_not_changed(engine: Service) -> None:
    await engine.start("order")
    (job,) = await engine.search("jobs", type="pay")
    response = await engine.request("PATCH", f"jobs/{job['jobKey']}", {"changeset": {"timeout": 120_000}})
    assert (response.status_code, response.json()["title"]) == (409, "INVALID_STATE")


async def test_large_variables_come_through_whole(engine: Service) -> None:
    await engine.deploy(("large.bpmn", diagrams.task("large", "large")))
    text = "ä" * 800_000
    await engine.start("large", text=text, number=12345678901234567890123, deep=[[[1.5]]])
    assert (await engine.job("large"))["variables"]["text"] == text
