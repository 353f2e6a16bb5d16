import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    compensate,
    condition,
    draw,
    element,
    end,
    error,
    error_boundary,
    error_start,
    event_subprocess,
    gateway,
    handler,
    headers,
    inside,
    mapping,
    message,
    message_boundary,
    message_start,
    start,
    task,
    undone_by,
    user_task,
)

_TWO = {"start": start(), "a": task("t"), "end": end()}
_ROW = "start > a > end"


def _handled(flows: str = "", **more: str) -> bytes:
    return draw("p", f"{_ROW}; {flows}", **_TWO, b=handler("undo"), **undone_by("a", "b"), **more)


def _error_end(extra: str) -> str:
    return element("endEvent", content=f'<bpmn:compensateEventDefinition id="d" {extra} />')


BAD: dict[str, tuple[bytes, str]] = {
    "no start event": (draw("p", "a > end", a=task("t"), end=end()), "Must have at least one start event"),
    "two none start events": (draw("p", one=start(), two=start()), "Multiple none start events are not allowed"),
    "a start event of two types": (
        draw("p", s=element("startEvent", content="<bpmn:messageEventDefinition /><bpmn:timerEventDefinition />")),
        "Start event can't have more than one type",
    ),
    "nothing executable": (
        draw("p", start=start()).replace(b'isExecutable="true"', b'isExecutable="false"'),
        "Must contain at least one executable process",
    ),
    "a process without id": (draw("", start=start()), "Attribute 'id' must be present and not empty"),
    "a task without definition": (
        draw("p", _ROW, **{**_TWO, "a": element("serviceTask")}),
        "Must have exactly one 'zeebe:taskDefinition' extension element",
    ),
    "a task without type": (
        draw("p", _ROW, **{**_TWO, "a": task("")}),
        "Element: a > taskDefinition\n    - ERROR: Attribute 'type' must be present and not empty",
    ),
    "a message without name": (
        draw("p", beside='<bpmn:message id="m" />', start=start(message="m")),
        "Name must be present and not empty",
    ),
    "a message event without reference": (draw("p", start=start(message="m")), "Must reference a message"),
    "a message event without subscription": (
        draw(
            "p", beside=message("m"), start=start(), e=event_subprocess(inside(s=message_start("m", interrupting=True)))
        ),
        "Must have exactly one zeebe:subscription extension element",
    ),
    "a subscription without key": (
        draw(
            "p",
            beside=message("m", "=x").replace("=x", ""),
            start=start(),
            e=event_subprocess(inside(s=message_start("m", interrupting=True))),
        ),
        "Attribute 'correlationKey' must be present and not empty",
    ),
    "a static correlation key": (
        draw(
            "p",
            beside=message("m", "x"),
            start=start(),
            e=event_subprocess(inside(s=message_start("m", interrupting=True))),
        ),
        "Expected expression but found static value 'x'. An expression must start with '=' (e.g. '=x').",
    ),
    "two start events on one message": (
        draw("p", beside=message("m"), one=start(message="m"), two=start(message="m").replace("def-m", "def-2")),
        "A message cannot be referred by more than one start event",
    ),
    "two start events on messages of one name": (
        draw(
            "p",
            beside=message("m") + '<bpmn:message id="n" name="m" />',
            one=start(message="m"),
            two=start(message="n"),
        ),
        "Multiple message event definitions with the same name 'm' are not allowed.",
    ),
    "the same message twice on an activity": (
        draw(
            "p",
            _ROW,
            message("m", "=x") + message("n", "=x").replace('name="n"', 'name="m"'),
            **_TWO,
            one=message_boundary("a", "m"),
            two=message_boundary("a", "n"),
        ),
        "Multiple message event definitions with the same name 'm' are not allowed.",
    ),
    "a boundary event of nothing": (draw("p", start=start(), b=error_boundary("x")), "Must be attached to an activity"),
    "a boundary event of an event": (
        draw("p", start=start(), b=error_boundary("start")),
        "Must be attached to an activity",
    ),
    "a flow into a boundary event": (
        draw("p", f"{_ROW}; a > b", **_TWO, b=error_boundary("a")),
        "Cannot have incoming sequence flows",
    ),
    "a boundary event without definition": (
        draw("p", _ROW, **_TWO, b=element("boundaryEvent", attributes='attachedToRef="a"')),
        "Must have exactly one event definition",
    ),
    "a non-interrupting error boundary": (
        draw("p", _ROW, **_TWO, b=error_boundary("a").replace("attached", 'cancelActivity="false" attached', 1)),
        "Non-Interrupting event of this type is not allowed",
    ),
    "a non-interrupting error start": (
        draw(
            "p",
            start=start(),
            e=event_subprocess(inside(s=error_start().replace("<bpmn:error", "X<bpmn:error").replace("X", ""))).replace(
                'id="s"', 'id="s" isInterrupting="false"'
            ),
        ),
        "Non-Interrupting event of this type is not allowed",
    ),
    "one error code twice": (
        draw(
            "p", _ROW, error("E"), **_TWO, b=error_boundary("a", "E"), c=error_boundary("a", "E").replace("-def", "-2")
        ),
        "Multiple error catch events with the same error code 'E' are not supported on the same scope.",
    ),
    "two catch-alls": (
        draw("p", _ROW, **_TWO, b=error_boundary("a"), c=error_boundary("a").replace("-def", "-2")),
        "The same scope can not contain more than one error catch event without error code.",
    ),
    "an error that is not defined": (draw("p", _ROW, **_TWO, b=error_boundary("a", "E")), "Must reference an error"),
    "an expression as the code of a catch event": (
        draw("p", _ROW, '<bpmn:error id="E" errorCode="=x" />', **_TWO, b=error_boundary("a", "E")),
        "The errorCode of the error catch event is not allowed to be an expression",
    ),
    "an event subprocess of two start events": (
        draw("p", start=start(), e=event_subprocess(inside(s=error_start(), t=error_start().replace("def", "2")))),
        "Must have exactly one start event",
    ),
    "an event subprocess of a none start event": (
        draw("p", start=start(), e=event_subprocess(inside(s=start()))),
        "Start events in event subprocesses must be one of: message, timer, error, signal or escalation",
    ),
    "an error start event of a process": (
        draw("p", start=error_start()),
        "Start events of a process must be one of: none, message",
    ),
    "a compensation boundary without handler": (
        draw("p", _ROW, **_TWO, **{"undo-a": undone_by("a", "b")["undo-a"]}),
        "Compensation boundary events must have a compensation association and no outgoing sequence flows",
    ),
    "a compensation boundary with a flow": (
        _handled("undo-a > c", c=end()),
        "Compensation boundary events must have a compensation association and no outgoing sequence flows",
    ),
    "a handler with a flow out": (
        _handled("b > c", c=end()),
        "A compensation handler should have no outgoing sequence flows",
    ),
    "a handler with a flow in": (_handled("a > b"), "A compensation handler should have no incoming sequence flows"),
    "a handler with a boundary event": (
        _handled(c=error_boundary("b")),
        "A compensation handler should have no boundary events",
    ),
    "two compensation boundaries of one activity": (
        _handled(c=undone_by("a", "b")["undo-a"].replace("undo-def", "2")),
        "An activity can have one compensation boundary event only",
    ),
    "a throw that does not wait": (
        draw("p", "start > end", start=start(), end=_error_end('waitForCompletion="false"')),
        "A compensation intermediate throwing event waitForCompletion attribute must be true or not present",
    ),
    "a throw to what is not there": (
        draw("p", "start > end", start=start(), end=_error_end('activityRef="x"')),
        "The referenced compensation activity must be in the scope of the event",
    ),
    "a throw to what cannot be undone": (
        draw("p", "start > a > end", start=start(), a=task("t"), end=compensate("a", "endEvent")),
        "The referenced compensation activity must have a compensation boundary event",
    ),
    "output mappings of a compensation end event": (
        draw(
            "p",
            "start > end",
            start=start(),
            end=element(
                "endEvent",
                extensions=mapping(outputs={"x": "=1"}),
                content='<bpmn:compensateEventDefinition id="d" />',
            ),
        ),
        "Output mappings are not supported on compensation end events",
    ),
    "a flow without condition at a gateway of several": (
        draw("p", "start > g > a; g > b", start=start(), g=gateway(), a=end(), b=end()),
        "Must have a condition or be default flow",
    ),
    "an output mapping of a static source": (
        draw("p", _ROW, **{**_TWO, "a": task("t", extensions=mapping(outputs={"x": "y"}))}),
        "Expected expression but found static value 'y'. An expression must start with '=' (e.g. '=y').",
    ),
    "an output mapping of nothing": (
        draw("p", _ROW, **{**_TWO, "a": task("t", extensions=mapping(outputs={"x": ""}))}),
        "Expected expression but not found.",
    ),
    "a mapping to a reserved word": (
        draw("p", _ROW, **{**_TWO, "a": task("t", extensions=mapping({"a.null": "=1"}))}),
        "Expected path expression 'a.null' but",
    ),
    "a mapping to what is no name": (
        draw("p", _ROW, **{**_TWO, "a": task("t", extensions=mapping({"a-b": "=1"}))}),
        "Expected path expression 'a-b' but",
    ),
    "a reserved header": (
        draw(
            "p",
            _ROW,
            **{**_TWO, "a": task("t", extensions=headers("io.camunda.zeebe:x"))},
        ),
        "starts with the reserved 'io.camunda.zeebe:'",
    ),
    "a flow to nothing": (
        draw("p", f"{_ROW}; a > b", **_TWO),
        "Attribute 'targetRef' must reference a valid flow node",
    ),
    "a flow from nothing": (
        draw("p", f"{_ROW}; b > a", **_TWO),
        "Attribute 'sourceRef' must reference a valid flow node",
    ),
    "a flow out of its scope": (
        draw("p", "start > b", start=start(), e=event_subprocess(inside("s > b", s=error_start(), b=end()))),
        "A sequence flow cannot leave its scope",
    ),
    "two flows of one id": (
        draw("p", "start > a", **_TWO, again='<bpmn:sequenceFlow id="start-a" sourceRef="a" targetRef="end" />'),
        "Ids of elements must be present and unique",
    ),
    "two elements of one id": (
        draw("p", "start > a", start=start(), a=task("t"), b=task("t").replace('"ID"', '"a"')),
        "Ids of elements must be present and unique",
    ),
    "a form by two ways": (
        draw(
            "p", "start > a", start=start(), a=user_task(extensions='<zeebe:formDefinition formId="f" formKey="k" />')
        ),
        "Exactly one of the attributes 'formId, externalReference' must be present and not blank",
    ),
    "candidates with a hole": (
        draw(
            "p",
            "start > a",
            start=start(),
            a=user_task(extensions='<zeebe:assignmentDefinition candidateUsers="1,," />'),
        ),
        "Attribute 'candidateUsers' must be a list of names with commas between them",
    ),
    "a priority out of range": (
        draw("p", "start > a", start=start(), a=user_task(extensions='<zeebe:priorityDefinition priority="101" />')),
        "Attribute 'priority' must be a whole number from 0 to 100",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_diagram_is_refused_with_its_reason(bench: Bench, name: str) -> None:
    diagram, reason = BAD[name]
    assert reason in bench.refused_deployment(diagram)


def test_an_expression_that_cannot_be_parsed_is_refused_with_its_place_and_its_text(bench: Bench) -> None:
    reason = bench.refused_deployment(
        draw("p", "start > g > b", start=start(), g=gateway("b"), a=end(), b=end(), f=condition("g", "a", "=a & b"))
    )
    assert "Element: g-a > conditionExpression" in reason
    assert "failed to parse expression 'a & b'" in reason


def test_a_catch_all_and_a_code_on_one_task_are_fine(bench: Bench) -> None:
    bench.deploy(draw("p", _ROW, error("E"), **_TWO, b=error_boundary("a", "E"), c=error_boundary("a")))
