import json
import time
from typing import Any

import msgspec
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.engine.core import Command, active, follow_ups
from saga.engine.core.commands import jobs
from saga.engine.core.engine import MAX_FOLLOW_UPS, RECORDS, RESUMED
from saga.engine.core.lifecycle import PORTION
from saga.engine.core.times import FAR
from tests.engine.core.bench import Bench, creation
from tests.engine.core.conftest import replay
from tests.engine.drawing import (
    boundary,
    call,
    condition,
    draw,
    element,
    end,
    error,
    error_boundary,
    error_start,
    event_subprocess,
    gateway,
    headers,
    inside,
    loop,
    mapping,
    message,
    message_boundary,
    message_start,
    start,
    subprocess,
    task,
    timer,
)

LOOP = draw(
    "loop",
    "start > g > h; h > end",
    start=start(),
    g=gateway(),
    h=gateway("end"),
    f=condition("h", "g", "=true"),
    end=end(),
)
ONE = draw("p", "start > a > end", start=start(), a=task("t"), end=end())


def chain(length: int) -> bytes:
    names = [f"g{number}" for number in range(length)]
    return draw(
        "chain", " > ".join(["start", *names, "end"]), start=start(), end=end(), **dict.fromkeys(names, gateway())
    )


def test_a_chain_of_5000_elements_is_deployed_and_run(bench: Bench) -> None:
    bench.deploy(chain(5_000))
    assert bench.fate(bench.create("chain")) == "COMPLETED"


def test_after_100_follow_ups_others_have_their_turn(bench: Bench) -> None:
    bench.deploy(ONE, chain(300))
    bench.create()
    job = bench.jobs("t")[0]
    command = Command("PROCESS_INSTANCE_CREATION", "CREATE", -1, creation("chain"))
    answer = bench.engine.process(command, bench.now)
    bench.log += answer.records
    followed = {record.source for record in answer.records if record.source != -1}
    assert len(followed) == MAX_FOLLOW_UPS + 1
    assert bench.engine.has_pending()
    other = bench.engine.process(Command("JOB", "COMPLETE", job, {"variables": ""}), bench.now)
    bench.log += other.records
    assert other.response == {}
    left = bench.engine.state.tables.pending
    assert len(left) == 1 or bench.engine.has_pending()
    bench.drain()
    assert [record.key for record in bench.events("PROCESS_INSTANCE_RESULT")] != []
    assert (
        len([1 for r in bench.events("PROCESS_INSTANCE", "ELEMENT_COMPLETED") if r.value["elementId"] == "chain"]) == 1
    )


def test_a_loop_that_never_ends_does_not_keep_others_from_their_work(bench: Bench) -> None:
    bench.deploy(ONE, LOOP)
    bench.create()
    bench.log += bench.engine.process(
        Command("PROCESS_INSTANCE_CREATION", "CREATE", -1, creation("loop")), bench.now
    ).records
    job = bench.jobs("t")[0]
    bench.log += bench.engine.process(Command("JOB", "COMPLETE", job, {"variables": ""}), bench.now).records
    turns = 0
    while bench.fate(next(bench.events("PROCESS_INSTANCE")).key) != "COMPLETED":
        bench.log += bench.engine.resume(bench.now).records
        turns += 1
    assert turns <= 3
    loop = next(found for found in bench.engine.state.tables.elements.values() if found.element == "loop")
    bench.do("PROCESS_INSTANCE", "CANCEL", loop.key)
    assert bench.fate(loop.key) == "TERMINATED"


def nested(depth: int) -> bytes:
    """Event subprocesses inside of each other; the innermost is started by hand."""
    content = task("deep").replace('"ID"', '"deep"')
    for level in range(depth):
        begin = error_start().replace('"ID"', f'"start{level}"')
        content = event_subprocess(begin + content).replace('"ID"', f'"e{level}"')
    return draw("nested", "start > a", start=start(), a=task("a"), x=content)


def test_scopes_nest_as_deep_as_xml_does(bench: Bench) -> None:
    depth = 250
    assert "Excessive depth" in bench.refused_deployment(nested(depth + 10))
    bench.deploy(nested(depth))
    instance = bench.create("nested", starts=["deep"])
    assert len(bench.engine.state.tables.elements) == depth + 2
    bench.complete("deep")
    assert bench.fate(instance) == "COMPLETED"
    instance = bench.create("nested", starts=["deep"])
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.fate(instance) == "TERMINATED"
    instance = bench.create("nested", starts=["deep", "a"])
    bench.throw(bench.jobs("deep")[0], "E")
    bench.complete("a")
    assert bench.fate(instance) == "COMPLETED"


