"""Records by hand, with the values that the engine's own have."""

import itertools
from typing import Any

from saga.engine.core import Record

START = 1_700_000_000_000
"""Engine time of the first record, in milliseconds."""

JOB = {
    "version": 1,
    "type": "pay",
    "customHeaders": "{}",
    "worker": "",
    "retries": 3,
    "retryBackoff": 0,
    "recurringTime": -1,
    "deadline": -1,
    "errorMessage": "",
    "errorCode": "",
    "elementId": "Pay",
}
TASK = {
    "version": 1,
    "elementId": "Ask",
    "assignee": "",
    "candidateGroups": [],
    "candidateUsers": [],
    "dueDate": "",
    "followUpDate": "",
    "formKey": -1,
    "priority": 50,
    "customHeaders": {},
}


class Story:
    """Records in a row, each a second after the one before."""

    def __init__(self) -> None:
        """Begin with none."""
        self.records: list[Record] = []
        self._keys = itertools.count(1001)

    def key(self) -> int:
        """Return a new key."""
        return next(self._keys)

    def event(self, value_type: str, intent: str, key: int, value: dict[str, Any], record_type: str = "EVENT") -> int:
        """Write a record and return its key."""
        position = len(self.records) + 1
        timestamp = START + position * 1000
        self.records.append(Record(position, -1, key, timestamp, record_type, value_type, intent, value))
        return key

    def definition(self, process_id: str = "order", version: int = 1, name: str = "Order", xml: bytes = b"<x/>") -> int:
        """Deploy a process."""
        value = {
            "bpmnProcessId": process_id,
            "version": version,
            "name": name,
            "resourceName": f"{process_id}.bpmn",
            "checksum": b"",
            "resource": xml,
            "deploymentKey": self.key(),
        }
        return self.event("PROCESS", "CREATED", self.key(), value)

    def instance(self, definition: int, process_id: str = "order", parent: tuple[int, int] = (-1, -1)) -> "Instance":
        """Begin an instance; `parent` is the calling instance and its call activity."""
        return Instance(self, definition, process_id, parent)


class Instance:
    """One instance of a story."""

    def __init__(self, story: Story, definition: int, process_id: str, parent: tuple[int, int]) -> None:
        """Begin it."""
        self.story = story
        self.key = story.key()
        self.values = {
            "bpmnProcessId": process_id,
            "processDefinitionKey": definition,
            "processInstanceKey": self.key,
        }
        self._elements: dict[int, dict[str, Any]] = {}
        self._parent = parent
        self.enter(process_id, "PROCESS", -1, key=self.key)

    def enter(self, element_id: str, kind: str, scope: int | None = None, *, name: str = "", key: int = 0) -> int:
        """Activate an element and return its key."""
        key = key or self.story.key()
        called = self._parent if kind == "PROCESS" else (-1, -1)
        self._elements[key] = {
            **self.values,
            "version": 1,
            "elementId": element_id,
            "elementName": name,
            "bpmnElementType": kind,
            "bpmnEventType": "UNSPECIFIED",
            "flowScopeKey": self.key if scope is None else scope,
            "parentProcessInstanceKey": called[0],
            "parentElementInstanceKey": called[1],
        }
        for intent in ("ELEMENT_ACTIVATING", "ELEMENT_ACTIVATED"):
            self.story.event("PROCESS_INSTANCE", intent, key, self._elements[key])
        return key

    def leave(self, key: int, how: str = "COMPLETED") -> None:
        """End an element, or the instance by its own key."""
        first = "ELEMENT_COMPLETING" if how == "COMPLETED" else "ELEMENT_TERMINATING"
        for intent in (first, f"ELEMENT_{how}"):
            self.story.event("PROCESS_INSTANCE", intent, key, self._elements[key])

    def flow(self, flow_id: str) -> None:
        """Take a sequence flow."""
        value = {**self._elements[self.key], "elementId": flow_id, "bpmnElementType": "SEQUENCE_FLOW"}
        self.story.event("PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN", self.story.key(), value)

    def variable(self, name: str, value: str, scope: int | None = None, *, key: int = 0) -> int:
        """Create a variable, or give the one with that key a new value; `value` is JSON text."""
        intent = "UPDATED" if key else "CREATED"
        body = {**self.values, "scopeKey": scope or self.key, "name": name, "value": value}
        return self.story.event("VARIABLE", intent, key or self.story.key(), body)

    def job(self, intent: str, element: int, key: int = 0, **changes: object) -> int:
        """Write an event of a job."""
        value = {**self.values, **JOB, "elementInstanceKey": element, **changes}
        return self.story.event("JOB", intent, key or self.story.key(), value)

    def incident(self, intent: str, element: int, key: int = 0, **changes: object) -> int:
        """Write an event of an incident."""
        value = {
            **self.values,
            "errorType": "JOB_NO_RETRIES",
            "errorMessage": "no card",
            "elementId": "Pay",
            "elementInstanceKey": element,
            "jobKey": -1,
            "variableScopeKey": element,
            **changes,
        }
        return self.story.event("INCIDENT", intent, key or self.story.key(), value)

    def task(self, intent: str, element: int, key: int = 0, **changes: object) -> int:
        """Write an event of a user task."""
        value = {**self.values, **TASK, "elementInstanceKey": element, **changes}
        return self.story.event("USER_TASK", intent, key or self.story.key(), value)

    def subscription(self, intent: str, element: int, key: int = 0, *, interrupting: bool = True) -> int:
        """Write an event of a message subscription."""
        value = {
            **self.values,
            "messageName": "CancelOrder",
            "correlationKey": "4711",
            "elementId": "Wait",
            "elementInstanceKey": element,
            "interrupting": interrupting,
            "messageKey": -1,
        }
        return self.story.event("PROCESS_MESSAGE_SUBSCRIPTION", intent, key or self.story.key(), value)
