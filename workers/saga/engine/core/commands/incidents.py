"""Incidents that a person has put right."""

from typing import Any

from .. import lifecycle
from ..records import Command, not_found, wrong_state
from ..work import Work
from .registry import handles


@handles("INCIDENT", "RESOLVE")
def resolve(work: Work, command: Command) -> dict[str, Any]:
    """Close an incident and repeat the step that failed; it may fail again, with an incident of a new key."""
    key = command.key
    incident = work.state.tables.incidents.get(key)
    if incident is None:
        message = f"Expected to resolve incident with key '{key}', but no such incident was found"
        raise not_found(message)
    job = work.state.tables.jobs.get(incident.job)
    if job is not None and job.retries <= 0:
        message = (
            f"Expected to resolve incident with key '{key}', but job with key '{job.key}' has no retries left. Please "
            "update the job retries and retry resolving the incident"
        )
        raise wrong_state(message)
    lifecycle.resolve_record(work, key)
    if incident.follow_up is not None:
        work.follow_up(**incident.follow_up)
    elif job is None:
        work.follow_up("CONTINUE_ELEMENT", incident.element, {})
    return {}
