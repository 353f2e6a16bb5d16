import json
from typing import Any

import pytest

from tests.engine.core.bench import Bench, creation
from tests.engine.drawing import (
    compensate,
    draw,
    end,
    error_boundary,
    error_start,
    event_subprocess,
    handler,
    inside,
    mapping,
    message,
    message_start,
    start,
    task,
    undone_by,
)

ONE = draw("p", "start > a > end", start=start(), a=task("t"), end=end())
ROW = draw("p", "start > a > b > end", start=start(), a=task("a"), b=task("b"), end=end())


def refused(bench: Bench, process: str = "p", **more: Any) -> tuple[str, str]:  # noqa: ANN401 - any field
    rejection = bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **{**creation(process), **more})
    return rejection.code, rejection.reason


def test_the_path_of_an_instance_is_told_in_order(bench: Bench) -> None:
    bench.deploy(ONE)
    instance = bench.create()
    bench.complete("t")
    told = [
        (record.value["elementId"], record.intent.removeprefix("ELEMENT_"))
        for record in bench.events("PROCESS_INSTANCE")
    ]
    life = ["ACTIVATING", "ACTIVATED", "COMPLETING", "COMPLETED"]
    assert told == [
        *[("p", intent) for intent in life[:2]],
        *[("start", intent) for intent in life],
        ("start-a", "SEQUENCE_FLOW_TAKEN"),
        *[("a", intent) for intent in life],
        ("a-end", "SEQUENCE_FLOW_TAKEN"),
        *[("end", intent) for intent in life],
        *[("p", intent) for intent in life[2:]],
    ]
    first = next(bench.events("PROCESS_INSTANCE"))
    assert first.key == first.value["processInstanceKey"] == instance
    assert first.value["bpmnElementType"] == "PROCESS"
    assert first.value["flowScopeKey"] == first.value["parentProcessInstanceKey"] == -1


def test_elements_say_what_they_are(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > undo > end",
            start=start(),
            a=task("t", attributes='name="Do it"'),
            b=handler("h"),
            undo=compensate(),
            end=end(),
            **undone_by("a", "b"),
        )
    )
    bench.create()
    bench.complete("t")
    said = {
        record.value["elementId"]: (
            record.value["elementName"],
            record.value["bpmnElementType"],
            record.value["bpmnEventType"],
        )
        for record in bench.events("PROCESS_INSTANCE", "ELEMENT_ACTIVATING")
    }
    assert said == {
        "p": ("", "PROCESS", "NONE"),
        "start": ("", "START_EVENT", "NONE"),
        "a": ("Do it", "SERVICE_TASK", "UNSPECIFIED"),
        "undo": ("", "INTERMEDIATE_THROW_EVENT", "COMPENSATION"),
        "undo-a": ("", "BOUNDARY_EVENT", "COMPENSATION"),
        "b": ("", "SERVICE_TASK", "COMPENSATION"),
    }


def test_an_unknown_process_comes_before_an_unknown_element(bench: Bench) -> None:
    bench.deploy(ONE)
    at: dict[str, Any] = {"startInstructions": [{"elementId": "-"}]}
    assert refused(bench, "q") == (
        "NOT_FOUND",
        "Expected to find process definition with process ID 'q', but none found",
    )
    assert refused(bench, "q", **at)[0] == "NOT_FOUND"
    assert refused(bench, **at) == (
        "INVALID_ARGUMENT",
        "Expected to create instance of process with start instructions but no element found with id '-'.",
    )
    assert refused(bench, version=7)[0] == refused(bench, processDefinitionKey=4242)[0] == "NOT_FOUND"
    assert refused(bench, "")[0] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("element", ["start", "p", "caught", "start-a"])
def test_an_instance_is_not_started_at_what_no_flow_leads_to(bench: Bench, element: str) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("t"), caught=error_boundary("a")))
    assert refused(bench, startInstructions=[{"elementId": element}])[0] == "INVALID_ARGUMENT"


def test_an_older_version_is_started_by_its_number_or_its_key(bench: Bench) -> None:
    first = bench.deploy(ONE)["processesMetadata"][0]["processDefinitionKey"]
    bench.deploy(ONE + b"\n")
    by_number = bench.do("PROCESS_INSTANCE_CREATION", "CREATE", **{**creation(), "version": 1})
    by_key = bench.do("PROCESS_INSTANCE_CREATION", "CREATE", **{**creation(""), "processDefinitionKey": first})
    latest = bench.do("PROCESS_INSTANCE_CREATION", "CREATE", **creation())
    assert [answer["version"] for answer in (by_number, by_key, latest)] == [1, 1, 2]
    assert {job["processDefinitionVersion"] for job in bench.activate("t")} == {1, 2}


