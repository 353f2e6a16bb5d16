"""The diagram as the tests read it: its elements and what is drawn for them."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as ET

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
BPMNDI = "{http://www.omg.org/spec/BPMN/20100524/DI}"
DC = "{http://www.omg.org/spec/DD/20100524/DC}"
DI = "{http://www.omg.org/spec/DD/20100524/DI}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"

FLOW_NODES = frozenset(
    {
        "startEvent",
        "endEvent",
        "boundaryEvent",
        "intermediateThrowEvent",
        "exclusiveGateway",
        "serviceTask",
        "userTask",
        "subProcess",
    }
)
TASKS = frozenset({"serviceTask", "userTask"})
LINES = frozenset({"sequenceFlow", "association"})


@dataclass(frozen=True)
class Box:
    """A rectangle in px, y downwards."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def size(self) -> tuple[float, float]:
        return self.right - self.left, self.bottom - self.top

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def meets(self, other: "Box") -> bool:
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def within(self, other: "Box") -> bool:
        return (
            other.left <= self.left
            and self.right <= other.right
            and other.top <= self.top
            and self.bottom <= other.bottom
        )

    def has_on_its_border(self, x: float, y: float) -> bool:
        on_a_side = x in {self.left, self.right} and self.top <= y <= self.bottom
        return on_a_side or (y in {self.top, self.bottom} and self.left <= x <= self.right)


class Diagram:
    """One process with its drawing."""

    def __init__(self, xml: str) -> None:
        self.root = ET.fromstring(xml)  # noqa: S314 — our own file
        process = self.root.find(f"{BPMN}process")
        assert process is not None
        self.process = process
        self.by_id = {element.attrib["id"]: element for element in self.root.iter() if "id" in element.attrib}
        self.parent = {child: parent for parent in self.root.iter() for child in parent}

    def all(self, *kinds: str) -> list[ET.Element]:
        """The elements of these BPMN kinds, in the subprocesses too, in the file's order."""
        return [element for element in self.process.iter() if kind(element) in kinds]

    def drawn(self) -> list[ET.Element]:
        """Every element that a person must see."""
        return self.all(*FLOW_NODES, *LINES, "textAnnotation")

    def outgoing(self, element: ET.Element) -> list[ET.Element]:
        """The elements that follow one by sequence flows."""
        flows = self.all("sequenceFlow")
        return [self.by_id[f.attrib["targetRef"]] for f in flows if f.attrib["sourceRef"] == element.attrib["id"]]

    def path(self, start: str) -> list[ET.Element]:
        """The elements from a start event to an end, where each has one successor."""
        path = [self.by_id[start]]
        while following := self.outgoing(path[-1]):
            (step,) = following
            path.append(step)
        return path

    def boundary(self, task: ET.Element, definition: str) -> list[ET.Element]:
        """The boundary events of a task with this kind of event definition."""
        return [
            event
            for event in self.all("boundaryEvent")
            if event.attrib["attachedToRef"] == task.attrib["id"] and event.find(f"{BPMN}{definition}") is not None
        ]

    def start(self, subprocess: ET.Element) -> ET.Element:
        """The start event of an event subprocess."""
        start = subprocess.find(f"{BPMN}startEvent")
        assert start is not None
        return start

    def shapes(self) -> dict[str, Box]:
        """The bounds of what is drawn, by the element's id."""
        return {s.attrib["bpmnElement"]: bounds(s) for s in self.root.iter(f"{BPMNDI}BPMNShape")}

    def labels(self) -> dict[str, Box]:
        """The bounds of the names outside of their shapes, by the element's id."""
        owners = [*self.root.iter(f"{BPMNDI}BPMNShape"), *self.root.iter(f"{BPMNDI}BPMNEdge")]
        return {
            owner.attrib["bpmnElement"]: bounds(label)
            for owner in owners
            if (label := owner.find(f"{BPMNDI}BPMNLabel")) is not None
        }

    def lines(self) -> dict[str, list[tuple[float, float]]]:
        """The bends of the lines, ends included, by the element's id."""
        return {
            e.attrib["bpmnElement"]: [(float(p.attrib["x"]), float(p.attrib["y"])) for p in e.iter(f"{DI}waypoint")]
            for e in self.root.iter(f"{BPMNDI}BPMNEdge")
        }

    def segments(self) -> Iterator[tuple[str, Box]]:
        """Each straight part of each line as a rectangle 2 px thick, with the line's id."""
        for line, points in self.lines().items():
            for (x, y), (u, v) in pairwise(points):
                yield line, Box(min(x, u) - 1, min(y, v) - 1, max(x, u) + 1, max(y, v) + 1)


def kind(element: ET.Element) -> str:
    """An element's kind by the BPMN standard, such as "serviceTask"."""
    return element.tag.removeprefix(BPMN)


def task_definition(task: ET.Element) -> dict[str, str]:
    """The task type and retries of a service task."""
    definition = task.find(f"{BPMN}extensionElements/{ZEEBE}taskDefinition")
    return {} if definition is None else definition.attrib


def outputs(element: ET.Element) -> dict[str, str]:
    """The output mappings of an element: the variable and the FEEL expression that it takes."""
    return {output.attrib["target"]: output.attrib["source"] for output in element.iter(f"{ZEEBE}output")}


def bounds(element: ET.Element) -> Box:
    """The bounds that are given in a shape or label."""
    found = element.find(f"{DC}Bounds")
    assert found is not None, element.attrib
    x, y, width, height = (float(found.attrib[name]) for name in ("x", "y", "width", "height"))
    return Box(x, y, x + width, y + height)
