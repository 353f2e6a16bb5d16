"""What a deployed diagram says of its compensation, and of an element that a worker does."""

from dataclasses import dataclass
from xml.etree import ElementTree as ET

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_TASK_DEFINITION = f"{_BPMN}extensionElements/{{http://camunda.org/schema/zeebe/1.0}}taskDefinition"
_RETRIES = "3"
"""Tries that the engine grants where the diagram says nothing."""


@dataclass(frozen=True, slots=True)
class Task:
    """An element that is done by a worker; either of its facts may be an expression."""

    type: str
    retries: str


@dataclass(frozen=True, slots=True)
class Path:
    """A compensation path: an event subprocess that an error of any code starts, and that throws compensation."""

    subprocess: str
    """Its element id."""
    first: str
    """The id of the element behind its start event."""


def task_types(xml: bytes) -> dict[str, list[str]]:
    """Return the ids of a BPMN document's elements by the task type of the jobs that they make."""
    found: dict[str, list[str]] = {}
    for element in ET.fromstring(xml).iter():  # noqa: S314 - as above
        definition = element.find(_TASK_DEFINITION)
        if definition is not None:
            found.setdefault(definition.get("type", ""), []).append(element.get("id", ""))
    return found


class Diagram:
    """One process of a BPMN document."""

    def __init__(self, xml: str, process: str) -> None:
        """Read the process with the id `process`."""
        root = ET.fromstring(xml)  # noqa: S314 - the engine has read it before us, from somebody who may deploy
        (self._process,) = root.findall(f"{_BPMN}process[@id='{process}']")
        self._event_subprocesses = self._process.findall(f"{_BPMN}subProcess[@triggeredByEvent='true']")
        self._beside = {each.get("id") for subprocess in self._event_subprocesses for each in subprocess.iter()}
        self._outermost = {each.get("id") for each in self._process}

    @property
    def path(self) -> Path | None:
        """The compensation path, None where none is drawn."""
        for subprocess in self._event_subprocesses:
            start = subprocess.find(f"{_BPMN}startEvent[{_BPMN}errorEventDefinition]")
            if start is None or start.find(f"{_BPMN}errorEventDefinition[@errorRef]") is not None:
                continue
            flow = subprocess.find(f"{_BPMN}sequenceFlow[@sourceRef='{start.get('id')}']")
            if flow is not None and subprocess.find(f".//{_BPMN}compensateEventDefinition") is not None:
                return Path(subprocess.get("id", ""), flow.get("targetRef", ""))
        return None

    def is_beside(self, element: str) -> bool:
        """Tell whether an element is an event subprocess, or in one: no part of the way to the process's own end."""
        return element in self._beside

    def is_outermost(self, element: str) -> bool:
        """Tell whether an element is in no subprocess."""
        return element in self._outermost

    def task(self, element: str) -> Task | None:
        """Return what a worker has to do for an element; None where no worker does it."""
        definition = self._process.find(f".//*[@id='{element}']/{_TASK_DEFINITION}")
        if definition is None:
            return None
        return Task(definition.get("type", ""), definition.get("retries", _RETRIES))
