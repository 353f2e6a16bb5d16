"""A deployed process, ready to run: its model, and what every record about an element of it repeats."""

from dataclasses import dataclass, field
from typing import Any

from .bpmn import read_processes
from .entities import Definition
from .model import Process
from .records import NONE_KEY


@dataclass(slots=True)
class Executable:
    """The model of a process definition."""

    process: Process
    facts: dict[str, dict[str, Any]] = field(repr=False)
    """By the id of an element or a flow: a PROCESS_INSTANCE record's value, without what is an instance's own."""
    bodies: dict[str, dict[str, Any]] = field(repr=False)
    """The same of multi-instance bodies, by the id of the activity."""


def load(definition: Definition) -> Executable:
    """Read the model of a process definition; its resource was checked when it was deployed."""
    process = next(found for found in read_processes(definition.resource) if found.id == definition.process_id)
    facts = {
        element.id: _facts(definition, element.id, element.name, element.type, element.event_type)
        for element in process.elements.values()
    }
    for element in process.elements.values():
        for flow in element.outgoing:
            facts[flow.id] = _facts(definition, flow.id, "", "SEQUENCE_FLOW", "UNSPECIFIED")
    bodies = {
        element.id: _facts(definition, element.id, element.name, "MULTI_INSTANCE_BODY", element.event_type)
        for element in process.elements.values()
        if element.loop is not None
    }
    for identity in bodies:
        facts[identity]["bpmnEventType"] = "UNSPECIFIED"
    return Executable(process, facts, bodies)


def _facts(definition: Definition, identity: str, name: str, kind: str, event_type: str) -> dict[str, Any]:
    return {
        "bpmnProcessId": definition.process_id,
        "processDefinitionKey": definition.key,
        "version": definition.version,
        "elementId": identity,
        "elementName": name,
        "bpmnElementType": kind,
        "bpmnEventType": event_type,
        "processInstanceKey": NONE_KEY,
        "flowScopeKey": NONE_KEY,
        "parentProcessInstanceKey": NONE_KEY,
        "parentElementInstanceKey": NONE_KEY,
    }
