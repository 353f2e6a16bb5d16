import json
import time
from typing import Any

import pytest

from tests.engine.core.bench import Bench, creation
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

P1 = draw("p", "start > a > end", start=start(), a=task("t"), end=end())
FIRST_KEY = 2251799813685249
FORM = json.dumps({"id": "f", "components": []}).encode()


def test_a_first_version_is_1_and_its_keys_are_of_partition_1(bench: Bench) -> None:
    deployed = bench.deploy(P1)
    assert deployed["deploymentKey"] == FIRST_KEY
    assert deployed["processesMetadata"] == [
        {"bpmnProcessId": "p", "version": 1, "processDefinitionKey": FIRST_KEY + 1, "resourceName": "process.bpmn"}
    ]


def test_what_was_deployed_last_is_not_deployed_again(bench: Bench) -> None:
    first, second = bench.deploy(P1), bench.deploy(P1)
    assert second["processesMetadata"] == first["processesMetadata"]
    assert second["deploymentKey"] > first["deploymentKey"]
    assert len(list(bench.events("PROCESS"))) == 1


def test_other_bytes_are_a_new_version_and_so_are_older_ones_again(bench: Bench) -> None:
    deployed = [bench.deploy(P1), bench.deploy(P1 + b"\n"), bench.deploy(P1)]
    assert [found["processesMetadata"][0]["version"] for found in deployed] == [1, 2, 3]


def test_the_same_bytes_under_another_name_are_a_new_version(bench: Bench) -> None:
    bench.deploy(P1)
    assert bench.deploy(P1, name="other.bpmn")["processesMetadata"][0]["version"] == 2


def test_where_one_of_two_resources_has_changed_both_become_new_versions(bench: Bench) -> None:
    other = draw("q", "start > end", start=start(), end=end())
    bench.deploy(P1, other)
    assert [found["version"] for found in bench.deploy(P1, other)["processesMetadata"]] == [1, 1]
    assert [found["version"] for found in bench.deploy(P1, other + b"\n")["processesMetadata"]] == [2, 2]


def test_one_invalid_resource_refuses_all(bench: Bench) -> None:
    bad = draw("q", "a > end", a=task("t"), end=end())
    assert "'1-process.bpmn'" in bench.refused_deployment(P1, bad)
    assert bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **creation("p")).code == "NOT_FOUND"


def test_a_deployment_of_nothing_is_refused(bench: Bench) -> None:
    assert bench.refused_deployment() == "Expected to deploy at least one resource, but none given"


def test_two_resources_of_one_process_id_are_refused_by_name(bench: Bench) -> None:
    reason = bench.refused_deployment(P1, P1 + b"\n")
    assert reason == (
        "Expected to deploy new resources, but encountered the following errors:\n"
        "Duplicated process id in resources '0-process.bpmn' and '1-process.bpmn'"
    )


def test_all_that_is_wrong_with_a_resource_is_told_at_once(bench: Bench) -> None:
    bad = draw("p", "start > a; start > b", start=start(), a=task(""), b=task("t", retries="many"))
    assert bench.refused_deployment(bad) == (
        "Expected to deploy new resources, but encountered the following errors:\n"
        "'0-process.bpmn': - Element: a > taskDefinition\n"
        "    - ERROR: Attribute 'type' must be present and not empty\n"
        "- Element: b > taskDefinition\n"
        "    - ERROR: Attribute 'retries' must be a whole number or an expression, but was 'many'"
    )


def test_a_file_of_several_processes_gives_one_entry_each_and_none_for_what_is_not_executable(bench: Bench) -> None:
    second = f'<bpmn:process id="q" isExecutable="true">{inside(begin=start())}</bpmn:process>'
    third = '<bpmn:process id="r" isExecutable="false"><bpmn:scriptTask id="s" /></bpmn:process>'
    deployed = bench.deploy(draw("p", beside=second + third, start=start()))
    assert [found["bpmnProcessId"] for found in deployed["processesMetadata"]] == ["p", "q"]
    for process in ("p", "q"):
        assert bench.fate(bench.create(process)) == "COMPLETED"


def test_none_and_message_start_live_together(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "none > a; by_message > b",
            message("m"),
            none=start(),
            by_message=start(message="m"),
            a=task("a"),
            b=task("b"),
        )
    )
    bench.create()
    bench.publish("m")
    assert (len(bench.jobs("a")), len(bench.jobs("b"))) == (1, 1)


def test_a_definition_that_is_wrong_and_unused_does_no_harm(bench: Bench) -> None:
    bench.deploy(draw("p", beside='<bpmn:message id="m" /><bpmn:error id="e" />', start=start()))


