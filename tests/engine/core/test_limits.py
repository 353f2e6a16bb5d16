import time

import pytest

from tests.engine.core.bench import Bench, creation
from tests.engine.core.conftest import replay
from tests.engine.drawing import (
    condition,
    draw,
    element,
    end,
    error_start,
    event_subprocess,
    gateway,
    inside,
    mapping,
    message,
    message_start,
    start,
    task,
)
from workers.engine.core import Command
from workers.engine.core.engine import MAX_FOLLOW_UPS

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
