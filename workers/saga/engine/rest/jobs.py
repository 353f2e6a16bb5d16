"""Routes about jobs: activation, and what a worker says of one."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from ..polls import JobRequest
from . import fields
from .call import Call, answer
from .encoding import embedded, text_of
from .fields import TENANT
from .kinds import TEXT, parse_integer, parse_small
from .problems import invalid_argument

ACTIVATION = {
    "type": TEXT.parse,
    "timeout": parse_integer,
    "maxJobsToActivate": parse_small,
    "worker": TEXT.parse,
    "fetchVariable": fields.texts,
    "requestTimeout": parse_integer,
    "tenantIds": fields.tenants,
    "tenantFilter": fields.ignored,
    "withLease": fields.ignored,
}
COMPLETION = {
    "variables": fields.of_object,
    "result": fields.unsupported,
    "jobLeaseToken": fields.unsupported,
    "businessId": fields.unsupported,
}
FAILURE = {
    "retries": parse_small,
    "errorMessage": TEXT.parse,
    "retryBackOff": fields.not_negative,
    "variables": fields.of_object,
    "jobLeaseToken": fields.unsupported,
}
ERROR = {
    "errorCode": TEXT.parse,
    "errorMessage": TEXT.parse,
    "variables": fields.of_object,
    "jobLeaseToken": fields.unsupported,
}
_CHANGES = {"retries": parse_small, "timeout": parse_integer, "priority": fields.unsupported}
UPDATE = {
    "changeset": lambda value, path: fields.read(_CHANGES, value, path),
    "operationReference": fields.ignored,
    "jobLeaseToken": fields.unsupported,
}


async def activate(call: Call) -> Response:
    """Activate jobs, waiting for them if need be; what a client that has gone would get is given back."""
    given = await call.fields(ACTIVATION)
    fields.required(given, "type", "timeout", "maxJobsToActivate")
    for name in ("timeout", "maxJobsToActivate"):
        if given[name] < 1:
            message = f"The value for {name} is '{given[name]}' but must be greater than 0."
            raise invalid_argument(message)
    wanted = JobRequest(given["type"], given.get("worker", ""), given["timeout"], tuple(given.get("fetchVariable", ())))
    waiting = call.engine.writer.activate(wanted, given["maxJobsToActivate"], given.get("requestTimeout", 0))
    activation = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_disconnected(call.request))
    try:
        await asyncio.wait((activation, gone), return_when=asyncio.FIRST_COMPLETED)
        jobs = activation.result().jobs if activation.done() else []
        if gone.done():
            call.engine.writer.give_back(jobs)
    finally:
        gone.cancel()
        activation.cancel()  # gives back what it gets
    return answer({"jobs": [_job(each) for each in jobs]})


async def _disconnected(request: Request) -> None:
    """Return when the client has closed its connection; the body has been read before."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _job(job: dict[str, Any]) -> dict[str, Any]:
    return {
        "jobKey": str(job["key"]),
        "type": job["type"],
        "worker": job["worker"],
        "retries": job["retries"],
        "deadline": job["deadline"],
        "variables": embedded(job["variables"]),
        "customHeaders": embedded(job["customHeaders"]),
        "elementId": job["elementId"],
        "elementInstanceKey": str(job["elementInstanceKey"]),
        "processInstanceKey": str(job["processInstanceKey"]),
        "processDefinitionId": job["bpmnProcessId"],
        "processDefinitionVersion": job["processDefinitionVersion"],
        "processDefinitionKey": str(job["processDefinitionKey"]),
        "kind": job["kind"],
        "listenerEventType": "UNSPECIFIED",
        "userTask": None,
        "tags": [],
        "tenantId": TENANT,
    }


async def complete(call: Call) -> Response:
    """Complete a job, with variables."""
    given = await call.fields(COMPLETION, needed=False)
    return await call.command("JOB", "COMPLETE", {"variables": text_of(given.get("variables"))})


async def fail(call: Call) -> Response:
    """Fail a job; without `retries` none are left."""
    given = await call.fields(FAILURE, needed=False)
    failed = {
        "retries": given.get("retries", 0),
        "retryBackoff": given.get("retryBackOff", 0),
        "errorMessage": given.get("errorMessage", ""),
        "variables": text_of(given.get("variables")),
    }
    return await call.command("JOB", "FAIL", failed)


async def throw_error(call: Call) -> Response:
    """Throw a BPMN error."""
    given = await call.fields(ERROR)
    fields.required(given, "errorCode")
    thrown = {"errorCode": given["errorCode"], "errorMessage": given.get("errorMessage", "")}
    return await call.command("JOB", "THROW_ERROR", {**thrown, "variables": text_of(given.get("variables"))})


async def update(call: Call) -> Response:
    """Change a job's retries, the rest of its lease, or both."""
    given = await call.fields(UPDATE)
    if not (changes := given.get("changeset")):
        message = "At least one of [retries, timeout] is required."
        raise invalid_argument(message)
    return await call.command("JOB", "UPDATE", changes)
