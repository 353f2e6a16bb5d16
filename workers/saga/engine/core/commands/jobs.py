"""What workers do with jobs, and what time does."""

from collections.abc import Generator
from contextlib import closing
from typing import Any

from .. import errors, lifecycle
from ..entities import Job
from ..jobs import job_value
from ..records import NONE_KEY, Command, Fault, invalid, not_found, wrong_state
from ..times import until
from ..variables import check_document, read_document, set_locals
from ..work import Work
from .registry import handles

MAX_BATCH = 4 * 1024 * 1024
"""Bytes of one batch of jobs as a message: what clients take."""
MAX_JOBS = 1_000
"""Jobs of one batch; activating more at once would keep others waiting."""
_OVERHEAD = 120
"""Bytes of a job's numbers in a message, and of what stands before its texts."""
MAX_ERROR = 10_000
"""Characters of an error message that are kept."""


@handles("JOB_BATCH", "ACTIVATE")
def activate(work: Work, command: Command) -> dict[str, Any]:
    """Lease jobs to a worker, the oldest first, or exactly those whose keys are given."""
    value = command.value
    jobs: list[dict[str, Any]] = []
    truncated = False
    size = 0
    deadline = until(work.now, value["timeout"])
    most = min(value["maxJobsToActivate"], MAX_JOBS)
    with closing(_candidates(work, value)) as candidates:
        for job in candidates:
            if len(jobs) >= most:
                break
            variables = work.variables(job.element).document(value.get("fetchVariables") or [])
            activated = _activated(work, job, value["worker"], deadline, variables)
            size += _OVERHEAD + sum(_bytes(text) for text in activated.values() if isinstance(text, str))
            if size > MAX_BATCH:
                truncated = True
                if not jobs:
                    _too_large(work, job, _bytes(variables))
                break
            jobs.append(activated)
    if jobs:
        batch = {
            "type": value["type"],
            "worker": value["worker"],
            "timeout": value["timeout"],
            "jobKeys": [job["key"] for job in jobs],
            "deadline": deadline,
            "pushed": bool(value.get("jobKeys")),
            "truncated": truncated,
        }
        work.event("JOB_BATCH", "ACTIVATED", work.key(), batch)
    return {"jobs": jobs, "truncated": truncated}


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _candidates(work: Work, value: dict[str, Any]) -> Generator[Job]:
    if not value.get("jobKeys"):
        yield from work.state.queues.oldest(value["type"])
        return
    for key in value["jobKeys"]:
        job = work.state.tables.jobs.get(key)
        if job is not None and job.state == "ACTIVATABLE":
            yield job


def _activated(work: Work, job: Job, worker: str, deadline: int, variables: str) -> dict[str, Any]:
    instance = work.state.tables.elements[job.element]
    definition = work.state.definition(instance)
    return {
        "key": job.key,
        "type": job.type,
        "processInstanceKey": instance.process_instance,
        "bpmnProcessId": definition.process_id,
        "processDefinitionVersion": definition.version,
        "processDefinitionKey": definition.key,
        "elementId": instance.element,
        "elementInstanceKey": instance.key,
        "customHeaders": job.headers,
        "worker": worker,
        "retries": job.retries,
        "deadline": deadline,
        "variables": variables,
        "kind": "BPMN_ELEMENT",
    }


def _too_large(work: Work, job: Job, size: int) -> None:
    message = (
        f"The job with key '{job.key}' can not be activated, because with {size} bytes of variables it is larger than "
        "the configured message size (4 MB). Try to reduce the size by reducing the number of fetched variables or "
        "modifying the variable values."
    )
    fault = Fault("MESSAGE_SIZE_EXCEEDED", message, job=job.key)
    work.incident(work.state.tables.elements[job.element], fault)


@handles("JOB", "COMPLETE")
def complete(work: Work, command: Command) -> dict[str, Any]:
    """Complete a job and with it its task; who has leased it is not asked."""
    job = _job(work, command.key, "complete")
    _require_open(job, "complete")
    check_document(command.value["variables"])
    variables = command.value["variables"] or "{}"
    instance = work.state.tables.elements[job.element]
    work.event("JOB", "COMPLETED", job.key, job_value(work, job))
    lifecycle.complete(work, instance, variables)
    return {}


@handles("JOB", "FAIL")
def fail(work: Work, command: Command) -> dict[str, Any]:
    """Give a job back with fewer retries, now or after a backoff; without retries it becomes an incident."""
    job = _job(work, command.key, "fail")
    _require_open(job, "fail")
    value = command.value
    instance = work.state.tables.elements[job.element]
    # Variables of a failed job are seen by the next one who tries, and nowhere else.
    set_locals(work, instance, read_document(value.get("variables") or ""))
    message = _cut(value["errorMessage"])
    backoff = max(0, value["retryBackoff"]) if value["retries"] > 0 else 0
    failed = job_value(
        work,
        job,
        retries=value["retries"],
        retryBackoff=backoff,
        recurringTime=until(work.now, backoff) if backoff else -1,
        errorMessage=message,
    )
    work.event("JOB", "FAILED", job.key, failed)
    if value["retries"] <= 0:
        told = message or "No more retries left."
        work.incident(instance, Fault("JOB_NO_RETRIES", told, job=job.key))
    return {}


