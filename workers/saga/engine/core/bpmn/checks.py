"""What Zeebe refuses to deploy although the XML is well-formed BPMN."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from ..model import Element, Process
from .findings import Findings

_WITHOUT_OUTPUTS = frozenset({"COMPENSATION", "ERROR", "TERMINATE"})


def check_process(process: Process, findings: Findings) -> None:
    """Note what is wrong with a process that was read."""
    incoming = Counter(flow.target.id for element in process.elements.values() for flow in element.outgoing)
    _check_starts(process.root, findings)
    for element in process.elements.values():
        _check_flows(element, incoming, findings)
        _check_handler(element, incoming, findings)
        if element.type == "EVENT_SUB_PROCESS":
            _check_event_subprocess(element, findings)
        if element.type == "SUB_PROCESS":
            _check_subprocess(element, findings)
        if element.type == "EVENT_BASED_GATEWAY":
            _check_event_based_gateway(element, findings)
        if element.timer is not None:
            _check_timer(element, findings)
        if element.type == "BOUNDARY_EVENT":
            _check_boundary(element, findings)
        if element.compensates:
            _check_compensation(element, process, findings)
        if element.type == "END_EVENT" and element.event_type in _WITHOUT_OUTPUTS and element.outputs:
            kind = element.event_type.lower()
            findings.add(element.id, f"Output mappings are not supported on {kind} end events")
        _check_catchers(element.id, element.boundaries, findings)
        _check_catchers(element.id, _error_starts(element), findings)
        _check_messages(element, findings)


def _check_starts(root: Element, findings: Findings) -> None:
    starts = [child for child in root.children if child.type == "START_EVENT"]
    if not starts:
        findings.add(root.id, "Must have at least one start event")
    if sum(start.event_type == "NONE" for start in starts) > 1:
        findings.add(root.id, "Multiple none start events are not allowed")
    for start in starts:
        if start.event_type == "ERROR":
            findings.add(start.id, "Start events of a process must be one of: none, message, timer")
        if start.message and start.message.name.feel is not None:
            findings.unsupported(start.id, "Expressions as message names of a process's start event")
    if not root.id:
        findings.add("process", "Attribute 'id' must be present and not empty")
    names = Counter(start.message.name.text for start in starts if start.message)
    for name, times in names.items():
        if times > 1:
            findings.add(root.id, f"Multiple message event definitions with the same name '{name}' are not allowed.")


def _check_flows(element: Element, incoming: Counter[str], findings: Findings) -> None:
    if element.type in {"START_EVENT", "BOUNDARY_EVENT", "EVENT_SUB_PROCESS"} and incoming[element.id]:
        findings.add(element.id, "Cannot have incoming sequence flows")
    if element.type in {"END_EVENT", "EVENT_SUB_PROCESS"} and element.outgoing:
        findings.add(element.id, "Cannot have outgoing sequence flows")
    if element.type == "EXCLUSIVE_GATEWAY" and len(element.outgoing) > 1:
        for flow in element.outgoing:
            if flow.condition is None and flow.id != element.default_flow:
                findings.add(flow.id, "Must have a condition or be default flow")
    if element.default_flow and all(flow.id != element.default_flow for flow in element.outgoing):
        findings.add(element.id, "Default flow must start at the element")
    for flow in element.outgoing:
        if flow.target.scope is not element.scope:
            findings.add(flow.id, "A sequence flow cannot leave its scope")


def _check_handler(element: Element, incoming: Counter[str], findings: Findings) -> None:
    if not element.is_handler:
        return
    if incoming[element.id]:
        findings.add(element.id, "A compensation handler should have no incoming sequence flows")
    if element.outgoing:
        findings.add(element.id, "A compensation handler should have no outgoing sequence flows")
    if element.boundaries or element.compensation:
        findings.add(element.id, "A compensation handler should have no boundary events")


def _check_event_subprocess(element: Element, findings: Findings) -> None:
    starts = [child for child in element.children if child.type == "START_EVENT"]
    if len(starts) != 1:
        findings.add(element.id, "Must have exactly one start event")
        return
    if starts[0].event_type == "NONE":
        findings.add(
            starts[0].id,
            "Start events in event subprocesses must be one of: message, timer, error, signal or escalation",
        )
    if starts[0].event_type == "ERROR" and not starts[0].interrupting:
        findings.add(starts[0].id, "Non-Interrupting event of this type is not allowed")


def _check_subprocess(element: Element, findings: Findings) -> None:
    starts = [child for child in element.children if child.type == "START_EVENT"]
    if len(starts) != 1:
        findings.add(element.id, "Must have exactly one start event")
    elif starts[0].event_type != "NONE":
        findings.add(starts[0].id, "Start events in subprocesses must be of type none")


def _check_event_based_gateway(element: Element, findings: Findings) -> None:
    targets = [flow.target for flow in element.outgoing]
    if len(targets) < 2:  # noqa: PLR2004 - with one event there is nothing to choose
        findings.add(element.id, "Event-based gateway must have at least 2 outgoing sequence flows.")
    if any(target.type != "INTERMEDIATE_CATCH_EVENT" for target in targets):
        findings.add(
            element.id,
            "Event-based gateway must not have an outgoing sequence flow to other elements than catch events",
        )
    if any(len(target.incoming) > 1 for target in targets):
        findings.add(element.id, "Target elements of an event gateway must not have any additional incoming flows")


def _check_timer(element: Element, findings: Findings) -> None:
    assert element.timer is not None
    kind = element.timer.kind
    is_of_process = element.type == "START_EVENT" and element.scope is not None and element.scope.type == "PROCESS"
    if element.type == "INTERMEDIATE_CATCH_EVENT" and kind == "cycle":
        findings.add(element.id, "Intermediate timer catch event must have either a time duration or a time date.")
    elif is_of_process and kind == "duration":
        findings.add(element.id, "Timer start event must have either a time date or a time cycle.")
    elif not is_of_process and element.interrupting and kind == "cycle":
        findings.add(element.id, "Interrupting timer event with time cycle is not allowed.")


def _check_boundary(element: Element, findings: Findings) -> None:
    if element.event_type == "ERROR" and not element.interrupting:
        findings.add(element.id, "Non-Interrupting event of this type is not allowed")
    if element.event_type == "COMPENSATION" and (element.outgoing or element.compensation is None):
        findings.add(
            element.id,
            "Compensation boundary events must have a compensation association and no outgoing sequence flows",
        )


def _check_compensation(element: Element, process: Process, findings: Findings) -> None:
    activity = process.elements.get(element.compensates)
    scopes = [element.scope]
    if element.scope is not None and element.scope.type == "EVENT_SUB_PROCESS":
        scopes.append(element.scope.scope)
    if activity is None or activity.scope not in scopes:
        findings.add(element.id, "The referenced compensation activity must be in the scope of the event")
    elif activity.compensation is None and activity.type != "SUB_PROCESS":
        findings.add(element.id, "The referenced compensation activity must have a compensation boundary event")


def _error_starts(scope: Element) -> list[Element]:
    return [inner.none_start for inner in scope.event_subprocesses if inner.none_start is not None]


def _check_catchers(scope: str, events: Iterable[Element], findings: Findings) -> None:
    codes = Counter(event.error_code for event in events if event.event_type == "ERROR")
    for code, times in codes.items():
        if times > 1 and code is None:
            findings.add(
                scope,
                "The same scope can not contain more than one error catch event without error code. An error catch "
                "event without error code catches all errors.",
            )
        elif times > 1:
            findings.add(
                scope,
                f"Multiple error catch events with the same error code '{code}' are not supported on the same scope.",
            )


def _check_messages(element: Element, findings: Findings) -> None:
    names: dict[str, int] = defaultdict(int)
    for event in [*element.boundaries, *_error_starts(element)]:
        if event.message and event.message.name.feel is None:
            names[event.message.name.text] += 1
    for name, times in names.items():
        if times > 1:
            findings.add(element.id, f"Multiple message event definitions with the same name '{name}' are not allowed.")
    if element.type == "RECEIVE_TASK" and element.message and element.message.name.text in names:
        findings.add(element.id, "Cannot reference the same message name as a boundary event")
