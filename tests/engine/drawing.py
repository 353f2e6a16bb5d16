"""Diagrams in a few words: `draw("p", "start > a > end", start=start(), a=task("t"), end=end())`."""

from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

_DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
                  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                  xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="definitions" targetNamespace="http://test">
  <bpmn:process id="{process}" isExecutable="true">{inside}</bpmn:process>
  {beside}
</bpmn:definitions>
"""


def draw(process: str, flows: str = "", beside: str = "", **elements: str) -> bytes:
    """Draw a process: elements by their ids, and flows as `a > b > c; b > d`; `beside` stand messages and errors."""
    return _DOCUMENT.format(process=process, inside=inside(flows, **elements), beside=beside).encode()


def inside(flows: str = "", **elements: str) -> str:
    """Draw what is inside a process or a subprocess."""
    drawn = [element.replace('"ID', f'"{identity}') for identity, element in elements.items()]
    for chain in filter(None, (part.strip() for part in flows.split(";"))):
        drawn += [
            f'<bpmn:sequenceFlow id="{source}-{target}" sourceRef="{source}" targetRef="{target}" />'
            for source, target in pairwise(name.strip() for name in chain.split(">"))
        ]
    return "\n".join(drawn)


def condition(source: str, target: str, expression: str) -> str:
    """Draw a sequence flow with a condition; it goes among the elements under any name."""
    return (
        f'<bpmn:sequenceFlow id="{source}-{target}" sourceRef="{source}" targetRef="{target}">'
        f'<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{escape(expression)}</bpmn:conditionExpression>'
        "</bpmn:sequenceFlow>"
    )


def element(name: str, *, attributes: str = "", extensions: str = "", content: str = "") -> str:
    """Draw any element; its id is filled in by `draw`."""
    extended = f"<bpmn:extensionElements>{extensions}</bpmn:extensionElements>" if extensions else ""
    return f'<bpmn:{name} id="ID" {attributes}>{extended}{content}</bpmn:{name}>'


def mapping(inputs: dict[str, str] | None = None, outputs: dict[str, str] | None = None) -> str:
    """Draw input and output mappings, target to source."""
    drawn = [
        f"<zeebe:input source={quoteattr(source)} target={quoteattr(target)} />"
        for target, source in (inputs or {}).items()
    ]
    drawn += [
        f"<zeebe:output source={quoteattr(source)} target={quoteattr(target)} />"
        for target, source in (outputs or {}).items()
    ]
    return f"<zeebe:ioMapping>{''.join(drawn)}</zeebe:ioMapping>"


def headers(*keys: str) -> str:
    """Draw task headers with the value v."""
    drawn = "".join(f'<zeebe:header key="{key}" value="v" />' for key in keys)
    return f"<zeebe:taskHeaders>{drawn}</zeebe:taskHeaders>"


def start(*, message: str = "", extensions: str = "") -> str:
    """Draw a start event, by a message if one is named."""
    content = f'<bpmn:messageEventDefinition id="def-{message}" messageRef="{message}" />' if message else ""
    return element("startEvent", extensions=extensions, content=content)


def end(extensions: str = "", content: str = "") -> str:
    """Draw an end event."""
    return element("endEvent", extensions=extensions, content=content)


def task(job_type: str, *, retries: str = "3", extensions: str = "", attributes: str = "") -> str:
    """Draw a service task."""
    definition = f"<zeebe:taskDefinition type={quoteattr(job_type)} retries={quoteattr(retries)} />"
    return element("serviceTask", attributes=attributes, extensions=definition + extensions)


def handler(job_type: str) -> str:
    """Draw a service task that undoes something."""
    return task(job_type, attributes='isForCompensation="true"')


def undone_by(activity: str, handler_id: str) -> dict[str, str]:
    """Draw the compensation boundary event of an activity, and its association with the handler."""
    boundary = element(
        "boundaryEvent",
        attributes=f'attachedToRef="{activity}"',
        content=f'<bpmn:compensateEventDefinition id="undo-def-{activity}" />',
    )
    association = f'<bpmn:association id="ID" sourceRef="undo-{activity}" targetRef="{handler_id}" />'
    return {f"undo-{activity}": boundary, f"association-{activity}": association}


def error_boundary(activity: str, error: str = "", extensions: str = "") -> str:
    """Draw a boundary event that catches an error, or every one."""
    reference = f'errorRef="{error}"' if error else ""
    return element(
        "boundaryEvent",
        attributes=f'attachedToRef="{activity}"',
        extensions=extensions,
        content=f'<bpmn:errorEventDefinition id="error-def-{activity}-{error}" {reference} />',
    )


def compensate(activity: str = "", kind: str = "intermediateThrowEvent") -> str:
    """Draw an event that has an activity undone, or all of them."""
    reference = f'activityRef="{activity}"' if activity else ""
    return element(kind, content=f'<bpmn:compensateEventDefinition id="throw-def-{activity}-{kind}" {reference} />')


def gateway(default: str = "") -> str:
    """Draw an exclusive gateway; `default` is the element that its default flow leads to."""
    return element("exclusiveGateway", attributes=f'default="ID-{default}"' if default else "")


def user_task(*, extensions: str = "", attributes: str = "") -> str:
    """Draw a Camunda user task."""
    return element("userTask", attributes=attributes, extensions="<zeebe:userTask />" + extensions)


def message_boundary(activity: str, message: str, *, interrupting: bool = True, extensions: str = "") -> str:
    """Draw a boundary event that waits for a message."""
    return element(
        "boundaryEvent",
        attributes=f'attachedToRef="{activity}" cancelActivity="{str(interrupting).lower()}"',
        extensions=extensions,
        content=f'<bpmn:messageEventDefinition id="message-def-{activity}-{message}" messageRef="{message}" />',
    )


def event_subprocess(content: str, extensions: str = "") -> str:
    """Draw an event subprocess."""
    return element("subProcess", attributes='triggeredByEvent="true"', extensions=extensions, content=content)


def error_start(error: str = "", extensions: str = "") -> str:
    """Draw the start event of an event subprocess that catches an error, or every one."""
    reference = f'errorRef="{error}"' if error else ""
    return element(
        "startEvent",
        extensions=extensions,
        content=f'<bpmn:errorEventDefinition id="start-def-{error}" {reference} />',
    )


def message_start(message: str, *, interrupting: bool, extensions: str = "") -> str:
    """Draw the start event of an event subprocess that waits for a message."""
    return element(
        "startEvent",
        attributes=f'isInterrupting="{str(interrupting).lower()}"',
        extensions=extensions,
        content=f'<bpmn:messageEventDefinition id="start-def-{message}" messageRef="{message}" />',
    )


def message(name: str, key: str = "") -> str:
    """Draw a message, with the expression of its correlation key; its id is its name."""
    subscription = (
        f"<bpmn:extensionElements><zeebe:subscription correlationKey={quoteattr(key)} /></bpmn:extensionElements>"
        if key
        else ""
    )
    return f'<bpmn:message id="{name}" name="{name}">{subscription}</bpmn:message>'


def error(code: str) -> str:
    """Draw an error; its id is its code."""
    return f'<bpmn:error id="{code}" name="{code}" errorCode="{code}" />'


def timer(kind: str, value: str) -> str:
    """Draw the definition of a timer."""
    name = f"time{kind.capitalize()}"
    return (
        f'<bpmn:timerEventDefinition id="timer-{kind}"><bpmn:{name}>{value}</bpmn:{name}></bpmn:timerEventDefinition>'
    )


def catch(content: str, extensions: str = "") -> str:
    """Draw an intermediate catch event."""
    return element("intermediateCatchEvent", content=content, extensions=extensions)


def awaits(name: str) -> str:
    """Draw the definition of an event that waits for a message."""
    return f'<bpmn:messageEventDefinition id="awaits-{name}" messageRef="{name}" />'


def boundary(activity: str, content: str, *, interrupting: bool = True, extensions: str = "") -> str:
    """Draw a boundary event."""
    attributes = f'attachedToRef="{activity}" cancelActivity="{str(interrupting).lower()}"'
    return element("boundaryEvent", attributes=attributes, content=content, extensions=extensions)


def subprocess(content: str, extensions: str = "") -> str:
    """Draw an embedded subprocess."""
    return element("subProcess", content=content, extensions=extensions)


def call(process: str, *, attributes: str = "", extensions: str = "") -> str:
    """Draw a call activity."""
    return element(
        "callActivity", extensions=f'<zeebe:calledElement processId="{process}" {attributes} />' + extensions
    )


def loop(activity: str, items: str, item: str = "item", output: str = "", collection: str = "") -> str:
    """Repeat an activity for each item of a list."""
    collected = f'outputElement="{output}" outputCollection="{collection}"' if output else ""
    characteristics = (
        "<bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        f'<zeebe:loopCharacteristics inputCollection="{items}" inputElement="{item}" {collected} />'
        "</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics>"
    )
    before, closing, after = activity.rpartition("</bpmn:")
    return before + characteristics + closing + after