@handles("JOB", "THROW_ERROR")
def throw_error(work: Work, command: Command) -> dict[str, Any]:
    """Throw an error from a job's task; nobody who catches it is an incident, and the answer is a good one."""
    job = _job(work, command.key, "throw an error for")
    _require_open(job, "throw an error for")
    value = command.value
    check_document(value.get("variables") or "")
    variables = value.get("variables") or "{}"
    instance = work.state.tables.elements[job.element]
    message = _cut(value["errorMessage"])
    thrown = job_value(work, job, errorCode=value["errorCode"], errorMessage=message, variables=variables)
    work.event("JOB", "ERROR_THROWN", job.key, thrown)
    uncaught = errors.throw(work, instance, value["errorCode"], message, variables)
    if uncaught is not None:
        work.incident(instance, errors.uncaught(uncaught, job.key))
    return {}


@handles("JOB", "UPDATE_RETRIES")
def update_retries(work: Work, command: Command) -> dict[str, Any]:
    """Give a job another number of retries."""
    job = _job(work, command.key, "update retries for")
    _set_retries(work, job, command.value["retries"])
    return {}


@handles("JOB", "UPDATE_TIMEOUT")
def update_timeout(work: Work, command: Command) -> dict[str, Any]:
    """Let a lease end so many milliseconds from now."""
    job = _job(work, command.key, "update the timeout of")
    _set_timeout(work, job, command.value["timeout"])
    return {}


@handles("JOB", "UPDATE")
def update(work: Work, command: Command) -> dict[str, Any]:
    """Change retries and lease together, as far as they are given."""
    job = _job(work, command.key, "update")
    if command.value.get("retries") is not None:
        _set_retries(work, job, command.value["retries"])
    if command.value.get("timeout") is not None:
        _set_timeout(work, job, command.value["timeout"])
    return {}


@handles("JOB", "YIELD")
def give_back(work: Work, command: Command) -> dict[str, Any]:
    """Take a job back that was leased to a client who is not there any more."""
    job = work.state.tables.jobs.get(command.key)
    if job is None or job.state != "ACTIVATED":
        message = f"Expected to yield job with key '{command.key}', but it is not activated"
        raise not_found(message)
    work.event("JOB", "YIELDED", job.key, job_value(work, job, deadline=-1))
    return {}


@handles("JOB", "TIME_OUT")
def time_out(work: Work, command: Command) -> dict[str, Any]:
    """End a lease that nobody has answered."""
    job = _job(work, command.key, "time out")
    if job.state != "ACTIVATED" or job.deadline > work.now:
        message = f"Expected to time out job with key '{job.key}', but its deadline has not passed"
        raise wrong_state(message)
    work.event("JOB", "TIMED_OUT", job.key, job_value(work, job, deadline=-1))
    return {}


@handles("JOB", "RECUR")
def recur(work: Work, command: Command) -> dict[str, Any]:
    """End a backoff."""
    job = _job(work, command.key, "recur")
    if job.recurring == NONE_KEY or job.recurring > work.now:
        message = f"Expected to recur job with key '{job.key}', but its backoff is not over"
        raise wrong_state(message)
    work.event("JOB", "RECURRED_AFTER_BACKOFF", job.key, job_value(work, job, recurringTime=-1))
    return {}


def _set_retries(work: Work, job: Job, retries: int) -> None:
    if retries <= 0:
        message = (
            f"Expected to update retries for job with key '{job.key}' with a positive amount of retries, but the "
            f"amount given was '{retries}'"
        )
        raise invalid(message)
    work.event("JOB", "RETRIES_UPDATED", job.key, job_value(work, job, retries=retries))


def _set_timeout(work: Work, job: Job, timeout: int) -> None:
    if job.state != "ACTIVATED":
        message = f"Expected to update the timeout of job with key '{job.key}', but it is not active"
        raise wrong_state(message)
    work.event("JOB", "TIMEOUT_UPDATED", job.key, job_value(work, job, deadline=until(work.now, timeout)))


def _job(work: Work, key: int, verb: str) -> Job:
    job = work.state.tables.jobs.get(key)
    if job is None:
        message = f"Expected to {verb} job with key '{key}', but no such job was found"
        raise not_found(message)
    return job


def _require_open(job: Job, verb: str) -> None:
    if job.state in {"FAILED", "ERROR_THROWN"}:
        message = f"Expected to {verb} job with key '{job.key}', but it is in state '{job.state}'"
        raise wrong_state(message)


def _cut(message: str) -> str:
    return message if len(message) <= MAX_ERROR else message[:MAX_ERROR] + "..."