def test_running_instances_stay_on_their_version(bench: Bench) -> None:
    bench.deploy(ROW)
    bench.create()
    bench.deploy(ONE)
    bench.complete("a")
    bench.complete("b")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ("[1]", "Expected document to be a root level object, but was 'ARRAY'"),
        ("1", "'NUMBER'"),
        ("null", "'NULL'"),
        ('"x"', "'STRING'"),
        ("true", "'BOOLEAN'"),
        ("{", "Invalid JSON value"),
        ("{'a': 1}", "Invalid JSON value"),
        ('{"a": NaN}', "Invalid JSON value"),
        ('{"a": 1} {}', "Invalid JSON value"),
    ],
)
def test_variables_that_are_no_object_are_refused(bench: Bench, variables: str, told: str) -> None:
    bench.deploy(ONE)
    code, reason = refused(bench, variables=variables)
    assert code == "INVALID_ARGUMENT"
    assert told in reason


def test_empty_text_stands_for_no_variables(bench: Bench) -> None:
    bench.deploy(ONE)
    bench.do("PROCESS_INSTANCE_CREATION", "CREATE", **creation(variables=""))
    assert bench.job("t")["variables"] == {}


def test_a_result_has_the_variables_that_were_asked_for(bench: Bench) -> None:
    bench.deploy(draw("p", "start > end", start=start(), end=end()))
    value = {**creation(variables='{"a": 1, "b": 2}'), "fetchVariables": ["b", "c"]}
    answer = bench.send("PROCESS_INSTANCE_CREATION", "CREATE_WITH_AWAITING_RESULT", **value)
    assert [json.loads(text) for text in answer.results.values()] == [{"b": 2}]
    assert bench.send("PROCESS_INSTANCE_CREATION", "CREATE", **value).results == {}


def test_an_instance_that_is_cancelled_has_no_result(bench: Bench) -> None:
    bench.deploy(ONE)
    instance = bench.create()
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.results == {}
    assert bench.engine.state.tables.results == {}


def test_an_instance_may_start_at_an_element(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create(starts=["b"], x=1)
    assert bench.jobs("a") == []
    bench.complete("b")
    assert bench.path(instance) == ["b", "end", "p"]
    assert bench.results == {instance: {"x": 1}}


def test_an_instance_may_start_at_several_elements(bench: Bench) -> None:
    bench.deploy(ROW)
    instance = bench.create(starts=["a", "b", "b"])
    assert (len(bench.jobs("a")), len(bench.jobs("b"))) == (1, 2)
    bench.complete("a")
    for key in bench.jobs("b"):
        bench.do("JOB", "COMPLETE", key, variables="{}")
    assert bench.fate(instance) == "COMPLETED"


INNER = draw(
    "p",
    "start > a > end",
    message("m", "=k"),
    start=start(),
    a=task("a"),
    undo=handler("undo"),
    end=end(),
    e=event_subprocess(
        inside("s > b > t", s=error_start(), b=task("b"), t=end()), extensions=mapping({"v": '="from outside"'})
    ),
    f=event_subprocess(inside("u > c", u=message_start("m", interrupting=False), c=task("c"))),
    **undone_by("a", "undo"),
)


def test_an_instance_may_start_inside_of_an_event_subprocess_without_its_start_event_and_mappings(bench: Bench) -> None:
    bench.deploy(INNER)
    instance = bench.create(starts=["b"], k="1")
    assert bench.jobs("a") == []
    bench.publish("m", "1")
    assert len(bench.jobs("c")) == 1
    assert "v" not in bench.complete("b")["variables"]
    bench.complete("c")
    assert bench.path(instance) == ["u", "b", "t", "e", "c", "f", "p"]


def test_an_instance_may_start_at_a_compensation_handler(bench: Bench) -> None:
    bench.deploy(INNER)
    instance = bench.create(starts=["undo"], k="1")
    bench.complete("undo")
    assert bench.fate(instance) == "COMPLETED"


def test_a_start_at_an_element_is_refused_where_a_subscription_cannot_be_had(bench: Bench) -> None:
    bench.deploy(INNER)
    code, reason = refused(bench, startInstructions=[{"elementId": "a"}])
    assert code == "INVALID_ARGUMENT"
    assert "Expected to subscribe to catch event(s) of 'p' but Failed to extract the correlation key" in reason


def test_a_process_without_none_start_is_not_created(bench: Bench) -> None:
    bench.deploy(draw("p", beside=message("m"), start=start(message="m")))
    assert refused(bench)[0] == "INVALID_STATE"


def test_a_path_without_end_event_ends_the_instance(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("t")))
    instance = bench.create()
    bench.complete("t")
    assert bench.fate(instance) == "COMPLETED"


def test_several_flows_out_of_a_task_are_all_taken(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a; a > b; a > c", start=start(), a=task("a"), b=task("b"), c=task("c")))
    instance = bench.create()
    bench.complete("a")
    bench.complete("b")
    assert bench.fate(instance) == "ACTIVE"
    bench.complete("c")
    assert bench.fate(instance) == "COMPLETED"
