"""From records to rows of the search tables: one function, in life, at a rebuild and over an old log alike."""

import json
import sqlite3
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from ..core import Record
from . import tables
from .incidents import Standing
from .rows import Rows

_JOB_ENDS = {"COMPLETED", "CANCELED", "ERROR_THROWN"}
_JOB_UNSHOWN = {"RECURRED_AFTER_BACKOFF", "YIELDED"}
"""Intents that change nothing of what a search shows of a job."""
_TASK_STATES = {"COMPLETED", "CANCELED"}


class _Projection:
    """Collects what records do to the search tables and writes it."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._definitions = Rows(tables.DEFINITIONS)
        self._forms = Rows(tables.FORMS)
        self._instances = Rows(tables.INSTANCES)
        self._elements = Rows(tables.ELEMENTS)
        self._flows: dict[tuple[int, str], None] = {}
        self._variables = Rows(tables.VARIABLES)
        self._incidents = Rows(tables.INCIDENTS)
        self._jobs = Rows(tables.JOBS)
        self._tasks = Rows(tables.TASKS)
        self._subscriptions = Rows(tables.SUBSCRIPTIONS)
        self._standing = Standing()
        self._project: dict[str, Callable[[Record], None]] = {
            "PROCESS_INSTANCE": self._element,
            "VARIABLE": self._variable,
            "JOB": self._job,
            "INCIDENT": self._incident,
            "USER_TASK": self._task,
            "PROCESS_MESSAGE_SUBSCRIPTION": self._subscription,
            "PROCESS": self._definition,
            "FORM": self._form,
        }

    def project(self, record: Record) -> None:
        """Note what one record does to the tables."""
        if record.record_type == "EVENT" and (project := self._project.get(record.value_type)) is not None:
            project(record)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what was noted, within the caller's transaction."""
        for rows in (
            self._definitions,
            self._forms,
            self._instances,
            self._elements,
            self._variables,
            self._incidents,
            self._jobs,
            self._tasks,
            self._subscriptions,
        ):
            rows.write(connection)
        if self._flows:
            connection.executemany(tables.SEQUENCE_FLOWS, self._flows)
            self._flows.clear()
        self._standing.write(connection)

    def _element(self, record: Record) -> None:
        value = record.value
        match record.intent:
            case "ELEMENT_ACTIVATING":
                if value["bpmnElementType"] == "PROCESS":
                    self._instances.create(
                        [
                            *_process(value),
                            value["version"],
                            _present(value["parentProcessInstanceKey"]),
                            _present(value["parentElementInstanceKey"]),
                            record.timestamp,
                            "ACTIVE",
                            None,
                        ]
                    )
                else:
                    element_id = value["elementId"]
                    self._elements.create(
                        [
                            record.key,
                            *_process(value),
                            element_id,
                            value["elementName"] or element_id,
                            value["bpmnElementType"],
                            value["flowScopeKey"],
                            record.timestamp,
                            "ACTIVE",
                            None,
                        ]
                    )
            case "ELEMENT_COMPLETED" | "ELEMENT_TERMINATED":
                rows = self._instances if value["bpmnElementType"] == "PROCESS" else self._elements
                rows.change(record.key, (record.intent[8:], record.timestamp))
            case "SEQUENCE_FLOW_TAKEN":
                self._flows[value["processInstanceKey"], value["elementId"]] = None

    def _variable(self, record: Record) -> None:
        value = record.value
        if record.intent == "CREATED":
            row = [record.key, value["processInstanceKey"], value["scopeKey"], value["name"], value["value"]]
            self._variables.create(row)
        else:
            self._variables.change(record.key, (value["value"],))

    def _job(self, record: Record) -> None:
        intent, value, now = record.intent, record.value, record.timestamp
        if intent in _JOB_UNSHOWN:
            return
        retries = value["retries"]
        changing = (
            intent,
            value["worker"],
            retries,
            _present(value["deadline"]),
            value["errorCode"] or None,
            value["errorMessage"] or None,
            intent == "FAILED" and retries > 0,
            now if intent in _JOB_ENDS else None,
            now,
        )
        if intent == "CREATED":
            fixed = [record.key, *_process(value), *_element(value), value["type"], value["customHeaders"], now]
            self._jobs.create([*fixed, *changing])
        else:
            self._jobs.change(record.key, changing)

    def _incident(self, record: Record) -> None:
        value = record.value
        if record.intent == "CREATED":
            self._incidents.create(
                [
                    record.key,
                    *_process(value),
                    *_element(value),
                    _present(value["jobKey"]),
                    value["errorType"],
                    value["errorMessage"],
                    record.timestamp,
                    "ACTIVE",
                ]
            )
            self._standing.open(record.key, value)
        else:
            self._incidents.change(record.key, ("RESOLVED",))
            self._standing.close(record.key, value)

    def _task(self, record: Record) -> None:
        intent, value, now = record.intent, record.value, record.timestamp
        ended = intent in _TASK_STATES
        changing = (
            intent if ended else "CREATED",
            value["assignee"] or None,
            json.dumps(value["candidateGroups"]),
            json.dumps(value["candidateUsers"]),
            _time(value["dueDate"]),
            _time(value["followUpDate"]),
            value["priority"],
            now if ended else None,
        )
        if intent == "CREATED":
            headers = json.dumps(value["customHeaders"])
            fixed = [record.key, *_process(value), value["version"], *_element(value), _present(value["formKey"])]
            self._tasks.create([*fixed, headers, now, *changing])
        else:
            self._tasks.change(record.key, changing)

    def _subscription(self, record: Record) -> None:
        intent, value = record.intent, record.value
        if intent == "CREATED":
            fixed = [record.key, *_process(value), *_element(value), value["messageName"], value["correlationKey"]]
            self._subscriptions.create([*fixed, record.timestamp])
        elif intent == "DELETED" or value["interrupting"]:
            self._subscriptions.delete(record.key)
        else:
            self._subscriptions.change(record.key, (record.timestamp,))

    def _definition(self, record: Record) -> None:
        value = record.value
        if record.intent == "CREATED":
            self._definitions.create(
                [
                    record.key,
                    value["bpmnProcessId"],
                    value["name"] or None,
                    value["version"],
                    value.get("versionTag") or None,
                    value["resourceName"],
                    value["resource"],
                    value["deploymentKey"],
                    False,
                ]
            )
        else:
            self._definitions.change(record.key, (True,))

    def _form(self, record: Record) -> None:
        value = record.value
        if record.intent == "CREATED":
            fixed = [record.key, value["formId"], value["version"], value["resourceName"], value["resource"]]
            self._forms.create([*fixed, False])
        else:
            self._forms.change(record.key, (True,))


def write(connection: sqlite3.Connection, records: Iterable[Record]) -> None:
    """Bring the search tables up to these records, within the caller's transaction."""
    projection = _Projection()
    for record in records:
        projection.project(record)
    projection.write(connection)


def _process(value: dict[str, Any]) -> tuple[int, int, str]:
    return value["processInstanceKey"], value["processDefinitionKey"], value["bpmnProcessId"]


def _element(value: dict[str, Any]) -> tuple[str, int]:
    return value["elementId"], value["elementInstanceKey"]


def _present(key: int) -> int | None:
    """Return None for -1, which stands for a key or time that there is not."""
    return None if key == -1 else key


def _time(text: str) -> int | None:
    """Return an ISO date and time as milliseconds since 1970; None for an empty text or one that is no time."""
    try:
        moment = datetime.fromisoformat(text.partition("[")[0])
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
