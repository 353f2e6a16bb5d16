"""Incidents, user tasks, the clock, and the log's own first record."""

from ..entities import Incident, UserTask
from ..records import NONE_KEY, Record
from ..state import State
from .jobs import return_to_pool, withhold
from .registry import applies


@applies("ENGINE", "STARTED")
def _started(state: State, record: Record) -> None:
    state.change(state.tables, "seed", record.value["seed"])
    state.change(state.tables, "last_key", record.value["firstKey"] - 1)


@applies("INCIDENT", "CREATED")
def _incident(state: State, record: Record) -> None:
    value = record.value
    incident = Incident(
        key=record.key,
        element=value["elementInstanceKey"],
        error_type=value["errorType"],
        message=value["errorMessage"],
        job=value["jobKey"],
        follow_up=value.get("followUp"),
    )
    state.put(state.tables.incidents, record.key, incident)
    state.enter(incident)
    if incident.job != NONE_KEY:
        withhold(state, incident.job)
    if incident.follow_up is not None:
        # Its token is neither carried out nor lost.
        state.count_token(incident.follow_up["intent"], incident.follow_up["value"], 1)


@applies("INCIDENT", "RESOLVED")
def _resolved(state: State, record: Record) -> None:
    incident = state.tables.incidents[record.key]
    state.leave(incident)
    state.drop(state.tables.incidents, record.key)
    element = state.tables.elements.get(incident.element)
    if incident.follow_up is not None:
        state.count_token(incident.follow_up["intent"], incident.follow_up["value"], -1)
    if incident.job != NONE_KEY and element is not None and element.state != "TERMINATING":
        return_to_pool(state, incident.job)


@applies("USER_TASK", "CREATED", "ASSIGNED", "UPDATED")
def _user_task(state: State, record: Record) -> None:
    value = record.value
    task = UserTask(
        key=record.key,
        element=value["elementInstanceKey"],
        assignee=value["assignee"],
        candidate_groups=value["candidateGroups"],
        candidate_users=value["candidateUsers"],
        due_date=value["dueDate"],
        follow_up_date=value["followUpDate"],
        form=value["formKey"],
        external_form=value["externalFormReference"],
        priority=value["priority"],
        headers=value["customHeaders"],
    )
    state.put(state.tables.user_tasks, record.key, task)
    state.put(state.user_task_of, task.element, record.key)


@applies("USER_TASK", "COMPLETED", "CANCELED")
def _user_task_gone(state: State, record: Record) -> None:
    state.leave(state.tables.user_tasks[record.key])
    state.drop(state.tables.user_tasks, record.key)


@applies("CLOCK", "PINNED")
def _pinned(state: State, record: Record) -> None:
    state.change(state.tables, "pinned", record.value["time"])


@applies("CLOCK", "RESETTED")
def _reset(state: State, _record: Record) -> None:
    state.change(state.tables, "pinned", -1)