def test_an_instance_of_many_elements_at_once_is_cancelled(bench: Bench) -> None:
    tasks = {f"t{number}": task("many") for number in range(500)}
    flows = "; ".join(f"start > {name}" for name in tasks)
    bench.deploy(draw("wide", flows, start=start(), **tasks))
    instance = bench.create("wide")
    assert len(bench.activate("many", 1000)) == 500
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.fate(instance) == "TERMINATED"
    assert bench.engine.state.tables.elements == {}


def test_a_thousand_buffered_messages_start_their_event_subprocesses(bench: Bench) -> None:
    inner = event_subprocess(inside("m > b", m=message_start("m", interrupting=False), b=end()))
    bench.deploy(draw("p", "start > a", message("m", '="1"'), start=start(), a=task("t"), e=inner))
    for _ in range(300):
        bench.publish("m", "1", ttl=60_000)
    instance = bench.create()
    assert bench.path(instance).count("e") == 300


def test_a_mapping_that_makes_more_than_a_client_could_send_is_an_incident(bench: Bench) -> None:
    doubling = mapping(outputs={"a": "=a + a"})
    bench.deploy(draw("p", "start > t > t", start=start(), t=task("t", extensions=doubling)))
    instance = bench.create(a="x" * 1_500_000)
    bench.complete("t")
    bench.complete("t")
    assert bench.incident()["errorType"] == "IO_MAPPING_ERROR"
    assert len(bench.incident()["errorMessage"]) < 200
    bench.set_variables(instance, a="")
    bench.resolve()
    assert bench.variables(instance) == {"a": ""}


def test_an_expression_that_is_nested_too_deeply_is_refused(bench: Bench) -> None:
    deep = "(" * 5_000 + "true" + ")" * 5_000
    begun = time.monotonic()
    reason = bench.refused_deployment(
        draw(
            "p", "start > g; g > b", start=start(), g=gateway("b"), a=end(), b=end(), f=condition("g", "a", f"={deep}")
        )
    )
    assert time.monotonic() - begun < 2
    assert "failed to parse expression" in reason


@pytest.mark.parametrize("name", ["ID\x00", "a\u0001"])
def test_a_document_with_characters_that_xml_does_not_have_is_refused(bench: Bench, name: str) -> None:
    assert "not well-formed" in bench.refused_deployment(
        draw("p", start=start(), x=element("endEvent", attributes=name))
    )


def test_a_long_log_is_replayed_to_the_same_state(bench: Bench) -> None:
    bench.deploy(ONE)
    for n in range(200):
        bench.create(n=n)
        if n % 2:
            bench.do("JOB", "COMPLETE", bench.jobs("t")[0], variables="{}")
    assert replay(bench.log).digest() == bench.engine.digest()


ERROR_LOOP = draw(
    "p",
    "start > s; caught > s",
    error("E"),
    start=start(),
    s=subprocess(inside("i > e", i=start(), e=end(content='<bpmn:errorEventDefinition id="d" errorRef="E" />'))),
    caught=error_boundary("s", "E"),
)
LOOP_OF_SUBPROCESSES = draw("p", "start > s > s", start=start(), s=subprocess(inside("i > e", i=start(), e=end())))
LOOP_OF_LISTS = draw("p", "start > s > s", start=start(), s=loop(element("task"), "=[1, 2]"))
CALLING_ITSELF = draw("p", "start > a", start=start(), a=call("p"))
MULTIPLYING = draw(
    "p", "start > f > g > f; f > h > f", start=start(), f=element("task"), g=element("task"), h=gateway()
)
CALLING_ITSELF_TWICE = draw(
    "p", "start > f > a; f > b", start=start(), f=element("parallelGateway"), a=call("p"), b=call("p")
)
CALLING_ITSELF_FOR_EACH = draw("p", "start > a", start=start(), a=loop(call("p"), "=[1, 2]"))


@pytest.mark.parametrize("process", [ERROR_LOOP, LOOP_OF_SUBPROCESSES, LOOP_OF_LISTS, CALLING_ITSELF])
def test_a_process_that_goes_round_without_a_wait_is_an_incident(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, process: bytes
) -> None:
    monkeypatch.setattr(follow_ups, "MAX_HOPS", 100)
    bench.deploy(process)
    instance = bench.create()
    assert {"UNKNOWN"} == {incident["errorType"] for incident in bench.incidents()}
    assert all("without a wait state" in incident["errorMessage"] for incident in bench.incidents())
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    assert bench.engine.state.tables.elements == {}


