"""From XML to an executable process."""

from functools import cached_property

from lxml import etree

from ..model import Element, Flow, Loop, Process
from .checks import check_process
from .events import EventReader
from .extensions import Extensions, read_loop
from .findings import Findings
from .xml import BPMN, children, local_name

_IGNORED = frozenset(
    {
        "documentation",
        "extensionElements",
        "incoming",
        "outgoing",
        "association",
        "textAnnotation",
        "group",
        "laneSet",
        "dataObject",
        "dataObjectReference",
        "dataStoreReference",
        "property",
        "ioSpecification",
        "dataInputAssociation",
        "dataOutputAssociation",
        "auditing",
        "monitoring",
        "category",
    }
)
"""What changes nothing about the execution."""
_PARTS = frozenset({"sequenceFlow", "multiInstanceLoopCharacteristics", "standardLoopCharacteristics"})
"""What is read with the elements that it belongs to."""
_TYPES = {
    "startEvent": "START_EVENT",
    "endEvent": "END_EVENT",
    "intermediateCatchEvent": "INTERMEDIATE_CATCH_EVENT",
    "intermediateThrowEvent": "INTERMEDIATE_THROW_EVENT",
    "boundaryEvent": "BOUNDARY_EVENT",
    "serviceTask": "SERVICE_TASK",
    "sendTask": "SEND_TASK",
    "scriptTask": "SCRIPT_TASK",
    "businessRuleTask": "BUSINESS_RULE_TASK",
    "receiveTask": "RECEIVE_TASK",
    "userTask": "USER_TASK",
    "manualTask": "MANUAL_TASK",
    "task": "TASK",
    "callActivity": "CALL_ACTIVITY",
    "exclusiveGateway": "EXCLUSIVE_GATEWAY",
    "parallelGateway": "PARALLEL_GATEWAY",
    "eventBasedGateway": "EVENT_BASED_GATEWAY",
    "subProcess": "SUB_PROCESS",
}
_JOB = ("ioMapping", "taskDefinition", "taskHeaders")
_EXTENSIONS = {
    "START_EVENT": ("ioMapping",),
    "END_EVENT": _JOB,
    "INTERMEDIATE_CATCH_EVENT": ("ioMapping",),
    "INTERMEDIATE_THROW_EVENT": _JOB,
    "BOUNDARY_EVENT": ("ioMapping",),
    "SERVICE_TASK": _JOB,
    "SEND_TASK": _JOB,
    "SCRIPT_TASK": _JOB,
    "BUSINESS_RULE_TASK": _JOB,
    "RECEIVE_TASK": ("ioMapping",),
    "MANUAL_TASK": ("ioMapping",),
    "TASK": ("ioMapping",),
    "CALL_ACTIVITY": ("ioMapping", "calledElement"),
    "SUB_PROCESS": ("ioMapping",),
    "USER_TASK": (
        "ioMapping",
        "userTask",
        "formDefinition",
        "assignmentDefinition",
        "taskSchedule",
        "priorityDefinition",
        "taskHeaders",
    ),
    "EVENT_SUB_PROCESS": ("ioMapping",),
}
"""Zeebe's extension elements that are understood, by the type of element."""
_JOBS = frozenset({"SERVICE_TASK", "SEND_TASK", "SCRIPT_TASK", "BUSINESS_RULE_TASK"})
"""What is a job for a worker."""
_ACTIVITIES = _JOBS | {"USER_TASK", "RECEIVE_TASK", "MANUAL_TASK", "TASK", "CALL_ACTIVITY", "SUB_PROCESS"}
"""What boundary events can be attached to, and what can be repeated for each item of a list."""


