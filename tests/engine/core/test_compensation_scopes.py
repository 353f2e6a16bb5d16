from unittest.mock import patch

from saga.engine.core import Command
from tests.engine.core.bench import Bench, activation
from tests.engine.drawing import (
    compensate,
    draw,
    end,
    error_start,
    event_subprocess,
    handler,
    inside,
    message,
    message_start,
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


def test_an_error_event_subprocess_undoes_its_own_activities_and_those_around_it(bench: Bench) -> None:
    inner = event_subprocess(
        inside(
            "failed > x > all",
            failed=error_start(),
            x=task("x"),
            undo_x=handler("undo-x"),
            all=compensate(kind="endEvent"),
            **undone_by("x", "undo_x"),
        )
    )
    bench.deploy(draw("p", "start > a > b", start=start(), **UNDONE, e=inner))
    instance = bench.create()
    bench.complete("a")
    bench.throw(bench.job("b")["key"], "E")
    bench.complete("x")
    assert (len(bench.jobs("undo-a")), len(bench.jobs("undo-x"))) == (1, 1)
    bench.complete("undo-x")
    bench.complete("undo-a")
    assert bench.fate(instance) == "COMPLETED"


NESTED = draw(
    "p",
    "start > a > b > all",
    message("m", '="1"'),
    start=start(),
    **UNDONE,
    all=compensate(kind="endEvent"),
    e=event_subprocess(
        inside(
            "m > x > y > inner",
            m=message_start("m", interrupting=False),
            x=task("x"),
            y=task("y"),
            undo_x=handler("undo-x"),
            inner=end(),
            **undone_by("x", "undo_x"),
        )
    ),
)


def test_activities_of_a_completed_event_subprocess_are_undone_from_the_scope_around_it(bench: Bench) -> None:
    bench.deploy(NESTED)
    instance = bench.create()
    bench.publish("m", "1")
    bench.complete("x")
    bench.complete("y")
    bench.complete("a")
    bench.complete("b")
    for job in ("undo-a", "undo-b", "undo-x"):
        bench.complete(job)
    assert bench.fate(instance) == "COMPLETED"


def test_activities_of_an_active_or_terminated_event_subprocess_are_not(bench: Bench) -> None:
    bench.deploy(NESTED)
    for ended in (False, True):
        instance = bench.create()
        bench.publish("m", "1")
        bench.complete("x")
        if ended:
            bench.modify(instance, terminate=(bench.key_of("e"),))
        for job in ("a", "b", "undo-a", "undo-b"):
            bench.complete(job)
        assert bench.jobs("undo-x") == []
        if not ended:
            bench.complete("y")
        assert bench.fate(instance) == "COMPLETED"
    assert bench.engine.state.tables.compensations == {}


def test_an_instance_with_a_completed_event_subprocess_ends_and_forgets(bench: Bench) -> None:
    bench.deploy(NESTED)
    instance = bench.create()
    bench.publish("m", "1")
    bench.complete("x")
    bench.complete("y")
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert [record.intent for record in bench.events("COMPENSATION_SUBSCRIPTION")] == ["CREATED", "DELETED"]


def test_a_cancelled_instance_ends_also_while_it_compensates(bench: Bench) -> None:
    for diagram, jobs in ((SAGA, ("a", "b")), (ALL_AT_ONCE, ("a", "b"))):
        bench.deploy(diagram)
        instance = bench.create()
        for job in jobs:
            bench.complete(job)
        if diagram is SAGA:
            bench.throw(bench.job("c")["key"], "E")
        undo = bench.job("undo-b")["key"]
        bench.do("PROCESS_INSTANCE", "CANCEL", instance)
        assert bench.fate(instance) == "TERMINATED"
        assert bench.refused("JOB", "COMPLETE", undo, variables="{}").code == "NOT_FOUND"
        assert bench.engine.state.tables.compensations == {}


def test_an_interrupted_job_is_neither_completed_nor_undone(bench: Bench) -> None:
    inner = event_subprocess(
        inside("m > all", m=message_start("m", interrupting=True), all=compensate(kind="endEvent"))
    )
    bench.deploy(draw("p", "start > a > b", message("m", '="1"'), start=start(), **UNDONE, e=inner))
    bench.create()
    bench.complete("a")
    job = bench.job("b")["key"]
    bench.publish("m", "1")
    assert bench.refused("JOB", "COMPLETE", job, variables="{}").code == "NOT_FOUND"
    assert (len(bench.jobs("undo-a")), bench.jobs("undo-b")) == (1, [])


def test_an_error_in_a_handler_that_an_event_subprocess_catches_ends_the_other_handlers(bench: Bench) -> None:
    inner = event_subprocess(inside("failed > x", failed=error_start(), x=task("x")))
    bench.deploy(draw("p", "start > a > b > all", start=start(), **UNDONE, all=compensate(kind="endEvent"), e=inner))
    bench.create()
    bench.complete("a")
    bench.complete("b")
    bench.throw(bench.job("undo-a")["key"], "E")
    assert (bench.jobs("undo-a"), bench.jobs("undo-b"), len(bench.jobs("x"))) == ([], [], 1)


def test_a_handler_that_is_terminated_lets_its_throw_go_on(bench: Bench) -> None:
    bench.deploy(ALL_AT_ONCE)
    instance = bench.create()
    for job in ("a", "b", "undo-a"):
        bench.complete(job)
    bench.modify(instance, terminate=(bench.key_of("undo_b"),))
    assert bench.fate(instance) == "COMPLETED"


def test_a_modification_has_undone_what_has_completed(bench: Bench) -> None:
    bench.deploy(SAGA)
    instance = bench.create()
    bench.complete("a")
    bench.complete("b")
    bench.modify(instance, activation("then_b"), terminate=(bench.key_of("c"),))
    bench.complete("undo-b")
    bench.complete("undo-a")
    assert bench.fate(instance) == "COMPLETED"
    assert bench.path(instance)[-2:] == ["e", "p"]


def test_a_modification_may_activate_a_compensation_end_event(bench: Bench) -> None:
    bench.deploy(ALL_AT_ONCE)
    instance = bench.create()
    bench.complete("a")
    bench.modify(instance, activation("all"), terminate=(bench.key_of("b"),))
    bench.complete("undo-a")
    assert bench.fate(instance) == "COMPLETED"


def test_a_handler_that_an_interruption_forestalls_is_over(bench: Bench) -> None:
    inner = event_subprocess(inside("m > x", m=message_start("m", interrupting=True), x=task("x")))
    all_undone = compensate(kind="endEvent")
    diagram = draw("p", "start > a > all", message("m", '="1"'), start=start(), **UNDONE, all=all_undone, e=inner)
    bench.deploy(diagram)
    bench.create()
    job = bench.job("a")["key"]
    stop = {"name": "m", "correlationKey": "1", "messageId": "", "timeToLive": 0, "variables": "{}"}
    commands = (Command("JOB", "COMPLETE", job, {"variables": "{}"}), Command("MESSAGE", "PUBLISH", value=stop))
    with patch("saga.engine.core.engine.MAX_FOLLOW_UPS", 1):
        for command in commands:
            bench.log += bench.engine.process(command, bench.now).records
    bench.drain()
    told = [record.intent for record in bench.events("COMPENSATION_SUBSCRIPTION")]
    assert told == ["CREATED", "TRIGGERED", "DELETED"]
    assert (bench.jobs("undo-a"), len(bench.jobs("x"))) == ([], 1)