# -- what is refused ------------------------------------------------------------------------------------------------

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


UNSUPPORTED = {
    "AdHocSubProcess": element("adHocSubProcess"),
    "Transaction": element("transaction"),
    "ComplexGateway": element("complexGateway"),
    "InclusiveGateway": element("inclusiveGateway"),
    "IntermediateCatchEvent' with a definition of type 'signal": element(
        "intermediateCatchEvent", content="<bpmn:signalEventDefinition />"
    ),
    "EndEvent' with a definition of type 'escalation": end(content="<bpmn:escalationEventDefinition />"),
    "BoundaryEvent' with a definition of type 'signal": element(
        "boundaryEvent", attributes='attachedToRef="t"', content="<bpmn:signalEventDefinition />"
    ),
    "StandardLoopCharacteristics": task("x").replace(
        "</bpmn:service", "<bpmn:standardLoopCharacteristics /></bpmn:service"
    ),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_an_element_that_the_engine_lacks_is_refused_with_a_hint(bench: Bench, kind: str) -> None:
    reason = bench.refused_deployment(draw("p", "start > t", start=start(), t=task("t"), x=UNSUPPORTED[kind]))
    assert f"Element: x\n    - ERROR: Elements of type '{kind}' are currently not supported." in reason
    assert "The embedded engine does not run it; a Camunda 8 cluster may." in reason


def test_a_flow_to_an_element_that_the_engine_lacks_is_no_finding_of_its_own(bench: Bench) -> None:
    unsupported = element("inclusiveGateway")
    reason = bench.refused_deployment(draw("p", "start > x > end", start=start(), x=unsupported, end=end()))
    assert reason.count("ERROR") == 1


def test_a_job_based_user_task_is_refused_with_a_hint(bench: Bench) -> None:
    reason = bench.refused_deployment(draw("p", "start > a", start=start(), a=element("userTask")))
    assert "User tasks without the extension element 'zeebe:userTask'" in reason


@pytest.mark.parametrize("extension", ["executionListeners", "loopCharacteristics", "taskListeners", "whoKnows"])
def test_an_extension_that_could_change_the_execution_is_refused(bench: Bench, extension: str) -> None:
    drawn = draw("p", _ROW, **{**_TWO, "a": task("t", extensions=f"<zeebe:{extension} />")})
    assert f"Extension elements 'zeebe:{extension}' are currently not supported here." in bench.refused_deployment(
        drawn
    )
    drawn = draw(
        "p",
        "start > end",
        start=start(),
        end=end(),
        x=f"<bpmn:extensionElements><zeebe:{extension} /></bpmn:extensionElements>",
    )
    assert f"'zeebe:{extension}'" in bench.refused_deployment(drawn)


def test_notes_for_people_and_tools_are_ignored(bench: Bench) -> None:
    notes = (
        '<zeebe:properties><zeebe:property name="a" value="b" /></zeebe:properties>'
        '<other:thing xmlns:other="http://other" />'
    )
    drawn = draw(
        "p",
        _ROW,
        **{**_TWO, "a": task("t", extensions=notes, attributes='zeebe:modelerTemplate="x"')},
        text="<bpmn:textAnnotation id='ID'><bpmn:text>x</bpmn:text></bpmn:textAnnotation>",
        group='<bpmn:group id="ID" />',
        data='<bpmn:dataObjectReference id="ID" />',
        lanes='<bpmn:laneSet id="ID"><bpmn:lane id="lane" /></bpmn:laneSet>',
        note="<bpmn:documentation>x</bpmn:documentation>",
        beside='<bpmn:collaboration id="c"><bpmn:participant id="pool" processRef="p" /></bpmn:collaboration>',
    )
    bench.deploy(drawn)
    bench.create()
    bench.complete("t")


# -- documents that are none ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (P1[:-20], "not well-formed"),
        (b"", "not well-formed"),
        (b"\xff\xfe" + P1.decode().encode("utf-16-le"), "not UTF-8"),
        (b"<definitions />", "not a BPMN document"),
        (b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>' + P1[38:], "DOCTYPE"),
        (P1.replace(b"<bpmn:process", b"<!-- --><!doctype x><bpmn:process"), "DOCTYPE"),
        (P1 + b" " * 4_200_000, "at most 4194304"),
        (P1.replace(b"<bpmn:startEvent", b"<x>" * 300 + b"</x>" * 300 + b"<bpmn:startEvent"), "excessive depth"),
    ],
)
def test_a_document_that_is_none_or_not_safe_is_refused_by_name(bench: Bench, document: bytes, told: str) -> None:
    begun = time.monotonic()
    reason = bench.refused_deployment(document)
    assert time.monotonic() - begun < 1
    assert "'0-process.bpmn': " in reason
    assert told.lower() in reason.lower()


