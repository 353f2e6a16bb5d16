from typing import Any

import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    draw,
    end,
    error,
    error_boundary,
    error_start,
    event_subprocess,
    inside,
    mapping,
    message,
    message_start,
    start,
    task,
)

ROW: dict[str, str] = {"start": start(), "a": task("t"), "end": end()}
FLOWS = "start > a > end"


def caught_at_boundaries(extensions: str = "") -> bytes:
    """A task with a boundary for the code E and one for all codes."""
    return draw(
        "p",
        f"{FLOWS}; all > b; exact > c",
        error("E"),
        **ROW,
        all=error_boundary("a", extensions=extensions),
        exact=error_boundary("a", "E", extensions=extensions),
        b=task("all"),
        c=task("exact"),
    )


def subprocess(code: str = "", job_type: str = "caught", extensions: str = "") -> str:
    """An error event subprocess with a task."""
    begin, inner = f"begin-{job_type}", f"task-{job_type}"
    return event_subprocess(
        inside(f"{begin} > {inner}", **{begin: error_start(code, extensions), inner: task(job_type)})
    )


def test_an_error_is_caught_by_the_boundary_event_of_its_code(bench: Bench) -> None:
    bench.deploy(caught_at_boundaries())
    instance = bench.create()
    job = bench.job("t")["key"]
    bench.throw(job, "E")
    assert (bench.jobs("exact"), bench.jobs("all")) == ([bench.jobs("exact")[0]], [])
    assert bench.refused("JOB", "COMPLETE", job, variables="{}").code == "NOT_FOUND"
    bench.complete("exact")
    assert bench.path(instance) == ["start", "exact", "c", "p"]
    assert bench.path(instance, "ELEMENT_TERMINATED") == ["a"]


def test_the_record_of_an_error_is_the_last_of_its_job(bench: Bench) -> None:
    bench.deploy(caught_at_boundaries())
    bench.create()
    bench.throw(bench.job("t")["key"], "E", "said", x=1)
    assert [record.intent for record in bench.events("JOB") if record.value["type"] == "t"] == [
        "CREATED",
        "ERROR_THROWN",
    ]
    thrown = next(bench.events("JOB", "ERROR_THROWN")).value
    assert (thrown["errorCode"], thrown["errorMessage"], thrown["variables"]) == ("E", "said", '{"x": 1}')


@pytest.mark.parametrize("code", ["other", "e", ""])
def test_another_code_is_caught_by_the_boundary_event_for_all(bench: Bench, code: str) -> None:
    bench.deploy(caught_at_boundaries())
    bench.create()
    bench.throw(bench.job("t")["key"], code)
    assert len(bench.jobs("all")) == 1


def test_an_error_needs_no_lease(bench: Bench) -> None:
    bench.deploy(caught_at_boundaries())
    bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    assert len(bench.jobs("exact")) == 1


def test_a_boundary_event_without_flow_ends_its_path(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, **ROW, b=error_boundary("a")))
    instance = bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    assert bench.path(instance) == ["start", "b", "p"]


def test_variables_of_an_error_stay_at_the_boundary_event(bench: Bench) -> None:
    bench.deploy(caught_at_boundaries())
    instance = bench.create()
    bench.throw(bench.jobs("t")[0], "E", v=1)
    assert bench.complete("exact")["variables"] == {}
    assert bench.results == {instance: {}}
    (record,) = bench.events("VARIABLE")
    assert (record.value["name"], record.value["scopeKey"]) == ("v", bench.key_of("exact"))


def test_output_mappings_of_a_boundary_event_let_out_of_an_error(bench: Bench) -> None:
    bench.deploy(caught_at_boundaries(mapping(outputs={"o": "=v.w"})))
    instance = bench.create()
    bench.throw(bench.jobs("t")[0], "E", v={"w": 7}, z=1)
    bench.complete("exact")
    assert bench.results == {instance: {"o": 7}}


def test_an_event_subprocess_writes_the_variables_of_an_error_into_the_instance(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, **ROW, e=subprocess()))
    instance = bench.create(v=0)
    bench.throw(bench.jobs("t")[0], "E", v=1, w=2)
    bench.complete("caught")
    assert bench.results == {instance: {"v": 1, "w": 2}}


def test_an_event_subprocess_with_mappings_writes_only_what_they_name(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, **ROW, e=subprocess(extensions=mapping(outputs={"o": "=v"}))))
    instance = bench.create()
    bench.throw(bench.jobs("t")[0], "E", v=1, w=2)
    bench.complete("caught")
    assert bench.results == {instance: {"o": 1}}


def test_variables_of_an_error_that_are_no_object_are_refused(bench: Bench) -> None:
    bench.deploy(caught_at_boundaries())
    bench.create()
    throwing: dict[str, Any] = {"errorCode": "E", "errorMessage": "", "variables": "[]"}
    assert bench.refused("JOB", "THROW_ERROR", bench.jobs("t")[0], **throwing).code == "INVALID_ARGUMENT"


def test_a_boundary_event_comes_before_an_event_subprocess(bench: Bench) -> None:
    bench.deploy(draw("p", f"{FLOWS}; b > c", error("E"), **ROW, b=error_boundary("a"), c=task("b"), e=subprocess("E")))
    bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    assert (len(bench.jobs("b")), bench.jobs("caught")) == (1, [])


