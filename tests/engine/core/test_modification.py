import json
from typing import Any

import pytest

from tests.engine.core.bench import Bench, activation, modification
from tests.engine.drawing import (
    condition,
    draw,
    element,
    end,
    error_boundary,
    error_start,
    event_subprocess,
    gateway,
    inside,
    mapping,
    message,
    message_start,
    start,
    subprocess,
    task,
)

FORK = element("parallelGateway")
ROW = draw("p", "start > a > b > end", start=start(), a=task("a"), b=task("b"), end=end(), caught=error_boundary("a"))


def refused(bench: Bench, key: int, *activate: dict[str, Any], terminate: tuple[int, ...] = ()) -> tuple[str, str]:
    value = modification(*activate, terminate=terminate)
    rejection = bench.refused("PROCESS_INSTANCE_MODIFICATION", "MODIFY", key, **value)
    return rejection.code, rejection.reason


def test_a_modification_moves_an_instance_on(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    old = bench.job("a")
    bench.modify(instance, activation("b"), terminate=(old["elementInstanceKey"],))
    assert bench.refused("JOB", "COMPLETE", old["key"], variables="{}").code == "NOT_FOUND"
    bench.complete("b")
    assert bench.fate(instance) == "COMPLETED"
    assert [record.value["elementId"] for record in bench.events("PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN")] == [
        "start-a",
        "b-end",
    ]


def test_a_task_is_begun_anew_with_variables_of_its_own(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("a", extensions=mapping({"x": "=y"}))))
    instance = bench.create(y=1)
    old = bench.job("a")
    bench.modify(instance, activation("a", a={"y": 2}, root={"z": 3}), terminate=(old["elementInstanceKey"],))
    new = bench.complete("a")
    assert new["key"] > old["key"]
    assert new["variables"] == {"x": 2, "y": 2, "z": 3}
    assert bench.results == {instance: {"y": 1, "z": 3}}


def test_an_empty_modification_is_fine(bench: Bench) -> None:
    bench.deploy(ROW)
    bench.modify(bench.create())
    assert len(list(bench.events("PROCESS_INSTANCE_MODIFICATION", "MODIFIED"))) == 1


