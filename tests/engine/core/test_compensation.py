from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    compensate,
    condition,
    draw,
    end,
    error_boundary,
    error_start,
    event_subprocess,
    gateway,
    handler,
    inside,
    mapping,
    start,
    task,
    undone_by,
)

UNDONE = {
    "a": task("a"),
    "b": task("b"),
    "undo_a": handler("undo-a"),
    "undo_b": handler("undo-b"),
    **undone_by("a", "undo_a"),
    **undone_by("b", "undo_b"),
}

CHAIN = event_subprocess(
    inside(
        "failed > then_b > then_a > cancelled",
        failed=error_start(),
        then_b=compensate("b"),
        then_a=compensate("a"),
        cancelled=end(),
    )
)
SAGA = draw("p", "start > a > b > c > done", start=start(), **UNDONE, c=task("c"), done=end(), e=CHAIN)
ALL_AT_ONCE = draw("p", "start > a > b > all", start=start(), **UNDONE, all=compensate(kind="endEvent"))


def test_a_chain_of_throws_undoes_in_its_order_one_after_the_other(bench: Bench) -> None:
    bench.deploy(SAGA)
    instance = bench.create(order=1)
    bench.complete("a")
    bench.complete("b")
    bench.throw(bench.job("c")["key"], "E", why="no")
    assert (len(bench.jobs("undo-b")), bench.jobs("undo-a")) == (1, [])
    assert bench.complete("undo-b")["variables"] == {"order": 1, "why": "no"}
    bench.complete("undo-a")
    assert bench.fate(instance) == "COMPLETED"
    assert bench.path(instance) == [
        *[
            "start",
            "a",
            "b",
            "failed",
            "undo-b",
            "undo_b",
            "then_b",
            "undo-a",
            "undo_a",
            "then_a",
            "cancelled",
            "e",
            "p",
        ]
    ]
    assert bench.path(instance, "ELEMENT_TERMINATED") == ["c"]


def test_an_activity_that_never_completed_is_passed_over(bench: Bench) -> None:
    bench.deploy(SAGA)
    instance = bench.create()
    bench.complete("a")
    bench.throw(bench.job("b")["key"], "E")
    assert bench.jobs("undo-b") == []
    bench.complete("undo-a")
    assert bench.path(instance)[2:] == ["failed", "then_b", "undo-a", "undo_a", "then_a", "cancelled", "e", "p"]


def test_where_nothing_has_completed_nothing_is_undone(bench: Bench) -> None:
    bench.deploy(SAGA)
    instance = bench.create()
    bench.throw(bench.job("a")["key"], "E")
    assert bench.fate(instance) == "COMPLETED"


def test_a_broadcast_undoes_all_at_once_and_its_end_event_waits_for_all(bench: Bench) -> None:
    bench.deploy(ALL_AT_ONCE)
    instance = bench.create()
    bench.complete("a")
    bench.complete("b")
    assert (len(bench.jobs("undo-a")), len(bench.jobs("undo-b"))) == (1, 1)
    bench.complete("undo-a")
    assert bench.fate(instance) == "ACTIVE"
    bench.complete("undo-b")
    assert bench.path(instance)[-2:] == ["all", "p"]


def test_what_has_completed_twice_is_undone_twice(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > g; g > all",
            start=start(),
            **{name: UNDONE[name] for name in ("a", "undo_a", "undo-a", "association-a")},
            g=gateway("all"),
            again=condition("g", "a", "=again"),
            all=compensate("a", "endEvent"),
        )
    )
    bench.create()
    bench.complete("a", again=True)
    bench.complete("a", again=False)
    assert len(bench.jobs("undo-a")) == 2


def test_what_has_been_undone_is_not_undone_again(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > b > one > two > end",
            start=start(),
            **UNDONE,
            one=compensate("a"),
            two=compensate("a", "intermediateThrowEvent").replace("throw-def", "again"),
            end=end(),
        )
    )
    instance = bench.create()
    bench.complete("a")
    bench.complete("b")
    bench.complete("undo-a")
    assert bench.fate(instance) == "COMPLETED"


