from saga.engine.core import Engine
from tests.engine.core.bench import START, Bench
from tests.engine.drawing import draw, end, mapping, message, start, task

ONE = draw("p", "start > a > end", start=start(), a=task("t"), end=end())


def test_a_pinned_clock_stands(bench: Bench) -> None:
    bench.do("CLOCK", "PIN", time=5_000_000)
    bench.now += 1000
    assert bench.engine.clock(bench.now) == 5_000_000
    bench.deploy(ONE)
    bench.create()
    assert bench.job("t")["deadline"] == 5_060_000
    assert {record.timestamp for record in bench.log[2:]} == {START, 5_000_000}


def test_nothing_is_waited_for_while_the_clock_stands_and_what_is_due_is_due(bench: Bench) -> None:
    bench.deploy(ONE)
    bench.create()
    bench.job("t")
    assert bench.engine.wait(bench.now) == 60_000
    bench.do("CLOCK", "PIN", time=bench.now)
    assert bench.engine.wait(bench.now + 60_000) is None
    assert bench.engine.due(bench.now + 60_000) == []
    bench.do("CLOCK", "PIN", time=bench.now + 60_000)
    assert bench.engine.wait(bench.now) == 0
    bench.wait(0)
    assert len(bench.activate("t")) == 1


def test_a_clock_that_is_reset_runs_with_the_machine(bench: Bench) -> None:
    bench.do("CLOCK", "PIN", time=1)
    bench.do("CLOCK", "RESET")
    assert bench.engine.clock(bench.now) == bench.now


def test_a_clock_is_not_pinned_before_1970(bench: Bench) -> None:
    rejection = bench.refused("CLOCK", "PIN", time=-1)
    assert rejection.code == "INVALID_ARGUMENT"


def test_a_jump_back_makes_nothing_happen_twice(bench: Bench) -> None:
    bench.deploy(ONE)
    bench.create()
    bench.activate("t", timeout=100)
    bench.wait(100)
    bench.do("CLOCK", "PIN", time=START)
    bench.wait(0)
    bench.do("CLOCK", "PIN", time=START + 100)
    bench.wait(0)
    assert len(list(bench.events("JOB", "TIMED_OUT"))) == 1


def test_what_is_due_comes_in_the_order_of_its_time(bench: Bench) -> None:
    bench.deploy(ONE)
    for timeout in (300, 100, 200):
        bench.create()
        bench.activate("t", timeout=timeout)
    due = bench.engine.due(bench.now + 500)
    keys = [record.value["jobKeys"][0] for record in bench.events("JOB_BATCH")]
    assert [command.key for command in due] == [keys[1], keys[2], keys[0]]
    for command in due:
        bench.now += 500
        bench.send(command.value_type, command.intent, command.key)


def test_what_was_due_and_has_ended_since_is_refused_and_harms_nobody(bench: Bench) -> None:
    bench.deploy(ONE)
    bench.create()
    job = bench.activate("t", timeout=100)[0]
    for intent, code in (("TIME_OUT", "INVALID_STATE"), ("RECUR", "INVALID_STATE")):
        assert bench.refused("JOB", intent, job["key"]).code == code
    bench.do("JOB", "COMPLETE", job["key"], variables="{}")
    for value_type, intent in (("JOB", "TIME_OUT"), ("JOB", "RECUR"), ("MESSAGE", "EXPIRE")):
        assert bench.refused(value_type, intent, job["key"]).code == "NOT_FOUND"


def test_a_lease_that_was_made_longer_is_due_at_its_new_end_alone(bench: Bench) -> None:
    bench.deploy(ONE)
    bench.create()
    job = bench.activate("t", timeout=100)[0]
    bench.do("JOB", "UPDATE_TIMEOUT", job["key"], timeout=500)
    assert bench.engine.due(bench.now + 100) == []
    assert bench.engine.wait(bench.now) == 500


def test_what_is_due_is_still_due_after_a_restart(bench: Bench) -> None:
    bench.deploy(ONE, draw("q", beside=message("m"), start=start(message="m")))
    bench.create()
    bench.create()
    bench.activate("t", 1, timeout=100)
    bench.fail(bench.activate("t", 1)[0]["key"], 1, backoff=200)
    bench.publish("x", ttl=300)
    restored = Engine()
    restored.restore(bench.engine.snapshot(), bench.engine.position)
    assert restored.wait(bench.now) == 100
    intents = ["TIME_OUT", "RECUR", "EXPIRE"]
    assert [command.intent for command in restored.due(bench.now + 300)] == intents
    assert [command.intent for command in bench.engine.due(bench.now + 300)] == intents


def test_expressions_have_the_time_of_the_engine(bench: Bench) -> None:
    bench.do("CLOCK", "PIN", time=86_400_000)
    bench.deploy(draw("p", "start > a", start=start(), a=task("t", extensions=mapping({"d": "=string(today())"}))))
    bench.create()
    assert bench.job("t")["variables"] == {"d": "1970-01-02"}


def test_a_command_that_is_unknown_is_refused(bench: Bench) -> None:
    assert bench.refused("WHAT", "EVER").code == "INVALID_ARGUMENT"
