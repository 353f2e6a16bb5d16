"""Small processes: a task, a user task with a form, an event subprocess behind a message, a loop."""

import json

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
    xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="d" targetNamespace="http://bpmn.io/schema/bpmn">
"""


def process(process_id: str, inside: str, *, name: str = "", roots: str = "") -> bytes:
    """Return a diagram; `inside` stands between the start event and the end event `End`, entered by the flow `f1`."""
    named = f' name="{name}"' if name else ""
    return f"""{_HEAD}
    {roots}
    <bpmn:process id="{process_id}"{named} isExecutable="true">
      <bpmn:startEvent id="Start"><bpmn:outgoing>f1</bpmn:outgoing></bpmn:startEvent>
      {inside}
      <bpmn:endEvent id="End"><bpmn:incoming>f2</bpmn:incoming></bpmn:endEvent>
    </bpmn:process></bpmn:definitions>""".encode()


def flows(element_id: str) -> str:
    """Return the flows from the start over an element to the end."""
    return f"""
      <bpmn:sequenceFlow id="f1" sourceRef="Start" targetRef="{element_id}" />
      <bpmn:sequenceFlow id="f2" sourceRef="{element_id}" targetRef="End" />"""


def task(process_id: str, job_type: str = "pay", mapping: str = "") -> bytes:
    """Return a process with one task, Pay."""
    return process(
        process_id,
        f"""<bpmn:serviceTask id="Pay" name="Take the payment"><bpmn:extensionElements>
            <zeebe:taskDefinition type="{job_type}" retries="3" />
            <zeebe:taskHeaders><zeebe:header key="currency" value="EUR" /></zeebe:taskHeaders>
            <zeebe:ioMapping>{mapping}</zeebe:ioMapping></bpmn:extensionElements>
            <bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing></bpmn:serviceTask>{flows("Pay")}""",
        name=process_id.title(),
    )


FORM = json.dumps({"id": "ask-form", "type": "default", "components": []}).encode()

ASK = process(
    "ask",
    f"""<bpmn:userTask id="Ask"><bpmn:extensionElements>
        <zeebe:userTask /><zeebe:formDefinition formId="ask-form" />
        <zeebe:assignmentDefinition assignee="ann" candidateGroups="sales,support" />
        <zeebe:ioMapping><zeebe:input source="=1" target="local" /></zeebe:ioMapping></bpmn:extensionElements>
        <bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing></bpmn:userTask>{flows("Ask")}""",
)

_MESSAGE = """<bpmn:message id="m" name="Cancel"><bpmn:extensionElements>
    <zeebe:subscription correlationKey="=orderId" /></bpmn:extensionElements></bpmn:message>"""


def cancelable(process_id: str, *, interrupting: bool) -> bytes:
    """Return a process with a task, Pay, and an event subprocess, Cancel, whose task has a variable of its own."""
    start = "true" if interrupting else "false"
    return process(
        process_id,
        f"""<bpmn:serviceTask id="Pay"><bpmn:extensionElements><zeebe:taskDefinition type="{process_id}-pay" />
            </bpmn:extensionElements><bpmn:incoming>f1</bpmn:incoming><bpmn:outgoing>f2</bpmn:outgoing>
            </bpmn:serviceTask>{flows("Pay")}
        <bpmn:subProcess id="Cancel" name="Cancel the order" triggeredByEvent="true">
        <bpmn:startEvent id="Canceling" isInterrupting="{start}"><bpmn:outgoing>g1</bpmn:outgoing>
            <bpmn:messageEventDefinition messageRef="m" /></bpmn:startEvent>
        <bpmn:serviceTask id="Inner"><bpmn:extensionElements><zeebe:taskDefinition type="{process_id}-inner" />
            <zeebe:ioMapping><zeebe:input source="=orderId" target="secret" /></zeebe:ioMapping>
            </bpmn:extensionElements>
            <bpmn:incoming>g1</bpmn:incoming><bpmn:outgoing>g2</bpmn:outgoing></bpmn:serviceTask>
        <bpmn:endEvent id="Canceled"><bpmn:incoming>g2</bpmn:incoming></bpmn:endEvent>
        <bpmn:sequenceFlow id="g1" sourceRef="Canceling" targetRef="Inner" />
        <bpmn:sequenceFlow id="g2" sourceRef="Inner" targetRef="Canceled" /></bpmn:subProcess>""",
        roots=_MESSAGE,
    )


LOOP = process(
    "loop",
    """<bpmn:serviceTask id="Again"><bpmn:extensionElements><zeebe:taskDefinition type="again" />
        </bpmn:extensionElements><bpmn:incoming>f1</bpmn:incoming><bpmn:incoming>back</bpmn:incoming>
        <bpmn:outgoing>on</bpmn:outgoing></bpmn:serviceTask>
    <bpmn:exclusiveGateway id="Done" default="back"><bpmn:incoming>on</bpmn:incoming>
        <bpmn:outgoing>f2</bpmn:outgoing><bpmn:outgoing>back</bpmn:outgoing></bpmn:exclusiveGateway>
    <bpmn:sequenceFlow id="f1" sourceRef="Start" targetRef="Again" />
    <bpmn:sequenceFlow id="on" sourceRef="Again" targetRef="Done" />
    <bpmn:sequenceFlow id="back" sourceRef="Done" targetRef="Again" />
    <bpmn:sequenceFlow id="f2" sourceRef="Done" targetRef="End">
        <bpmn:conditionExpression>=done</bpmn:conditionExpression></bpmn:sequenceFlow>""",
)

FILES = (
    ("order.bpmn", task("order")),
    ("ask.form", FORM),
    ("ask.bpmn", ASK),
    ("cancelable.bpmn", cancelable("cancelable", interrupting=False)),
    ("interruptible.bpmn", cancelable("interruptible", interrupting=True)),
    ("loop.bpmn", LOOP),
)