def test_elements_that_are_not_there_are_named(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    code, reason = refused(bench, instance, activation("x"), activation("b"), activation("y"))
    assert code == "INVALID_ARGUMENT"
    assert reason == (
        "Expected to modify instance of process 'p' but it contains one or more activate instructions with an element "
        "that could not be found: 'x', 'y'"
    )
    code, reason = refused(bench, instance, activation("b"), terminate=(4242,))
    assert reason.endswith("terminate instructions with an element instance that could not be found: '4242'")
    code, reason = refused(bench, instance, activation("b", nowhere={"v": 1}))
    assert reason.endswith("variable instructions with a scope element id that could not be found: 'nowhere'")
    assert refused(bench, instance, activation("b", a={"v": 1}))[0] == "INVALID_ARGUMENT"
    assert bench.jobs("b") == []


@pytest.mark.parametrize("element", ["start", "caught", "p"])
def test_what_begins_by_itself_is_not_activated(bench: Bench, element: str) -> None:
    bench.deploy(ROW)
    assert refused(bench, bench.create(), activation(element))[0] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("variables", ["[]", "{"])
def test_variables_that_are_no_object_are_refused(bench: Bench, variables: str) -> None:
    bench.deploy(ROW)
    given = {"elementId": "b", "variableInstructions": [{"elementId": "", "variables": variables}]}
    assert refused(bench, bench.create(), given)[0] == "INVALID_ARGUMENT"


def test_only_an_instance_that_lives_is_modified(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    element = bench.job("a")["elementInstanceKey"]
    for key in (4242, element):
        code, reason = refused(bench, key)
        assert code == "NOT_FOUND"
        assert reason == f"Expected to modify process instance but no process instance found with key '{key}'"
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert refused(bench, instance, activation("x"))[0] == "NOT_FOUND"


def test_an_element_that_has_ended_is_not_terminated_and_nothing_else_is_done(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    old = bench.complete("a")["elementInstanceKey"]
    assert refused(bench, instance, activation("a"), terminate=(old,))[0] == "INVALID_ARGUMENT"
    assert bench.jobs("a") == []


def test_an_element_of_another_instance_is_not_terminated(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    bench.create()
    assert refused(bench, instance, terminate=(bench.key_of("a"),))[0] == "INVALID_ARGUMENT"


def test_an_instance_without_an_active_element_is_terminated(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    bench.modify(instance, terminate=(bench.key_of("a"),))
    assert bench.fate(instance) == "TERMINATED"
    assert bench.results == {}


def test_what_is_terminated_takes_its_incident_with_it(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    bench.fail(bench.job("a")["key"], 0)
    bench.modify(instance, activation("b"), terminate=(bench.key_of("a"),))
    assert bench.incidents() == []
    assert [record.intent for record in bench.events("JOB") if record.value["type"] == "a"] == [
        *["CREATED", "FAILED", "CANCELED"]
    ]


INTERRUPTED = draw(
    "p",
    "start > a > end",
    message("m", '="1"'),
    start=start(),
    a=task("a"),
    end=end(),
    e=event_subprocess(
        inside("m > b > c", m=message_start("m", interrupting=True), b=task("b"), c=task("c")),
        extensions=mapping({"v": "=1"}),
    ),
)


def test_an_interrupting_event_subprocess_may_be_activated_without_interrupting(bench: Bench) -> None:
    bench.deploy(INTERRUPTED)
    instance = bench.create()
    bench.modify(instance, activation("e"))
    assert bench.path(instance)[-1] == "m"
    assert (len(bench.jobs("a")), len(bench.jobs("b"))) == (1, 1)
    assert bench.job("b")["variables"] == {"v": 1}
    bench.publish("m", "1")
    assert (bench.jobs("a"), len(bench.jobs("b"))) == ([], 1)


def test_a_scope_around_an_element_is_created_without_its_start_event_and_mappings(bench: Bench) -> None:
    bench.deploy(INTERRUPTED)
    instance = bench.create()
    bench.modify(instance, activation("c", e={"w": 2}, c={"x": 3}))
    assert bench.jobs("b") == []
    assert bench.complete("c")["variables"] == {"w": 2, "x": 3}
    assert (len(bench.jobs("a")), bench.variables(bench.key_of("e"))) == (1, {"w": 2})
    assert bench.path(instance)[-1] == "e"


def test_an_active_scope_is_used_again_and_of_several_one_has_to_be_named(bench: Bench) -> None:
    bench.deploy(INTERRUPTED.replace(b'isInterrupting="true"', b'isInterrupting="false"'))
    instance = bench.create()
    bench.publish("m", "1")
    first = bench.key_of("e")
    bench.modify(instance, activation("c"))
    assert bench.job("c")["elementInstanceKey"] in bench.engine.state.children[first]
    bench.publish("m", "1")
    code, reason = refused(bench, instance, activation("c"))
    assert code == "INVALID_ARGUMENT"
    assert "has several active instances" in reason
    bench.modify(instance, {**activation("c"), "ancestorScopeKey": first})
    assert len(bench.engine.state.children[first]) == 3


def test_a_scope_that_is_left_empty_is_terminated_and_so_is_the_instance(bench: Bench) -> None:
    bench.deploy(INTERRUPTED)
    instance = bench.create()
    bench.publish("m", "1")
    bench.modify(instance, terminate=(bench.key_of("b"),))
    assert bench.path(instance, "ELEMENT_TERMINATED") == ["a", "b", "e", "p"]


def test_an_element_and_what_is_in_it_may_both_be_terminated(bench: Bench) -> None:
    bench.deploy(INTERRUPTED)
    instance = bench.create()
    bench.publish("m", "1")
    bench.modify(instance, activation("a"), terminate=(bench.key_of("e"), bench.key_of("b")))
    bench.complete("a")
    assert bench.fate(instance) == "COMPLETED"


def test_a_step_that_fails_in_a_modification_is_an_incident(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a; g > b",
            start=start(),
            a=task("a"),
            g=gateway(),
            b=task("b"),
            f=condition("g", "a", "=x").replace("g-a", "g-2"),
        )
        .replace(b'targetRef="b"', b'targetRef="b"')
        .replace(b'<bpmn:exclusiveGateway id="g" ', b'<bpmn:exclusiveGateway id="g" default="g-b" ')
    )
    instance = bench.create()
    bench.modify(instance, activation("g"))
    assert bench.incident()["errorType"] == "EXTRACT_VALUE_ERROR"
    bench.set_variables(instance, x=False)
    bench.resolve()
    assert len(bench.jobs("b")) == 1


def test_a_scope_whose_subscription_cannot_be_had_refuses_the_modification(bench: Bench) -> None:
    inner = event_subprocess(inside("n > c", n=message_start("n", interrupting=False), c=task("c")))
    outer = event_subprocess(inside("s > b", s=error_start(), b=task("b"), inner=inner))
    bench.deploy(draw("p", "start > a", message("n", "=k"), start=start(), a=task("a"), e=outer))
    code, reason = refused(bench, bench.create(), activation("b"))
    assert code == "INVALID_ARGUMENT"
    assert "Expected to subscribe to catch event(s) of 'b' but Failed to extract" in reason


def test_the_record_of_a_modification_says_what_was_asked_for(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    bench.modify(instance, activation("b", root={"v": 1}))
    (record,) = bench.events("PROCESS_INSTANCE_MODIFICATION")
    assert record.key == instance
    given = record.value["activateInstructions"][0]["variableInstructions"][0]
    assert json.loads(given["variables"]) == {"v": 1}


def test_an_element_that_ends_at_once_keeps_its_scope_while_the_others_are_terminated(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create()
    bench.modify(instance, activation("end"), terminate=(bench.job("a")["elementInstanceKey"],))
    assert bench.fate(instance) == "COMPLETED"


def test_an_element_that_is_entered_in_a_scope_that_is_terminated_is_not_activated(bench: Bench) -> None:
    content = inside("in > c", **{"in": start(), "c": task("c")})
    bench.deploy(draw("p", "start > fork > s; fork > b", start=start(), fork=FORK, s=subprocess(content), b=task("b")))
    instance = bench.create()
    (scope,) = (
        record.key
        for record in bench.events("PROCESS_INSTANCE", "ELEMENT_ACTIVATED")
        if record.value["elementId"] == "s"
    )
    bench.modify(instance, activation("c"), terminate=(scope,))
    assert bench.activate("c") == []
    bench.complete("b")
    assert bench.fate(instance) == "COMPLETED"
