"""All of a command takes effect or nothing of it: something fails at each record that a command writes."""

from collections import Counter
from dataclasses import dataclass

import pytest

from saga.engine.core import Answer, Command, Engine, Record, Rejection
from tests.engine.core.bench import Bench
from tests.engine.core.conftest import assert_same
from tests.engine.core.scenario import play


class BrokenError(Exception):
    """What fails."""


@dataclass
class Step:
    """A command of the scenario, with the state before it."""

    snapshot: bytes
    position: int
    command: Command
    now: int
    answer: Answer
    """With the records of what was left over, too."""
    digest: str

    def engine(self) -> Engine:
        engine = Engine()
        engine.restore(self.snapshot, self.position)
        return engine


class Recorder(Bench):
    """Notes each command that is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Step] = []

    def send(self, value_type: str, intent: str, key: int = -1, **value: object) -> Answer:
        snapshot, position = self.engine.snapshot(), self.engine.position
        answer = super().send(value_type, intent, key, **value)
        command = Command(value_type, intent, key, value)
        self.steps.append(Step(snapshot, position, command, self.now, answer, self.engine.digest()))
        return answer


@pytest.fixture(scope="module")
def steps() -> list[Step]:
    recorder = Recorder()
    play(recorder)
    return recorder.steps


def fail_at(engine: Engine, number: int) -> None:
    """Let the engine fail, once, at the record of this number from now on."""
    seen = 0

    def observe(record: Record) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            raise BrokenError(record.intent)

    engine.on_emit = observe


def carry_out(engine: Engine, step: Step) -> tuple[Answer, list[Record]]:
    answer = engine.process(step.command, step.now)
    records = list(answer.records)
    while engine.has_pending():
        records += engine.resume(step.now).records
    return answer, records


def own_records(step: Step) -> list[Record]:
    """Return the records of the command itself, without those of its follow-ups."""
    command = step.answer.records[0]
    return [record for record in step.answer.records[1:] if record.source == command.position]


def test_a_command_that_fails_at_any_of_its_records_changes_nothing(steps: list[Step]) -> None:
    tried = 0
    for step in steps:
        for number in range(2, len(own_records(step)) + 2):
            if isinstance(step.answer.response, Rejection):
                continue
            tried += 1
            engine = step.engine()
            before = engine.digest()
            fail_at(engine, number)
            answer, records = carry_out(engine, step)
            assert isinstance(answer.response, Rejection), step.command
            assert answer.response.code == "PROCESSING_ERROR"
            assert "BrokenError" in answer.response.reason
            assert [record.record_type for record in records] == ["COMMAND", "COMMAND_REJECTION"]
            assert (answer.activatable, answer.results) == ([], {})
            assert engine.digest() == before
            replayed = step.engine()
            for record in records:
                replayed.replay(record)
            assert_same(engine, replayed)
            again, _ = carry_out(engine, step)
            assert again.response == step.answer.response
            assert engine.digest() == step.digest
    assert tried > 300


def test_a_follow_up_that_fails_at_any_of_its_records_is_kept_and_carried_out_later(steps: list[Step]) -> None:
    tried = 0
    for step in steps:
        own = len(own_records(step))
        for number in range(own + 2, len(step.answer.records) + 1):
            tried += 1
            engine = step.engine()
            fail_at(engine, number)
            answer, records = carry_out(engine, step)
            assert answer.response == step.answer.response
            failed = [
                r for r in records if r.record_type == "COMMAND_REJECTION" and r.rejection_type == "PROCESSING_ERROR"
            ]
            assert len(failed) == 1, (step.command, number)
            replayed = step.engine()
            for record in records:
                replayed.replay(record)
            assert_same(engine, replayed)
            for incident in [found for found in engine.state.tables.incidents.values() if found.follow_up]:
                engine.process(Command("INCIDENT", "RESOLVE", incident.key), step.now)
                while engine.has_pending():
                    engine.resume(step.now)
            assert standing(engine) == standing_of(step), (step.command, number)
    assert tried > 300


def standing(engine: Engine) -> Counter[tuple[str, ...]]:
    """Count what is alive, without keys, which depend on the order in which things were done."""
    tables = engine.state.tables
    return Counter(
        [
            *(("element", found.element, found.state, str(found.tokens)) for found in tables.elements.values()),
            *(("job", found.type, found.state) for found in tables.jobs.values()),
            *(("incident", found.error_type) for found in tables.incidents.values()),
            *(("subscription", found.event, found.correlation_key) for found in tables.subscriptions.values()),
            *(("compensation", found.activity, str(found.throw == -1)) for found in tables.compensations.values()),
            *(("task", found.assignee) for found in tables.user_tasks.values()),
            *(("variables", *sorted(names)) for names in tables.variables.values()),
        ]
    )


def standing_of(step: Step) -> Counter[tuple[str, ...]]:
    engine = step.engine()
    carry_out(engine, step)
    return standing(engine)


def test_a_refused_command_is_told_and_changes_nothing(steps: list[Step]) -> None:
    refused = [step for step in steps if isinstance(step.answer.response, Rejection)]
    assert refused
    for step in refused:
        command, rejection = step.answer.records
        assert (command.record_type, rejection.record_type) == ("COMMAND", "COMMAND_REJECTION")
        assert rejection.source == command.position
        assert rejection.rejection_reason


def test_a_bug_of_the_engine_is_told_without_a_value(steps: list[Step]) -> None:
    step = steps[1]
    engine = step.engine()

    def observe(record: Record) -> None:
        if record.record_type == "EVENT":
            message = "card 4111"
            raise ValueError(message)

    engine.on_emit = observe
    answer, _ = carry_out(engine, step)
    assert isinstance(answer.response, Rejection)
    assert "4111" not in str(answer.response)
    assert "ValueError" in str(answer.response)
