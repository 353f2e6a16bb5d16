"""Messages that are correlated at once or not at all."""

import json
from typing import Any

import pytest

from tests.engine.core.bench import Bench
from tests.engine.drawing import (
    awaits,
    boundary,
    catch,
    draw,
    end,
    event_subprocess,
    inside,
    message,
    message_start,
    start,
    task,
)


def waiting(process: str, event: str = "wait") -> bytes:
    """A process that waits for the message m in one of three ways."""
    drawn = {"start": start(), "a": task("t"), "end": end()}
    flows = "start > a > end"
    if event == "wait":
        flows = "start > wait > a > end"
        drawn["wait"] = catch(awaits("m"))
    elif event == "boundary":
        drawn["caught"] = boundary("a", awaits("m"))
    else:
        inner = inside("caught > b", caught=message_start("m", interrupting=False), b=task("b"))
        drawn["events"] = event_subprocess(inner)
    return draw(process, flows, message("m", "=k"), **drawn)


def started(process: str) -> bytes:
    """A process that the message m starts."""
    return draw(process, "begin > a > end", message("m"), begin=start(message="m"), a=task("t"), end=end())


def correlation(name: str = "m", key: str = "1", variables: str = "{}") -> dict[str, Any]:
    return {"name": name, "correlationKey": key, "variables": variables}


def test_a_message_continues_who_waits_for_it_at_once_and_its_instance_is_named(bench: Bench) -> None:
    bench.deploy(waiting("p"))
    instance = bench.create(k="1")
    bench.create(k="2")
    answer = bench.correlate("m", "1", x=1)
    assert answer["processInstanceKey"] == instance
    job = bench.job("t")
    assert (job["processInstanceKey"], job["variables"]) == (instance, {"k": "1", "x": 1})
    assert bench.engine.state.tables.messages == {}


def test_a_correlation_is_told_between_the_publication_and_the_end_of_its_message(bench: Bench) -> None:
    bench.deploy(waiting("p"))
    instance = bench.create(k="1")
    key = bench.correlate("m", "1")["messageKey"]
    told = [record for record in bench.log if record.record_type == "EVENT" and "MESSAGE" in record.value_type]
    assert [(record.value_type, record.intent) for record in told[1:]] == [
        ("MESSAGE", "PUBLISHED"),
        ("PROCESS_MESSAGE_SUBSCRIPTION", "CORRELATED"),
        ("PROCESS_MESSAGE_SUBSCRIPTION", "DELETED"),
        ("MESSAGE_CORRELATION", "CORRELATED"),
        ("MESSAGE", "EXPIRED"),
    ]
    (correlated,) = bench.events("MESSAGE_CORRELATION")
    assert correlated.key == key
    assert correlated.value == {
        "name": "m",
        "correlationKey": "1",
        "messageKey": key,
        "processInstanceKey": instance,
    }


@pytest.mark.parametrize(("name", "key"), [("m", "2"), ("m", ""), ("other", "1")])
def test_a_message_that_nobody_waits_for_is_not_found_and_nothing_is_kept_of_it(
    bench: Bench, name: str, key: str
) -> None:
    bench.deploy(waiting("p"))
    bench.create(k="1")
    rejection = bench.refused("MESSAGE_CORRELATION", "CORRELATE", **correlation(name, key))
    assert rejection.code == "NOT_FOUND"
    assert f"'{name}'" in rejection.reason
    assert f"'{key}'" in rejection.reason
    bench.create(k=key)
    assert bench.jobs("t") == []


def test_a_message_starts_an_instance_and_it_is_named(bench: Bench) -> None:
    bench.deploy(started("p"))
    answer = bench.correlate("m", "1", a=1)
    job = bench.job("t")
    assert (job["processInstanceKey"], job["variables"]) == (answer["processInstanceKey"], {"a": 1})


def test_a_message_whose_key_an_instance_holds_is_not_found_and_does_not_wait_for_its_end(bench: Bench) -> None:
    bench.deploy(started("p"))
    bench.correlate("m", "1")
    assert bench.refused("MESSAGE_CORRELATION", "CORRELATE", **correlation()).code == "NOT_FOUND"
    bench.complete("t")
    assert bench.jobs("t") == []
    bench.correlate("m", "1")


def test_of_several_instances_a_started_one_is_named_then_the_one_that_has_waited_longest(bench: Bench) -> None:
    bench.deploy(waiting("p"), waiting("q"))
    first, _, other = [bench.create(process, k="1") for process in ("p", "p", "q")]
    assert bench.correlate("m", "1")["processInstanceKey"] == first
    assert {job["processInstanceKey"] for job in bench.activate("t")} == {first, other}
    bench.deploy(started("r"), name="r.bpmn")
    named = bench.correlate("m", "1")["processInstanceKey"]
    assert {job["bpmnProcessId"]: job["processInstanceKey"] for job in bench.activate("t")}["r"] == named
    (last,) = bench.events("MESSAGE_START_EVENT_SUBSCRIPTION", "CORRELATED")
    assert last.value["processInstanceKey"] == named


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (correlation(variables="[]"), "root level object"),
        (correlation(variables="{"), "JSON"),
        (correlation(key="ü" * 20_000), "at most 32768 bytes"),
        (correlation(key="\ud800"), "surrogate"),
        (correlation(name="\ud800"), "surrogate"),
    ],
)
def test_a_message_that_cannot_be_published_cannot_be_correlated(
    bench: Bench, value: dict[str, Any], told: str
) -> None:
    rejections = [
        bench.refused("MESSAGE_CORRELATION", "CORRELATE", **value),
        bench.refused("MESSAGE", "PUBLISH", **value, messageId="", timeToLive=0),
    ]
    assert {rejection.code for rejection in rejections} == {"INVALID_ARGUMENT"}
    assert all(told in rejection.reason for rejection in rejections), rejections


@pytest.mark.parametrize(
    ("processes", "created"),
    [
        ([waiting("p")], ["p", "p"]),
        ([waiting("p", "boundary")], ["p", "p"]),
        ([waiting("p", "event subprocess")], ["p", "p"]),
        ([started("p")], []),
        ([started("p"), waiting("q")], ["q"]),
    ],
    ids=["catch event", "boundary event", "event subprocess", "start event", "start and catch event"],
)
def test_a_correlated_message_does_what_a_published_one_without_time_to_live_does(
    bench: Bench, processes: list[bytes], created: list[str]
) -> None:
    other = Bench()
    for each in (bench, other):
        each.deploy(*processes)
        for process in created:
            each.create(process, k="1")
    before = len(bench.log)
    bench.correlate("m", "1", x=1)
    other.publish("m", "1", x=1)
    done, published = [
        [
            (record.value_type, record.intent, record.key, json.dumps(record.value, sort_keys=True))
            for record in each.log[before:]
            if record.record_type == "EVENT" and record.value_type != "MESSAGE_CORRELATION"
        ]
        for each in (bench, other)
    ]
    assert done == published
    assert bench.engine.state.tables.elements == other.engine.state.tables.elements