@pytest.mark.parametrize("process", [MULTIPLYING, CALLING_ITSELF_TWICE, CALLING_ITSELF_FOR_EACH])
def test_a_process_that_multiplies_its_tokens_becomes_incidents(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, process: bytes
) -> None:
    monkeypatch.setattr(active, "MAX_ACTIVE", 200)
    bench.deploy(process, draw("other", "start > a", start=start(), a=task("t")))
    instance = bench.create()
    assert 0 < len(bench.incidents()) <= 210
    assert any("More than 200 elements and tokens" in incident["errorMessage"] for incident in bench.incidents())
    other = bench.create("other")
    assert len(bench.jobs("t")) == 1
    bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    bench.do("PROCESS_INSTANCE", "CANCEL", other)
    assert bench.engine.state.tables.elements == {}
    assert bench.engine.state.active.count == {}


def test_a_wait_inside_a_subprocess_begins_the_count_anew(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_ups, "MAX_HOPS", 10)
    inner = inside("i > t; t > e; b > e", i=start(), t=task("t"), e=end(), b=error_boundary("t"))
    bench.deploy(draw("p", "start > s > s", start=start(), s=subprocess(inner)))
    bench.create()
    for number in range(10):
        if number % 2:
            bench.complete("t")
        else:
            bench.throw(bench.job("t")["key"], "E")
    assert bench.incidents() == []


def test_a_list_with_more_items_than_may_be_active_is_an_incident_and_none_of_them_is_begun(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(active, "MAX_ACTIVE", 50)
    bench.deploy(draw("p", "start > a > end", start=start(), a=loop(task("t"), "=items"), end=end()))
    instance = bench.create(items=list(range(60)))
    assert "The list has 60 items" in bench.incident()["errorMessage"]
    assert bench.jobs("t") == []
    bench.set_variables(instance, items=[1, 2])
    bench.resolve()
    assert len(bench.jobs("t")) == 2


def test_what_a_loop_collects_is_no_larger_than_what_a_client_could_send(bench: Bench) -> None:
    repeated = loop(task("t"), "=[1, 2, 3]", output="=r", collection="all")
    bench.deploy(draw("p", "start > a > end", start=start(), a=repeated, end=end()))
    bench.create()
    for job in bench.activate("t"):
        bench.do("JOB", "COMPLETE", job["key"], variables=json.dumps({"r": "x" * 1_500_000}))
    assert bench.incident()["errorType"] == "IO_MAPPING_ERROR"


def test_a_batch_has_no_more_jobs_than_are_activated_at_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 20)
    bench.deploy(draw("p", "start > a > end", start=start(), a=loop(task("t"), "=for i in 1..30 return i"), end=end()))
    bench.create()
    assert [len(bench.activate("t", 1000)) for _ in range(3)] == [20, 10, 0]


@pytest.mark.parametrize("value", ["x" * 5_000, "\u00e4" * 2_500])
def test_a_batch_of_jobs_fits_into_the_message_that_brings_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setattr(jobs, "MAX_BATCH", 100_000)
    notes = headers(*(f"header-{number}" for number in range(100)))
    repeated = loop(task("t", extensions=notes), "=for i in 1..100 return i")
    bench.deploy(draw("p", "start > a > end", start=start(), a=repeated, end=end()))
    bench.create(value=value)
    fetched = bench.engine.process(Command("JOB_BATCH", "ACTIVATE", -1, {**_LEASE, "type": "t"}), bench.now)
    bench.log += fetched.records
    assert isinstance(fetched.response, dict)
    sent = pb.ActivateJobsResponse(jobs=[_message(job) for job in fetched.response["jobs"]])
    assert 60_000 < sent.ByteSize() <= 100_000


_LEASE = {"worker": "w", "timeout": 1 << 62, "maxJobsToActivate": 100, "fetchVariables": []}


