"""Diagrams that the schema of BPMN accepts, whoever reads them, and the small ones that many cases share."""

from lxml import etree

from tests.engine import drawing
from tests.engine.drawing import element, end, start, task

_BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
_FORK = "parallelGateway"
_SCOPES = frozenset({f"{_BPMN}process", f"{_BPMN}subProcess"})
_FIRST = frozenset({f"{_BPMN}documentation", f"{_BPMN}extensionElements"})
"""What stands before the references to the flows of an element."""


def draw(process: str, flows: str = "", beside: str = "", **elements: str) -> bytes:
    """Draw a process as the embedded engine's tests do, with all that the schema asks for."""
    root = etree.fromstring(drawing.draw(process, flows, beside, **elements))
    for flow in list(root.iter(f"{_BPMN}sequenceFlow")):
        for end_of_flow, reference in (("targetRef", "incoming"), ("sourceRef", "outgoing")):
            _refer(root.find(f".//*[@id='{flow.get(end_of_flow)}']"), reference, flow.get("id"))
    for scope in root.iter(*_SCOPES):
        _order(scope)
    for number, definition in enumerate(root.iter("{*}*")):
        if str(definition.tag).endswith("EventDefinition"):
            definition.set("id", f"definition-{number}")
    document: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return document


def _refer(node: etree._Element | None, reference: str, flow: str | None) -> None:
    """Name a flow in the element that it enters or leaves: entering ones first."""
    if node is None:
        return
    before = _FIRST | {f"{_BPMN}incoming"} | ({f"{_BPMN}outgoing"} if reference == "outgoing" else set())
    index = sum(child.tag in before for child in node)
    named = etree.Element(f"{_BPMN}{reference}")
    named.text = flow
    node.insert(index, named)


def _order(scope: etree._Element) -> None:
    """Move a loop's characteristics before what is in the subprocess, and associations behind it."""
    for loop in scope.findall(f"{_BPMN}multiInstanceLoopCharacteristics"):
        scope.remove(loop)
        before = _FIRST | {f"{_BPMN}incoming", f"{_BPMN}outgoing"}
        scope.insert(sum(child.tag in before for child in scope), loop)
    for association in scope.findall(f"{_BPMN}association"):
        scope.remove(association)
        scope.append(association)


def one_task(process: str, job_type: str, extensions: str = "") -> bytes:
    """Draw start, task, end."""
    return draw(process, "start > task > end", start=start(), task=task(job_type, extensions=extensions), end=end())


def passing(process: str) -> bytes:
    """Draw start, end."""
    return draw(process, "start > end", start=start(), end=end())


def fork() -> str:
    """Draw a parallel gateway, which forks or joins."""
    return element(_FORK)


def error_end(code: str) -> str:
    """Draw an end event that throws an error."""
    return end(content=f'<bpmn:errorEventDefinition id="thrown" errorRef="{code}" />')


def terminate_end() -> str:
    """Draw an end event that ends its scope."""
    return end(content='<bpmn:terminateEventDefinition id="terminate" />')