def test_of_two_event_subprocesses_that_of_the_exact_code_catches(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, error("E"), **ROW, e=subprocess(job_type="all"), f=subprocess("E", "exact")))
    bench.create()
    bench.create()
    first, second = bench.jobs("t")
    bench.throw(first, "E")
    bench.throw(second, "F")
    assert (len(bench.jobs("exact")), len(bench.jobs("all"))) == (1, 1)


def test_an_inner_event_subprocess_comes_before_an_outer_one(bench: Bench) -> None:
    inner = event_subprocess(
        inside("s > b", s=message_start("m", interrupting=False), b=task("b"), n=subprocess("E", "inner"))
    )
    bench.deploy(draw("p", FLOWS, message("m", '="1"') + error("E"), **ROW, e=inner, f=subprocess(job_type="outer")))
    bench.create()
    bench.publish("m", "1")
    bench.throw(bench.jobs("b")[0], "E")
    assert (len(bench.jobs("inner")), bench.jobs("outer"), len(bench.jobs("t"))) == (1, [], 1)
    bench.publish("m", "1")
    bench.throw(bench.jobs("b")[0], "F")
    assert (len(bench.jobs("outer")), bench.jobs("inner"), bench.jobs("t")) == (1, [], [])


def test_an_uncaught_error_is_an_incident_and_the_answer_a_good_one(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, error("K"), **ROW, e=subprocess("K")))
    bench.create()
    job = bench.job("t")["key"]
    bench.throw(job, "E", "why", secret=1)
    incident = bench.incident()
    assert (incident["errorType"], incident["elementId"], incident["jobKey"]) == ("UNHANDLED_ERROR_EVENT", "a", job)
    assert incident["errorMessage"] == (
        "Expected to throw an error event with the code 'E' with message 'why', but it was not caught. "
        "Available error events are [K]"
    )
    assert list(bench.events("VARIABLE")) == []
    reason = bench.refused("JOB", "COMPLETE", job, variables="{}").reason
    assert reason == f"Expected to complete job with key '{job}', but it is in state 'ERROR_THROWN'"
    answer = bench.send("INCIDENT", "RESOLVE", incident["key"])
    assert answer.activatable == [("t", job)]
    assert bench.job("t")["retries"] == 3


def test_where_no_error_is_caught_the_incident_says_so(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, **ROW))
    bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    assert bench.incident()["errorMessage"] == (
        "Expected to throw an error event with the code 'E', but it was not caught. "
        "No error events are available in the scope."
    )


def test_a_job_of_an_uncaught_error_is_cancelled_with_its_instance(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, **ROW))
    instance = bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert [record.intent for record in bench.events("JOB")][-1] == "CANCELED"


def test_an_interrupting_event_subprocess_does_not_catch_its_own_error(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, error("E"), **ROW, e=subprocess("E"), f=subprocess(job_type="all")))
    bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    bench.throw(bench.job("caught")["key"], "E")
    assert bench.incident()["errorType"] == "UNHANDLED_ERROR_EVENT"
    assert bench.jobs("all") == []


def _by_message(*, interrupting: bool) -> bytes:
    inner = event_subprocess(inside("m > b", m=message_start("m", interrupting=interrupting), b=task("b")))
    return draw("p", FLOWS, message("m", '="1"'), **ROW, e=inner, f=subprocess())


def test_an_error_inside_of_an_interrupting_message_event_subprocess_is_not_caught_beside_it(bench: Bench) -> None:
    bench.deploy(_by_message(interrupting=True))
    bench.create()
    bench.publish("m", "1")
    bench.throw(bench.jobs("b")[0], "E")
    assert bench.incident()["elementId"] == "b"
    assert bench.jobs("caught") == []


def test_an_error_inside_of_a_non_interrupting_one_is_caught_beside_it_and_ends_the_main_path(bench: Bench) -> None:
    bench.deploy(_by_message(interrupting=False))
    instance = bench.create()
    bench.publish("m", "1")
    bench.publish("m", "1")
    bench.throw(bench.jobs("b")[0], "E")
    assert (bench.jobs("t"), bench.jobs("b"), len(bench.jobs("caught"))) == ([], [], 1)
    assert sorted(bench.path(instance, "ELEMENT_TERMINATED")) == ["a", "b", "b", "e", "e"]
    bench.complete("caught")
    assert bench.fate(instance) == "COMPLETED"


def test_an_interrupting_event_subprocess_closes_what_its_scope_waits_for(bench: Bench) -> None:
    bench.deploy(_by_message(interrupting=False))
    bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    assert bench.engine.state.tables.subscriptions == {}
    bench.publish("m", "1")
    assert bench.jobs("b") == []


def test_an_error_does_not_end_another_instance(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, **ROW, e=subprocess()))
    first, second = bench.create(), bench.create()
    bench.throw(bench.jobs("t")[0], "E")
    assert len(bench.jobs("t")) == 1
    bench.complete("caught")
    assert (bench.fate(first), bench.fate(second)) == ("COMPLETED", "ACTIVE")


def test_an_error_message_is_cut(bench: Bench) -> None:
    bench.deploy(draw("p", FLOWS, **ROW))
    bench.create()
    bench.throw(bench.jobs("t")[0], "E", "x" * 20_000)
    assert next(bench.events("JOB", "ERROR_THROWN")).value["errorMessage"] == "x" * 10_000 + "..."