class ProcessReader:
    """Reads one process of a document."""

    def __init__(self, document: etree._Element, process: etree._Element, findings: Findings) -> None:
        """Errors go to `findings`."""
        self._process = process
        self._findings = findings
        self._events = EventReader(document, findings)
        self._elements: dict[str, Element] = {}
        self._xml: dict[str, etree._Element] = {}
        self._flows: set[str] = set()

    def read(self) -> Process:
        """Return the process; where there are findings, it is not fit to run."""
        root = Element(self._process.get("id", ""), "PROCESS", self._process.get("name", ""), "NONE")
        self._elements[root.id] = root
        Extensions(self._process, self._findings).check_known()
        self._read_children(self._process, root)
        for identity, xml in self._xml.items():
            self._attach(self._elements[identity], xml)
        for xml in self._process.iter(f"{BPMN}sequenceFlow"):
            self._connect(xml)
        for xml in self._process.iter(f"{BPMN}association"):
            self._associate(xml)
        process = Process(root, self._elements)
        check_process(process, self._findings)
        return process

    def _read_children(self, parent: etree._Element, scope: Element) -> None:
        for xml in children(parent):
            name = local_name(xml)
            if name in _IGNORED or name in _PARTS or not xml.tag.startswith(BPMN):
                continue
            if name not in _TYPES:
                self._findings.unsupported(xml.get("id") or name, f"Elements of type '{_capitalized(name)}'")
                continue
            is_triggered = name == "subProcess" and xml.get("triggeredByEvent") == "true"
            self._read_element(xml, "EVENT_SUB_PROCESS" if is_triggered else _TYPES[name], scope)

    def _read_element(self, xml: etree._Element, kind: str, scope: Element) -> None:
        identity = xml.get("id", "")
        if not identity or identity in self._elements:
            self._findings.add(identity or local_name(xml), "Ids of elements must be present and unique")
            return
        extensions = Extensions(xml, self._findings)
        extensions.check_known(*_EXTENSIONS.get(kind, ()))
        element = Element(identity, kind, xml.get("name", ""), scope=scope)
        element.inputs, element.outputs = extensions.inputs(), extensions.outputs()
        self._read_work(element, xml, extensions)
        element.is_handler = xml.get("isForCompensation") == "true"
        if element.is_handler:
            element.event_type = "COMPENSATION"
        element.loop = self._read_loop(element, xml)
        self._elements[identity] = element
        self._xml[identity] = xml
        scope.children.append(element)
        if kind == "EVENT_SUB_PROCESS":
            scope.event_subprocesses.append(element)
        if kind.endswith("SUB_PROCESS"):
            self._read_children(xml, element)

    def _read_work(self, element: Element, xml: etree._Element, extensions: Extensions) -> None:
        is_message_thrown = element.type in {"INTERMEDIATE_THROW_EVENT", "END_EVENT"} and bool(
            xml.findall(f"{BPMN}messageEventDefinition")
        )
        if element.type in _JOBS or is_message_thrown:
            element.task = extensions.task()
            element.headers = extensions.headers()
        elif element.type == "USER_TASK":
            element.user_task = extensions.user_task()
            element.headers = extensions.headers()
        elif element.type == "CALL_ACTIVITY":
            element.called = extensions.called()

    def _read_loop(self, element: Element, xml: etree._Element) -> Loop | None:
        if xml.find(f"{BPMN}standardLoopCharacteristics") is not None:
            self._findings.unsupported(element.id, "Elements of type 'StandardLoopCharacteristics'")
        found = xml.find(f"{BPMN}multiInstanceLoopCharacteristics")
        if found is None:
            return None
        if found.get("isSequential") == "true" or found.find(f"{BPMN}completionCondition") is not None:
            self._findings.unsupported(
                element.id, "Sequential multi-instance activities, and those with a completion condition,"
            )
        return read_loop(element.id, found, self._findings)

    def _attach(self, element: Element, xml: etree._Element) -> None:
        self._events.read(element, xml)
        element.default_flow = xml.get("default", "")
        if element.type == "BOUNDARY_EVENT":
            element.interrupting = xml.get("cancelActivity", "true") != "false"
            activity = self._elements.get(xml.get("attachedToRef", ""))
            if activity is None or activity.type not in _ACTIVITIES:
                self._findings.add(element.id, "Must be attached to an activity")
                return
            element.attached_to = activity
            if element.event_type != "COMPENSATION":
                activity.boundaries.append(element)
            elif activity.compensation is None:
                activity.compensation = element
            else:
                self._findings.add(element.id, "An activity can have one compensation boundary event only")
        elif element.type == "START_EVENT":
            element.interrupting = xml.get("isInterrupting", "true") != "false"
            scope = element.scope
            if scope is not None and (scope.type == "EVENT_SUB_PROCESS" or element.event_type == "NONE"):
                scope.none_start = element

    def _connect(self, xml: etree._Element) -> None:
        identity = xml.get("id", "")
        if not identity or identity in self._elements or identity in self._flows:
            self._findings.add(identity or "sequenceFlow", "Ids of elements must be present and unique")
            return
        self._flows.add(identity)
        source, target = (self._elements.get(xml.get(end, "")) for end in ("sourceRef", "targetRef"))
        for end, element in (("sourceRef", source), ("targetRef", target)):
            if element is None and xml.get(end, "") not in self._unread:
                self._findings.add(identity, f"Attribute '{end}' must reference a valid flow node")
        if source is None or target is None:
            return
        flow = Flow(identity, target)
        condition = xml.find(f"{BPMN}conditionExpression")
        if condition is not None:
            flow.condition = Extensions(xml, self._findings).expression(
                condition.text or "", "conditionExpression", static=False
            )
        source.outgoing.append(flow)
        target.incoming.append(identity)

    @cached_property
    def _unread(self) -> set[str]:
        """Return the ids of what was told as unsupported: that a flow leads there is no finding of its own."""
        return {identity for xml in self._process.iter() if (identity := xml.get("id")) and self._is_node(xml)}

    def _is_node(self, xml: etree._Element) -> bool:
        return isinstance(xml.tag, str) and xml.get("id") not in self._elements and local_name(xml) not in _IGNORED

    def _associate(self, xml: etree._Element) -> None:
        source = self._elements.get(xml.get("sourceRef", ""))
        target = self._elements.get(xml.get("targetRef", ""))
        if source is not None and target is not None and source.event_type == "COMPENSATION" and target.is_handler:
            source.compensation = target


def _capitalized(name: str) -> str:
    return name[:1].upper() + name[1:]