def test_a_second_throw_passes_while_the_handler_of_the_first_still_runs(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > b; b > one; b > two > c",
            start=start(),
            **UNDONE,
            one=compensate("a"),
            two=compensate("a").replace("throw-def", "again"),
            c=task("c"),
        )
    )
    bench.create()
    bench.complete("a")
    bench.complete("b")
    assert (len(bench.jobs("undo-a")), len(bench.jobs("c"))) == (1, 1)


def test_an_activity_that_has_failed_is_not_undone(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > a > b; caught > all",
            start=start(),
            **UNDONE,
            caught=error_boundary("b"),
            all=compensate(kind="endEvent"),
        )
    )
    bench.create()
    bench.complete("a")
    bench.throw(bench.job("b")["key"], "E")
    assert (len(bench.jobs("undo-a")), bench.jobs("undo-b")) == (1, [])


def test_the_steps_of_a_throw_are_told_in_order(bench: Bench) -> None:
    bench.deploy(draw("p", "start > a > b > one", start=start(), **UNDONE, one=compensate("a")))
    bench.create()
    bench.complete("a")
    bench.complete("b")
    bench.complete("undo-a")
    told = [
        (record.value.get("elementId") or record.value["compensableActivityId"], record.intent.removeprefix("ELEMENT_"))
        for record in bench.log
        if record.record_type == "EVENT" and record.value_type in {"PROCESS_INSTANCE", "COMPENSATION_SUBSCRIPTION"}
    ]
    begin = told.index(("one", "ACTIVATED"))
    assert told[begin : told.index(("one", "COMPLETED")) + 1] == [
        ("one", "ACTIVATED"),
        ("a", "TRIGGERED"),
        ("undo-a", "ACTIVATING"),
        ("undo-a", "ACTIVATED"),
        ("undo-a", "COMPLETING"),
        ("undo-a", "COMPLETED"),
        ("undo_a", "ACTIVATING"),
        ("undo_a", "ACTIVATED"),
        ("undo_a", "COMPLETING"),
        ("undo_a", "COMPLETED"),
        ("a", "COMPLETED"),
        ("one", "COMPLETING"),
        ("one", "COMPLETED"),
    ]
    triggered = next(bench.events("COMPENSATION_SUBSCRIPTION", "TRIGGERED")).value
    assert triggered["compensationHandlerId"] == "undo_a"
    assert (triggered["throwEventId"], triggered["throwEventInstanceKey"]) == ("one", bench.key_of("one"))
    created = next(bench.events("COMPENSATION_SUBSCRIPTION", "CREATED")).value
    assert (created["throwEventId"], created["compensableActivityScopeId"]) == ("", "p")


def test_a_failed_handler_is_an_incident_and_the_next_throw_waits(bench: Bench) -> None:
    bench.deploy(SAGA)
    instance = bench.create()
    bench.complete("a")
    bench.complete("b")
    bench.throw(bench.job("c")["key"], "E")
    job = bench.job("undo-b")["key"]
    bench.fail(job, 0, "broken")
    assert bench.incident()["elementId"] == "undo_b"
    assert bench.jobs("undo-a") == []
    bench.do("JOB", "UPDATE_RETRIES", job, retries=1)
    bench.resolve()
    bench.complete("undo-b")
    bench.complete("undo-a")
    assert bench.fate(instance) == "COMPLETED"


def test_a_handler_sees_the_variables_of_now_and_none_that_the_activity_had_for_itself(bench: Bench) -> None:
    changed = {
        "a": task("a", extensions=mapping({"local": "=1"})),
        "undo_a": task(
            "undo-a", attributes='isForCompensation="true"', extensions=mapping({"seen": "=n + 1"}, {"o": "=r"})
        ),
    }
    bench.deploy(
        draw("p", "start > a > b > all", start=start(), **{**UNDONE, **changed}, all=compensate("a", "endEvent"))
    )
    instance = bench.create(n=1)
    bench.complete("a")
    bench.complete("b", n=5)
    assert bench.complete("undo-a", r=7, z=8)["variables"] == {"n": 5, "seen": 6}
    assert bench.results == {instance: {"n": 5, "o": 7}}


def test_a_result_of_a_handler_reaches_the_instance(bench: Bench) -> None:
    bench.deploy(ALL_AT_ONCE)
    instance = bench.create()
    for job in ("a", "b", "undo-a", "undo-b"):
        bench.complete(job, **{job[-1]: job})
    assert bench.results == {instance: {"a": "undo-a", "b": "undo-b"}}
