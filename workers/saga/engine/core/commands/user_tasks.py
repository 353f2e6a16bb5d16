"""What people do with user tasks."""

from typing import Any

from .. import lifecycle
from ..entities import UserTask
from ..records import Command, invalid, not_found, wrong_state
from ..user_tasks import MAX_PRIORITY, task_value
from ..variables import check_document
from ..work import Work
from .registry import handles

_FIELDS = frozenset({"dueDate", "followUpDate", "candidateGroups", "candidateUsers", "priority"})


@handles("USER_TASK", "ASSIGN")
def assign(work: Work, command: Command) -> dict[str, Any]:
    """Give a task to a person."""
    task = _task(work, command.key, "assign")
    assignee = command.value["assignee"]
    if task.assignee not in {"", assignee} and not command.value.get("allowOverride", True):
        message = f"Expected to claim user task with key '{task.key}', but it has already been assigned"
        raise wrong_state(message)
    action = command.value.get("action") or "assign"
    work.event("USER_TASK", "ASSIGNED", task.key, task_value(work, task, assignee=assignee, action=action))
    return {}


@handles("USER_TASK", "UNASSIGN")
def unassign(work: Work, command: Command) -> dict[str, Any]:
    """Take a task from whom it was given to, if to anybody."""
    task = _task(work, command.key, "assign")
    work.event("USER_TASK", "ASSIGNED", task.key, task_value(work, task, assignee="", action="unassign"))
    return {}


@handles("USER_TASK", "UPDATE")
def update(work: Work, command: Command) -> dict[str, Any]:
    """Change what the changeset names."""
    task = _task(work, command.key, "update")
    changeset: dict[str, Any] = command.value["changeset"]
    unknown = sorted(changeset.keys() - _FIELDS)
    if unknown:
        message = f"Expected to update a user task, but it has no attribute '{unknown[0]}'"
        raise invalid(message)
    priority = changeset.get("priority", task.priority)
    if not 0 <= priority <= MAX_PRIORITY:
        message = f"Expected field 'priority' to be an integer between 0 and {MAX_PRIORITY}, but was '{priority}'"
        raise invalid(message)
    work.event("USER_TASK", "UPDATED", task.key, task_value(work, task, **changeset))
    return {}


@handles("USER_TASK", "COMPLETE")
def complete(work: Work, command: Command) -> dict[str, Any]:
    """Complete a task with the variables that the person gave."""
    task = _task(work, command.key, "complete")
    check_document(command.value["variables"])
    instance = work.state.tables.elements[task.element]
    action = command.value.get("action") or "complete"
    work.event("USER_TASK", "COMPLETED", task.key, task_value(work, task, action=action))
    lifecycle.complete(work, instance, command.value["variables"] or "{}")
    return {}


def _task(work: Work, key: int, verb: str) -> UserTask:
    task = work.state.tables.user_tasks.get(key)
    if task is None:
        message = f"Expected to {verb} user task with key '{key}', but no such user task was found"
        raise not_found(message)
    return task
