"""Jobs: from created to done, by way of leases, backoffs and incidents."""

from ..entities import Job
from ..records import Record
from ..state import State
from .registry import applies


@applies("JOB", "CREATED")
def _created(state: State, record: Record) -> None:
    value = record.value
    job = Job(record.key, value["type"], value["elementInstanceKey"], value["retries"], value["customHeaders"])
    state.put(state.tables.jobs, record.key, job)
    state.enter(job)
    state.woken.append((job.type, job.key))


@applies("JOB_BATCH", "ACTIVATED")
def _activated(state: State, record: Record) -> None:
    for key in record.value["jobKeys"]:
        job = state.tables.jobs[key]
        state.take(job)
        state.change(job, "state", "ACTIVATED")
        state.change(job, "worker", record.value["worker"])
        _set_deadline(state, job, record.value["deadline"])


@applies("JOB", "TIMEOUT_UPDATED")
def _timeout_updated(state: State, record: Record) -> None:
    _set_deadline(state, state.tables.jobs[record.key], record.value["deadline"])


@applies("JOB", "RETRIES_UPDATED")
def _retries_updated(state: State, record: Record) -> None:
    state.change(state.tables.jobs[record.key], "retries", record.value["retries"])


@applies("JOB", "TIMED_OUT", "RECURRED_AFTER_BACKOFF")
def _again(state: State, record: Record) -> None:
    _make_activatable(state, state.tables.jobs[record.key])


@applies("JOB", "YIELDED")
def _yielded(state: State, record: Record) -> None:
    _make_activatable(state, state.tables.jobs[record.key], push=False)


@applies("JOB", "FAILED")
def _failed(state: State, record: Record) -> None:
    job = state.tables.jobs[record.key]
    state.change(job, "retries", record.value["retries"])
    state.change(job, "error_message", record.value["errorMessage"])
    if job.retries > 0 and record.value["recurringTime"] == -1:
        _make_activatable(state, job)
        return
    _withdraw(state, job, "FAILED")
    if job.retries > 0:
        state.change(job, "recurring", record.value["recurringTime"])
        state.queues.expect(job.recurring, "BACKOFF", job.key)


@applies("JOB", "ERROR_THROWN")
def _error_thrown(state: State, record: Record) -> None:
    job = state.tables.jobs[record.key]
    _withdraw(state, job, "ERROR_THROWN")
    state.change(job, "error_code", record.value["errorCode"])
    state.change(job, "error_message", record.value["errorMessage"])


@applies("JOB", "COMPLETED", "CANCELED")
def _gone(state: State, record: Record) -> None:
    remove_job(state, record.key)


def remove_job(state: State, key: int) -> None:
    """Forget a job."""
    state.leave(state.tables.jobs[key])
    state.drop(state.tables.jobs, key)


def withhold(state: State, key: int) -> None:
    """Let a job with an incident wait; one that has not failed is failed by the incident."""
    job = state.tables.jobs[key]
    if job.state == "ACTIVATABLE":
        _withdraw(state, job, "FAILED")


def return_to_pool(state: State, key: int) -> None:
    """Make the job of a resolved incident activatable again, if it is still there and has retries left."""
    job = state.tables.jobs.get(key)
    if job is not None and job.retries > 0:
        _make_activatable(state, job)


def _set_deadline(state: State, job: Job, deadline: int) -> None:
    state.change(job, "deadline", deadline)
    state.queues.expect(deadline, "JOB", job.key)


def _make_activatable(state: State, job: Job, *, push: bool = True) -> None:
    _withdraw(state, job, "ACTIVATABLE")
    state.offer(job)
    if push:
        state.woken.append((job.type, job.key))


def _withdraw(state: State, job: Job, to: str) -> None:
    state.take(job)
    state.change(job, "state", to)
    state.change(job, "deadline", -1)
    state.change(job, "recurring", -1)
    state.change(job, "worker", "")
