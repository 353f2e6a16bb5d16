from typing import Any

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    draw,
    end,
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


def test_a_cancelled_instance_is_gone(bench: Bench) -> None:
    bench.deploy(ONE)
    instance = bench.create()
    job = bench.job("t")
    for key in (job["elementInstanceKey"], job["key"], 4242):
        reason = bench.refused("PROCESS_INSTANCE", "CANCEL", key).reason
        assert reason == f"Expected to cancel a process instance with key '{key}', but no such process was found"
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.fate(instance) == "TERMINATED"
    assert bench.refused("PROCESS_INSTANCE", "CANCEL", instance).code == "NOT_FOUND"
    failing: dict[str, Any] = {"retries": 1, "retryBackoff": 0, "errorMessage": "", "variables": ""}
    throwing: dict[str, Any] = {"errorCode": "x", "errorMessage": "", "variables": ""}
    assert bench.refused("JOB", "COMPLETE", job["key"], variables="{}").code == "NOT_FOUND"
    assert bench.refused("JOB", "FAIL", job["key"], **failing).code == "NOT_FOUND"
    assert bench.refused("JOB", "THROW_ERROR", job["key"], **throwing).code == "NOT_FOUND"
    assert len(list(bench.events("JOB", "CANCELED"))) == 1


def test_termination_goes_down_and_comes_up(bench: Bench) -> None:
    bench.deploy(INNER)
    instance = bench.create(starts=["b"], k="1")
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    told = [
        (record.value["elementId"], record.intent.removeprefix("ELEMENT_"))
        for record in bench.events("PROCESS_INSTANCE", "ELEMENT_TERMINATING", "ELEMENT_TERMINATED")
    ]
    assert told == [
        ("p", "TERMINATING"),
        ("e", "TERMINATING"),
        ("b", "TERMINATING"),
        ("b", "TERMINATED"),
        ("e", "TERMINATED"),
        ("p", "TERMINATED"),
    ]


def test_a_cancelled_instance_leaves_nothing_behind(bench: Bench) -> None:
    bench.deploy(INNER)
    empty = bench.engine.state.tables
    instance = bench.create(k="1", x="y")
    bench.complete("a")
    instance = bench.create(k="1", x="y")
    bench.publish("m", "1")
    bench.complete("c")
    bench.publish("m", "1")
    bench.fail(bench.job("a")["key"], 0)
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.incidents() == []
    for table in ("elements", "variables", "jobs", "incidents", "subscriptions", "compensations", "pending", "results"):
        assert getattr(empty, table) == {}, table
    assert [record.intent for record in bench.events("COMPENSATION_SUBSCRIPTION")] == ["CREATED", "DELETED"]


def test_a_cancelled_instance_is_not_compensated(bench: Bench) -> None:
    bench.deploy(
        draw("p", "start > a > b", start=start(), a=task("a"), b=task("b"), h=handler("h"), **undone_by("a", "h"))
    )
    instance = bench.create()
    bench.complete("a")
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.jobs("h") == []
    assert bench.engine.state.tables.compensations == {}