def _message(job: dict[str, Any]) -> pb.ActivatedJob:
    known = {field.name for field in pb.ActivatedJob.DESCRIPTOR.fields}
    return pb.ActivatedJob(**{name: value for name, value in job.items() if name in known}, tenantId="<default>")


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("cycle", "R/PT0S"),
        ("cycle", "R/-PT1S"),
        ("cycle", f"R{10**20}/PT1S"),
        ("duration", f"P{'9' * 400}Y"),
        ("duration", f"-PT{'9' * 400}S"),
    ],
)
def test_a_timer_that_would_never_rest_or_is_beyond_all_numbers_is_refused(bench: Bench, kind: str, text: str) -> None:
    waiting = boundary("a", timer(kind, text), interrupting=False)
    assert f"Invalid timer {kind} expression" in bench.refused_deployment(
        draw("p", "start > a", start=start(), a=task("t"), b=waiting)
    )
    bench.deploy(
        draw("p", "start > a", start=start(), a=task("t"), b=boundary("a", timer(kind, "=t"), interrupting=False))
    )
    bench.create(t=text)
    assert bench.incident()["errorType"] == "EXTRACT_VALUE_ERROR"


def test_times_end_where_dates_do(bench: Bench) -> None:
    assert bench.refused("CLOCK", "PIN", time=FAR + 1).code == "INVALID_ARGUMENT"
    bench.do("CLOCK", "PIN", time=FAR)
    bench.deploy(ONE)
    bench.create()
    (job,) = bench.activate("t", timeout=(1 << 63) - 1)
    assert job["deadline"] == FAR
    bench.do("JOB", "UPDATE_TIMEOUT", job["key"], timeout=-(1 << 63))
    assert next(bench.events("JOB", "TIMEOUT_UPDATED")).value["deadline"] == 0
    bench.fail(job["key"], 1, backoff=(1 << 63) - 1)
    bench.publish("nobody", ttl=(1 << 63) - 1)
    assert next(bench.events("MESSAGE", "PUBLISHED")).value["deadline"] == FAR
    msgspec.msgpack.encode(bench.log)


LONG_LIST = draw(
    "p",
    "start > a > end; late > end",
    message("m", '="1"'),
    start=start(),
    a=loop(task("t"), "=items", output="=r", collection="all"),
    late=message_boundary("a", "m"),
    end=end(),
)


def test_the_items_of_a_long_list_are_begun_in_portions_in_their_order(bench: Bench) -> None:
    bench.deploy(LONG_LIST)
    items = list(range(2 * PORTION + 7))
    instance = bench.create(items=items)
    found = bench.activate("t", len(items), 60_000, "item", "loopCounter")
    assert [job["variables"] for job in found] == [{"item": n, "loopCounter": n + 1} for n in items]
    for job in reversed(found):
        bench.do("JOB", "COMPLETE", job["key"], variables=json.dumps({"r": job["variables"]["item"]}))
    assert bench.fate(instance) == "COMPLETED"
    assert bench.results[instance]["all"] == items


@pytest.mark.parametrize("how", ["cancel", "interrupt"])
def test_a_long_list_may_end_while_its_portions_are_begun(bench: Bench, how: str) -> None:
    bench.deploy(LONG_LIST)
    variables = json.dumps({"items": list(range(15 * PORTION))})
    command = Command("PROCESS_INSTANCE_CREATION", "CREATE", -1, creation(variables=variables))
    bench.log += bench.engine.process(command, bench.now).records
    assert bench.engine.has_pending()
    body = next(key for key, found in bench.engine.state.tables.elements.items() if found.element == "a")
    assert 0 < len(bench.jobs("t")) < 15 * PORTION or bench.engine.state.tables.elements[body].tokens
    instance = bench.engine.state.tables.elements[body].process_instance
    if how == "cancel":
        bench.do("PROCESS_INSTANCE", "CANCEL", instance)
    else:
        bench.publish("m", "1")
    assert bench.fate(instance) == ("TERMINATED" if how == "cancel" else "COMPLETED")
    assert bench.engine.state.tables.elements == {}
    assert bench.engine.state.active.count == {}


def test_a_command_that_leads_to_much_leaves_most_of_it_for_later(bench: Bench) -> None:
    bench.deploy(LONG_LIST)
    variables = json.dumps({"items": list(range(15 * PORTION))})
    command = Command("PROCESS_INSTANCE_CREATION", "CREATE", -1, creation(variables=variables))
    answer = bench.engine.process(command, bench.now)
    bench.log += answer.records
    assert len(answer.records) <= MAX_FOLLOW_UPS * RECORDS + PORTION
    resumed = bench.engine.resume(bench.now)
    bench.log += resumed.records
    assert len(resumed.records) <= RESUMED * RECORDS + PORTION
    bench.drain()
    assert len(bench.jobs("t")) == 15 * PORTION
