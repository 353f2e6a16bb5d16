import pytest

from saga.engine.core import follow_ups
from saga.engine.core.follow_ups import MAX_HOPS
from saga.engine.core.lifecycle import activated
from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    condition,
    draw,
    end,
    error_boundary,
    gateway,
    mapping,
    message,
    message_boundary,
    start,
    task,
)

FAILING = mapping({"x": "=assert(v, v != null)"})


def test_an_incident_that_nobody_has_is_not_found(bench: Bench) -> None:
    rejection = bench.refused("INCIDENT", "RESOLVE", 4242)
    assert rejection.code == "NOT_FOUND"
    assert rejection.reason == "Expected to resolve incident with key '4242', but no such incident was found"


def test_of_two_incidents_each_is_resolved_on_its_own_and_other_branches_go_on(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a; start > b; start > c",
            start=start(),
            a=task("a", extensions=FAILING),
            b=task("b"),
            c=task("c"),
        )
    )
    instance = bench.create()
    bench.fail(bench.job("b")["key"], 0)
    first, second = bench.incidents()
    bench.complete("c")
    bench.do("JOB", "UPDATE_RETRIES", second["jobKey"], retries=1)
    bench.do("INCIDENT", "RESOLVE", second["key"])
    assert [incident["key"] for incident in bench.incidents()] == [first["key"]]
    bench.complete("b")
    bench.set_variables(instance, v=1)
    bench.resolve()
    bench.complete("a")
    assert bench.fate(instance) == "COMPLETED"


def test_a_step_that_fails_again_is_a_new_incident_of_the_same_element(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("a", extensions=FAILING)))
    bench.create()
    first = bench.incident()
    bench.resolve()
    second = bench.incident()
    assert second["key"] > first["key"]
    assert second["elementInstanceKey"] == first["elementInstanceKey"]


def test_a_resolved_incident_is_told_as_it_was_created(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("a")))
    bench.create()
    bench.fail(bench.job("a")["key"], 0, "boom")
    bench.do("JOB", "UPDATE_RETRIES", bench.jobs("a")[0], retries=1)
    bench.resolve()
    created, resolved = bench.events("INCIDENT")
    assert resolved.value == created.value
    assert resolved.key == created.key


def test_an_element_that_is_interrupted_takes_its_incident_with_it(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", message("m", '="1"'), start=start(), a=task("a"), b=message_boundary("a", "m")))
    bench.create()
    bench.fail(bench.job("a")["key"], 0)
    bench.publish("m", "1")
    assert bench.incidents() == []


def test_an_element_with_an_incident_at_its_end_can_still_be_interrupted(bench: Bench) -> None:
    failing = task("a", extensions=mapping(outputs={"x": "=assert(v, v != null)"}))
    boundary = message_boundary("a", "m")
    bench.deploy(draw("p", "start > a; b > c", message("m", '="1"'), start=start(), a=failing, b=boundary, c=task("c")))
    instance = bench.create()
    bench.complete("a")
    bench.publish("m", "1")
    bench.complete("c")
    assert bench.path(instance) == ["start", "b", "c", "p"]


def test_a_job_that_is_too_large_stays_withheld_after_a_restart(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a", start=start(), a=task("t")))
    bench.create(a="x" * 3_000_000, b="x" * 3_000_000)
    assert bench.activate("t") == []
    bench.engine.restore(bench.engine.snapshot(), bench.engine.position)
    assert bench.activate("t") == []
    assert len(bench.incidents()) == 1


def test_a_token_that_never_waits_is_an_incident_and_may_go_on_when_that_is_resolved(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_HOPS == 10_000
    monkeypatch.setattr(follow_ups, "MAX_HOPS", 200)
    bench.deploy(
        draw(
            "p",
            "start > g > h; h > end",
            start=start(),
            g=gateway(),
            h=gateway("end"),
            again=condition("h", "g", "=go"),
            end=end(),
        )
    )
    instance = bench.create(go=True)
    incident = bench.incident()
    assert incident["errorType"] == "UNKNOWN"
    assert "without a wait state" in incident["errorMessage"]
    assert "has passed 200 elements" in incident["errorMessage"]
    bench.resolve()
    assert bench.path(instance)[1:3] == ["g", "h"]
    assert len(bench.path(instance)) == 401
    bench.set_variables(instance, go=False)
    bench.resolve()
    assert bench.fate(instance) == "COMPLETED"


def test_a_wait_begins_the_count_anew(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a > a", start=start(), a=task("a")))
    instance = bench.create()
    for _ in range(3):
        bench.complete("a")
    hops = {bench.engine.state.tables.elements[key].hops for key in bench.engine.state.children[instance]}
    assert hops == {1}


def test_a_follow_up_that_the_engine_fails_to_carry_out_is_kept_in_its_incident(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.deploy(draw("p", "start > a > end", start=start(), a=task("a"), end=end(), b=error_boundary("a")))
    with monkeypatch.context() as broken:
        broken.setattr("saga.engine.core.lifecycle.enter", lambda *_args, **_more: 1 / 0)
        instance = bench.create()
    incident = bench.incident()
    assert (incident["errorType"], incident["elementInstanceKey"]) == ("UNKNOWN", instance)
    assert "ZeroDivisionError" in incident["errorMessage"]
    bench.resolve()
    bench.complete("a")
    assert bench.fate(instance) == "COMPLETED"


def test_a_failed_follow_up_holds_its_scope_and_goes_with_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.deploy(draw("p", "start > a; start > b", start=start(), a=task("a"), b=task("b")))

    def fails_for_b(work: object, instance: object) -> None:
        if instance.element == "b":  # type: ignore[attr-defined]
            raise RuntimeError
        activated(work, instance)  # type: ignore[arg-type]

    with monkeypatch.context() as broken:
        broken.setattr("saga.engine.core.lifecycle.activated", fails_for_b)
        instance = bench.create()
    bench.complete("a")
    assert bench.fate(instance) == "ACTIVE"
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.fate(instance) == "TERMINATED"
    assert bench.incidents() == []
