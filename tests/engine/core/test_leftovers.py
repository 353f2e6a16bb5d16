"""What could keep an instance, or the engine, for ever: follow-ups and tokens that nobody needs any more."""

import gc
import sys
from unittest.mock import patch

import pytest

from saga.engine.core import Answer, Command, follow_ups
from tests.engine.core.bench import Bench, creation, modification
from tests.engine.core.invariants import check
from tests.engine.drawing import (
    awaits,
    boundary,
    call,
    catch,
    draw,
    element,
    end,
    event_subprocess,
    gateway,
    inside,
    loop,
    message,
    message_start,
    start,
    subprocess,
    task,
    timer,
)

FORKED = draw(
    "p",
    "start > fork > a > join > end; fork > b > join",
    start=start(),
    fork=element("parallelGateway"),
    a=task("a"),
    b=task("b"),
    join=element("parallelGateway"),
    end=end(),
)


class Interleaving(Bench):
    """Does not wait for follow-ups: other commands come between them."""

    def drain(self) -> list[Answer]:
        return []


def test_a_follow_up_that_has_nothing_to_do_is_not_carried_out_again_and_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.deploy(FORKED)
    monkeypatch.setattr(follow_ups, "carry_out", lambda *_: None)
    command = Command("PROCESS_INSTANCE_CREATION", "CREATE", -1, creation("p"))
    bench.log += bench.engine.process(command, bench.now).records
    assert not bench.engine.has_pending()
    assert "has nothing to do" in bench.log[-1].rejection_reason


def test_a_token_that_reaches_a_join_of_an_ending_instance_does_not_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Interleaving()
    bench.deploy(FORKED)
    instance = bench.create()
    Bench.drain(bench)
    (job,) = bench.jobs("a")
    with monkeypatch.context() as patched:
        patched.setattr("saga.engine.core.engine.MAX_FOLLOW_UPS", 0)
        bench.do("PROCESS_INSTANCE", "CANCEL", instance)
        bench.do("JOB", "COMPLETE", job, variables="{}")
    Bench.drain(bench)
    assert bench.fate(instance) == "TERMINATED"
    check(bench.engine.state)


def test_of_two_buffered_messages_for_a_gateway_the_older_one_is_taken(bench: Bench) -> None:
    bench.deploy(
        draw(
            "p",
            "start > g > m1 > end; g > m2 > end",
            message("one", "=k") + message("two", "=k"),
            start=start(),
            g=element("eventBasedGateway"),
            m1=catch(awaits("one")),
            m2=catch(awaits("two")),
            end=end(),
        )
    )
    for name in ("one", "two"):
        bench.publish(name, "1", ttl=60_000)
    instance = bench.create(k="1")
    assert bench.path(instance) == ["start", "g", "m1", "end", "p"]
    assert [message.name for message in bench.engine.state.tables.messages.values()] == ["one", "two"]


def test_a_modification_that_would_end_an_instance_that_was_called_is_refused(bench: Bench) -> None:
    bench.deploy(
        draw("p", "start > c > end", start=start(), c=call("child"), end=end()),
        draw(
            "child", "start > s > end", start=start(), s=subprocess(inside("i > a", i=start(), a=task("a"))), end=end()
        ),
    )
    instance = bench.create()
    child = bench.engine.state.tables.elements[bench.key_of("a")].process_instance
    for ended in (("child",), ("s",), ("a",), ("s", "a")):
        keys = tuple(bench.key_of(name) for name in ended)
        value = modification(terminate=keys)
        refusal = bench.refused("PROCESS_INSTANCE_MODIFICATION", "MODIFY", child, **value)
        assert "created by a call activity" in refusal.reason
    bench.modify(child, {"elementId": "a", "ancestorScopeKey": -1}, terminate=(bench.key_of("a"),))
    bench.complete("a")
    assert bench.fate(instance) == "COMPLETED"


def test_a_subprocess_is_repeated_for_each_item_of_a_list(bench: Bench) -> None:
    inner = subprocess(inside("i > a > g > o", i=start(), a=task("a"), g=gateway(), o=end()))
    repeated = loop(inner, "=[3, 4]", "n", "=n", "all")
    bench.deploy(draw("p", "start > s > end", start=start(), s=repeated, end=end()))
    instance = bench.create()
    jobs = bench.activate("a", 10, 60_000, "n")
    assert [job["variables"] for job in jobs] == [{"n": 3}, {"n": 4}]
    for job in jobs:
        bench.do("JOB", "COMPLETE", job["key"], variables="{}")
    assert bench.fate(instance) == "COMPLETED"
    assert bench.results[instance] == {"all": [3, 4]}


def test_a_start_inside_a_scope_whose_messages_cannot_be_awaited_is_refused(bench: Bench) -> None:
    late = event_subprocess(inside("m > b", m=message_start("m", interrupting=True), b=end()))
    inner = subprocess(inside("i > a", i=start(), a=task("a"), e=late))
    bench.deploy(draw("p", "start > s", message("m", "=k"), start=start(), s=inner))
    refusal = bench.refused("PROCESS_INSTANCE_CREATION", "CREATE", **creation("p", starts=["a"]))
    assert refusal.code == "INVALID_ARGUMENT"
    assert "Expected to subscribe to catch event(s) of 'a'" in refusal.reason


def test_what_was_called_may_complete_while_the_call_is_terminated(bench: Bench) -> None:
    bench.deploy(draw("p", "start > c > end", start=start(), c=call("q"), end=end()))
    bench.deploy(draw("q", "start > a > end", start=start(), a=task("a"), end=end()))
    instance = bench.create()
    job = bench.job("a")["key"]
    commands = (Command("JOB", "COMPLETE", job, {"variables": "{}"}), Command("PROCESS_INSTANCE", "CANCEL", instance))
    with patch.multiple("saga.engine.core.engine", MAX_FOLLOW_UPS=0, RESUMED=1):
        for command in commands:
            bench.log += bench.engine.process(command, bench.now).records
        bench.drain()
    assert bench.engine.state.tables.elements == {}
    assert bench.fate(instance) == "TERMINATED"


def test_what_has_ended_takes_no_memory_any_more() -> None:
    """Its job was pushed, so that nobody looked for the oldest one, and its timer would be due in a day."""
    bench = Bench()  # no fixture, whose log is replayed at the end
    bench.deploy(
        draw(
            "p",
            "start > a > end; late > end",
            start=start(),
            a=task("a"),
            late=boundary("a", timer("duration", "P1D")),
            end=end(),
        )
    )

    def finish(instances: int) -> int:
        for _ in range(instances):
            created = bench.send("PROCESS_INSTANCE_CREATION", "CREATE", **creation("p"))
            [(_, key)] = created.activatable
            bench.do(
                "JOB_BATCH", "ACTIVATE", type="a", worker="w", timeout=86_400_000, maxJobsToActivate=1, jobKeys=[key]
            )
            bench.do("JOB", "COMPLETE", key, variables="{}")
            bench.log.clear()
        gc.collect()
        return sys.getallocatedblocks()

    before = finish(2_000)
    assert finish(6_000) - before < 6_000