def test_entities_that_would_fill_the_memory_are_refused_within_a_second(bench: Bench) -> None:
    entities = "".join(f'<!ENTITY l{n + 1} "{f"&l{n};" * 10}">' for n in range(12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]><x>&l12;</x>'.encode()
    begun = time.monotonic()
    assert "DOCTYPE" in bench.refused_deployment(bomb)
    assert time.monotonic() - begun < 1


def test_a_diagram_full_of_loose_ends_is_refused_in_no_time(bench: Bench) -> None:
    flows = "".join(f'<bpmn:sequenceFlow id="f{n}" sourceRef="a{n}" targetRef="b{n}" />' for n in range(5_000))
    begun = time.monotonic()
    assert bench.refused_deployment(draw("p", start=start(), ends=flows)).count("sourceRef") == 5_000
    assert time.monotonic() - begun < 5


def test_resources_of_other_kinds_are_refused(bench: Bench) -> None:
    for name in ("a.dmn", "a.txt", "bpmn"):
        assert "Only resources whose names end with .bpmn or .form" in bench.refused_deployment(P1, name=name)


# -- forms, and deleting --------------------------------------------------------------------------------------------


def test_a_form_has_versions_of_its_own(bench: Bench) -> None:
    first = bench.deploy(FORM, name="f.form")["formMetadata"][0]
    assert (first["formId"], first["version"], first["resourceName"]) == ("f", 1, "f.form")
    assert bench.deploy(FORM, name="f.form")["formMetadata"] == [first]
    assert bench.deploy(FORM + b" ", name="f.form")["formMetadata"][0]["version"] == 2


@pytest.mark.parametrize("form", [b"{", b"[]", b"{}", b'{"id": 7}', b'{"id": ""}', b"[" * 100_000, b"\xff"])
def test_a_form_without_id_is_refused(bench: Bench, form: bytes) -> None:
    assert "'0-f.form': " in bench.refused_deployment(form, name="f.form")


def _delete(key: int) -> dict[str, Any]:
    return {"resourceKey": key}


def test_a_definition_with_running_instances_is_not_deleted(bench: Bench) -> None:
    key = bench.deploy(P1)["processesMetadata"][0]["processDefinitionKey"]
    bench.create()
    assert bench.refused("RESOURCE_DELETION", "DELETE", **_delete(key)).code == "INVALID_STATE"
    bench.complete("t")
    bench.do("RESOURCE_DELETION", "DELETE", **_delete(key))
    assert bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **creation("p")).code == "NOT_FOUND"
    assert bench.refused("RESOURCE_DELETION", "DELETE", **_delete(key)).code == "NOT_FOUND"
    assert bench.deploy(P1)["processesMetadata"][0]["version"] == 2


def test_where_the_latest_version_is_deleted_the_one_before_it_is_started(bench: Bench) -> None:
    def by(name: str) -> bytes:
        return draw("p", "start > a; none > a", message(name), start=start(message=name), none=start(), a=task(name))

    bench.deploy(by("one"))
    second = bench.deploy(by("two"))["processesMetadata"][0]["processDefinitionKey"]
    bench.publish("one")
    assert bench.jobs("one") == []
    bench.do("RESOURCE_DELETION", "DELETE", **_delete(second))
    bench.publish("two")
    bench.create()
    bench.publish("one")
    assert (len(bench.jobs("one")), len(bench.jobs("two"))) == (2, 0)


def test_a_form_is_deleted(bench: Bench) -> None:
    key = bench.deploy(FORM, name="f.form")["formMetadata"][0]["formKey"]
    bench.do("RESOURCE_DELETION", "DELETE", **_delete(key))
    assert bench.refused("RESOURCE_DELETION", "DELETE", **_delete(key)).code == "NOT_FOUND"


@pytest.mark.parametrize("sequential", ['isSequential="true"', ""])
def test_a_loop_one_after_the_other_or_until_a_condition_is_refused_with_a_hint(bench: Bench, sequential: str) -> None:
    condition = "" if sequential else "<bpmn:completionCondition>=true</bpmn:completionCondition>"
    loop = f"<bpmn:multiInstanceLoopCharacteristics {sequential}>{condition}</bpmn:multiInstanceLoopCharacteristics>"
    repeated = task("x").replace("</bpmn:service", f"{loop}</bpmn:service")
    reason = bench.refused_deployment(draw("p", "start > a", start=start(), a=repeated))
    assert "Sequential multi-instance activities, and those with a completion condition, are currently" in reason
