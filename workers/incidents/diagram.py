"""What a deployed diagram says of the element at which an incident is."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

_DEFINITION = "{*}extensionElements/{http://camunda.org/schema/zeebe/1.0}taskDefinition"
_RETRIES = "3"
"""Tries that the engine grants where the diagram says nothing."""


@dataclass(frozen=True, slots=True)
class Task:
    """An element that is done by a worker; either of its facts may be an expression."""

    type: str
    retries: str


def task_of(diagram: str, element_id: str) -> Task | None:
    """Return what a BPMN document says of an element; None where no worker does it."""
    for element in ET.fromstring(diagram).iter():  # noqa: S314 - the engine has parsed it before
        if element.get("id") == element_id:
            definition = element.find(_DEFINITION)
            if definition is not None:
                return Task(definition.get("type", ""), definition.get("retries", _RETRIES))
    return None
