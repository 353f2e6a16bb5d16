"""What holds after every command, whatever the commands were."""

import json
from collections.abc import Callable, Sequence
from random import SystemRandom
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import Phase, given, seed, settings
from hypothesis import strategies as st

from saga.engine.core import Answer, Engine
from tests.amount import portions
from tests.engine.core.bench import START, Bench, activation, creation, modification
from tests.engine.core.conftest import assert_same, replay
from tests.engine.core.invariants import check
from tests.engine.core.scenario import FORM, JOB_TYPES, ORDER

KEYS = ("1", "2")
ACTIVATED = ("a", "b", "u", "g", "late", "undo_a", "then_b", "all", "later", "stopped", "failed", "done")


class Interleaving(Bench):
    """Does not wait for follow-ups: other commands come between them."""

    def drain(self) -> list[Answer]:
        return []


class Player:
    """Turns numbers into commands, some of which are refused."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.bench.deploy(FORM, name="f.form")
        self.bench.deploy(ORDER)
        self.moves: Sequence[Callable[[int], None]] = (
            self.create,
            self.start_at,
            self.complete,
            self.complete,
            self.complete,
            self.fail,
            self.throw,
            self.activate,
            self.publish,
            self.publish,
            self.correlate,
            self.modify,
            self.cancel,
            self.resolve,
            self.resolve,
            self.set_variables,
            self.user_task,
            self.wait,
        )

    def play(self, move: int, choice: int) -> None:
        self.moves[move % len(self.moves)](choice)

    def pick(self, held: dict[int, Any], choice: int) -> int:
        keys = sorted(held)
        return keys[choice % len(keys)] if keys else 4242

    def job(self, choice: int) -> int:
        return self.pick(self.bench.engine.state.tables.jobs, choice)

    def element(self, choice: int) -> int:
        return self.pick(self.bench.engine.state.tables.elements, choice)

    def instance(self, choice: int) -> int:
        elements = self.bench.engine.state.tables.elements
        return self.pick({key: found for key, found in elements.items() if found.scope == -1}, choice)

    def create(self, choice: int) -> None:
        variables: dict[str, Any] = {"k": KEYS[choice % 2], "n": 1, "manual": choice % 3 == 0, "r": 1}
        if choice % 5 == 0:
            del variables["n"], variables["r"]
        if choice % 11 == 0:
            del variables["k"]
        intent = "CREATE" if choice % 2 else "CREATE_WITH_AWAITING_RESULT"
        self.bench.send("PROCESS_INSTANCE_CREATION", intent, **creation("order", variables=json.dumps(variables)))

    def start_at(self, choice: int) -> None:
        starts = [ACTIVATED[choice % len(ACTIVATED)], ACTIVATED[choice // 7 % len(ACTIVATED)]]
        value = creation("order", starts=starts, variables='{"k": "1", "n": 1, "r": 1, "manual": false}')
        self.bench.send("PROCESS_INSTANCE_CREATION", "CREATE", **value)

    def complete(self, choice: int) -> None:
        self.bench.send("JOB", "COMPLETE", self.job(choice), variables=("{}", '{"r": 1}', '{"n": 2}')[choice % 3])

    def fail(self, choice: int) -> None:
        retries, backoff = choice % 3, (0, 50)[choice % 2]
        value: dict[str, Any] = {
            "retries": retries,
            "retryBackoff": backoff,
            "errorMessage": "",
            "variables": '{"x": 1}',
        }
        self.bench.send("JOB", "FAIL", self.job(choice), **value)

    def throw(self, choice: int) -> None:
        code = ("SOFT", "HARD", "")[choice % 3]
        self.bench.send("JOB", "THROW_ERROR", self.job(choice), errorCode=code, errorMessage="", variables='{"e": 1}')

    def activate(self, choice: int) -> None:
        self.bench.activate(JOB_TYPES[choice % len(JOB_TYPES)], 1 + choice % 3, 1 + choice % 100)

    def publish(self, choice: int) -> None:
        value: dict[str, Any] = {
            "name": ("open", "ping", "late", "stop")[choice % 4],
            "correlationKey": KEYS[choice // 4 % 2],
            "messageId": ("", "i")[choice // 8 % 2],
            "timeToLive": (0, 100)[choice // 16 % 2],
            "variables": json.dumps({"k": KEYS[choice % 2], "n": 1, "manual": False}),
        }
        self.bench.send("MESSAGE", "PUBLISH", **value)

    def correlate(self, choice: int) -> None:
        value: dict[str, Any] = {
            "name": ("open", "ping", "late", "stop")[choice % 4],
            "correlationKey": KEYS[choice // 4 % 2],
            "variables": json.dumps({"k": KEYS[choice % 2], "n": 1, "manual": False}),
        }
        self.bench.send("MESSAGE_CORRELATION", "CORRELATE", **value)

    def modify(self, choice: int) -> None:
        activate = [activation(ACTIVATED[choice % len(ACTIVATED)])] if choice % 3 else []
        terminate = (self.element(choice // 3),) if choice % 2 else ()
        value = modification(*activate, terminate=terminate)
        self.bench.send("PROCESS_INSTANCE_MODIFICATION", "MODIFY", self.instance(choice), **value)

    def cancel(self, choice: int) -> None:
        if choice % 3 == 0:
            self.bench.send("PROCESS_INSTANCE", "CANCEL", self.instance(choice))

    def resolve(self, choice: int) -> None:
        incident = self.pick(self.bench.engine.state.tables.incidents, choice)
        found = self.bench.engine.state.tables.incidents.get(incident)
        if found is not None and found.job != -1:
            self.bench.send("JOB", "UPDATE_RETRIES", found.job, retries=1)
        self.bench.send("INCIDENT", "RESOLVE", incident)

    def set_variables(self, choice: int) -> None:
        value: dict[str, Any] = {
            "scopeKey": self.element(choice),
            "variables": '{"k": "1", "n": 1, "r": 1, "manual": false}',
            "updateSemantics": ("LOCAL", "PROPAGATE")[choice % 2],
        }
        self.bench.send("VARIABLE_DOCUMENT", "UPDATE", **value)

    def user_task(self, choice: int) -> None:
        self.bench.send(
            "USER_TASK", "COMPLETE", self.pick(self.bench.engine.state.tables.user_tasks, choice), variables=""
        )

    def wait(self, choice: int) -> None:
        self.bench.wait(choice % 120)


PORTION = 100
"""Lists of moves from one seed."""
MOVES = st.lists(st.tuples(st.integers(0, 17), st.integers(0, 10_000)), min_size=10, max_size=40)


def play(moves: list[tuple[int, int]]) -> None:
    """Carry out moves, and look at the state after each."""
    player = Player(Bench())
    for move, choice in moves:
        player.play(move, choice)
        check(player.bench.engine.state)
    end(player.bench)


def play_interleaved(moves: list[tuple[int, int]]) -> None:
    """Carry out moves, of which each may come between the follow-ups of those before it."""
    bench = Interleaving()
    player = Player(bench)
    with patch("saga.engine.core.engine.MAX_FOLLOW_UPS", 2):
        for move, choice in moves:
            player.play(move, choice)
        Bench.drain(bench)
    check(bench.engine.state)
    end(bench)


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(MOVES)
def test_whatever_is_asked_for_nothing_is_lost_and_nothing_is_left_behind(moves: list[tuple[int, int]]) -> None:
    play(moves)


@settings(max_examples=100, deadline=None, derandomize=True, database=None, phases=[Phase.generate])
@given(MOVES)
def test_the_same_holds_where_commands_come_between_the_follow_ups_of_others(moves: list[tuple[int, int]]) -> None:
    play_interleaved(moves)


@pytest.mark.proof
@pytest.mark.parametrize("played", [play, play_interleaved])
def test_the_same_holds_for_other_moves_each_time(
    played: Callable[[list[tuple[int, int]]], None], record_property: Callable[[str, object], None]
) -> None:
    many = settings(max_examples=PORTION, deadline=None, database=None, phases=[Phase.generate])
    done = 0
    for portion in portions(5_000, PORTION):
        number = SystemRandom().getrandbits(32)
        print("seed", number)  # noqa: T201 - to play a failing run again
        seed(number)(many(given(MOVES)(played)))()
        done += portion
    record_property(f"seeds of commands, {played.__name__}", done)


def end(bench: Bench) -> None:
    """Look at the log, then cancel all that is left, and let all time pass."""
    bugs = [record.rejection_reason for record in bench.log if record.rejection_type == "PROCESSING_ERROR"]
    assert bugs == []
    assert_same(bench.engine, replay(bench.log))
    restored = Engine()
    restored.restore(bench.engine.snapshot(), bench.engine.position)
    assert_same(bench.engine, restored)
    tables = bench.engine.state.tables
    bench.now = START + 10**9
    bench.wait(0)
    while tables.elements:
        bench.send("PROCESS_INSTANCE", "CANCEL", min(tables.elements))
        Bench.drain(bench)
    for table in (
        "variables",
        "jobs",
        "incidents",
        "subscriptions",
        "compensations",
        "user_tasks",
        "results",
        "messages",
    ):
        assert getattr(tables, table) == {}, table
