import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    draw,
    end,
    event_subprocess,
    inside,
    message,
    message_start,
    start,
    task,
)

ROW: dict[str, str] = {"start": start(), "a": task("t"), "end": end()}
FLOWS = "start > a > end"


def started(process: str = "p", name: str = "m", extra: str = "") -> bytes:
    """A process that a message starts."""
    return draw(process, "begin > a > end", message(name), **{**ROW, "begin": start(message=name)}, extra=extra)


def test_a_key_holds_off_a_second_instance_while_the_first_is_active(bench: Bench) -> None:
    bench.deploy(started())
    for key in ("1", "1", "2", "", ""):
        bench.publish("m", key)
    assert len(bench.jobs("t")) == 4


@pytest.mark.parametrize("end_by", ["complete", "cancel"])
def test_a_waiting_message_starts_when_the_instance_before_has_ended(bench: Bench, end_by: str) -> None:
    bench.deploy(started())
    for n in (1, 2, 3):
        bench.publish("m", "1", ttl=1000, n=n)
    for n in (1, 2, 3):
        job = bench.job("t")
        assert job["variables"] == {"n": n}
        if end_by == "complete":
            bench.do("JOB", "COMPLETE", job["key"], variables="{}")
        else:
            bench.do("PROCESS_INSTANCE", "CANCEL", job["processInstanceKey"])
    assert bench.jobs("t") == []
    assert bench.engine.state.locks == {}


def test_a_waiting_message_starts_the_version_that_is_then_the_latest(bench: Bench) -> None:
    bench.deploy(started())
    bench.publish("m", "1")
    bench.publish("m", "1", ttl=1000)
    bench.deploy(started() + b"\n")
    bench.complete("t")
    assert bench.job("t")["processDefinitionVersion"] == 2


def test_a_waiting_message_that_has_expired_starts_nothing(bench: Bench) -> None:
    bench.deploy(started())
    bench.publish("m", "1", ttl=10_000)
    bench.publish("m", "1", ttl=500)
    bench.now += 500
    bench.complete("t")
    assert bench.jobs("t") == []


def test_an_instance_that_was_created_does_not_hold_the_key(bench: Bench) -> None:
    bench.deploy(draw("p", "begin > a; start > a", message("m"), **ROW, begin=start(message="m")))
    bench.create()
    bench.publish("m", "1")
    assert len(bench.jobs("t")) == 2


def test_a_message_that_came_before_its_process_starts_nothing(bench: Bench) -> None:
    bench.publish("m", "1", ttl=1000)
    bench.deploy(started())
    bench.publish("n")
    assert bench.jobs("t") == []


def test_a_new_version_without_the_start_event_closes_it(bench: Bench) -> None:
    bench.deploy(started())
    bench.deploy(started(name="n"))
    bench.publish("m")
    assert bench.jobs("t") == []
    bench.publish("n")
    assert len(bench.jobs("t")) == 1


def test_variables_of_a_start_message_are_those_of_the_instance(bench: Bench) -> None:
    bench.deploy(started())
    key = bench.publish("m", "1", a=1)
    job = bench.job("t")
    assert bench.variables(job["processInstanceKey"]) == {"a": 1}
    (correlated,) = bench.events("MESSAGE_START_EVENT_SUBSCRIPTION", "CORRELATED")
    assert (correlated.value["messageKey"], correlated.value["processInstanceKey"]) == (key, job["processInstanceKey"])


def _both(process: str) -> bytes:
    inner = inside("caught > b", caught=message_start("m", interrupting=False), b=task("b"))
    return draw(
        process,
        "begin > a > end; start > a",
        message("m", "=k"),
        **ROW,
        begin=start(message="m"),
        e=event_subprocess(inner),
    )


def test_a_message_that_continues_an_instance_starts_none_of_that_process_but_of_others(bench: Bench) -> None:
    bench.deploy(_both("p"), started("q"))
    bench.create(k="1")
    bench.publish("m", "1", k="1")
    assert (len(bench.jobs("b")), len(bench.jobs("t"))) == (1, 2)
    assert {job["bpmnProcessId"] for job in bench.activate("t")} == {"p", "q"}


def test_a_message_that_has_started_an_instance_does_not_continue_it_too(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "begin > end; begin > a",
            message("m", "=k"),
            **ROW,
            begin=start(message="m"),
            e=event_subprocess(inside("caught > b", caught=message_start("m", interrupting=False), b=task("b"))),
        )
    )
    bench.publish("m", "1", ttl=1000, k="1")
    assert (len(bench.jobs("t")), bench.jobs("b")) == (1, [])
    bench.publish("m", "1")
    assert (len(bench.jobs("t")), len(bench.jobs("b"))) == (1, 1)


def test_what_a_started_instance_waits_for_may_name_the_variables_of_its_message(bench: Bench) -> None:
    bench.deploy(_both("p"))
    bench.publish("m", k="7")
    bench.publish("m", "7", x=1)
    assert bench.job("b")["variables"] == {"k": "7", "x": 1}
