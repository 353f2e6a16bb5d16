import os
import subprocess
import sys
from pathlib import Path

import msgspec

from saga.engine.core import Command, Engine, Record
from saga.engine.core.commands.registry import _HANDLERS
from tests.engine.core.bench import Bench, creation
from tests.engine.core.conftest import assert_same, replay
from tests.engine.core.scenario import JOB_TYPES, fingerprint, play
from tests.engine.drawing import draw, gateway, start

ROOT = Path(__file__).parents[3]


def test_the_scenario_has_every_command_and_ends_with_nothing_left(bench: Bench) -> None:
    play(bench)
    sent = {
        (record.value_type, record.intent)
        for record in bench.log
        if record.record_type == "COMMAND" and record.source == -1
    }
    assert sent == set(_HANDLERS)
    state = bench.engine.state.tables
    for table in (
        "elements",
        "variables",
        "jobs",
        "incidents",
        "subscriptions",
        "compensations",
        "user_tasks",
        "pending",
    ):
        assert getattr(state, table) == {}, table
    created = {record.value["type"] for record in bench.events("JOB", "CREATED")}
    assert created == set(JOB_TYPES)


def test_the_same_commands_make_the_same_log_in_another_process_whatever_the_seed_of_its_hashes() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "from tests.engine.core.scenario import fingerprint; print(fingerprint())"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == fingerprint()


def test_a_snapshot_at_any_position_is_the_state_at_that_position(bench: Bench) -> None:
    play(bench)
    engine = Engine()
    for record in bench.log:
        engine.replay(record)
        restored = Engine()
        restored.restore(engine.snapshot(), engine.position)
        assert_same(engine, restored)


def test_a_snapshot_and_the_rest_of_the_log_are_the_whole(bench: Bench) -> None:
    play(bench)
    for cut in range(0, len(bench.log), 41):
        restored = Engine()
        restored.restore(replay(bench.log[:cut]).snapshot(), cut)
        for record in bench.log[cut:]:
            restored.replay(record)
        assert_same(bench.engine, restored)


def test_an_engine_that_is_restored_answers_as_the_one_that_lived_on() -> None:
    lived, restored = Bench(), Bench()
    play(lived)
    commands = [record for record in lived.log if record.record_type == "COMMAND" and record.source == -1]
    for record in commands:
        if restored.engine.position != record.position - 1:
            continue
        command = Command(record.value_type, record.intent, record.key, record.value)
        fresh = Engine()
        fresh.restore(restored.engine.snapshot(), restored.engine.position)
        restored.engine = fresh
        restored.now = record.timestamp
        restored.send(command.value_type, command.intent, command.key, **command.value)
    assert _bytes(restored.log[: len(lived.log)]) == _bytes(lived.log[: len(restored.log)])
    assert len(restored.log) == len(lived.log)


def test_what_was_left_over_is_gone_on_with_after_a_restart(bench: Bench) -> None:
    chain = " > ".join(["start", *(f"g{n}" for n in range(150))])
    bench.deploy(draw("p", chain, start=start(), **{f"g{n}": gateway() for n in range(150)}))
    command = Command("PROCESS_INSTANCE_CREATION", "CREATE", -1, creation("p"))
    bench.log += bench.engine.process(command, bench.now).records
    assert bench.engine.has_pending()
    restored = Engine()
    restored.restore(bench.engine.snapshot(), bench.engine.position)
    replayed = replay(bench.log)
    while bench.engine.has_pending():
        answers = [engine.resume(bench.now) for engine in (bench.engine, restored, replayed)]
        assert _bytes(answers[0].records) == _bytes(answers[1].records) == _bytes(answers[2].records)
        bench.log += answers[0].records
    assert_same(bench.engine, restored)


def _bytes(records: list[Record]) -> bytes:
    return msgspec.msgpack.encode(records)
