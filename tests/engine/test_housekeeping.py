"""When snapshots are stored, and when a portion of what is old is removed."""

from collections.abc import Sequence

import pytest

from saga.engine import housekeeping
from saga.engine.core import Engine, Record
from saga.engine.housekeeping import SNAPSHOT_EVERY, Housekeeping
from tests.engine.writing import NOW

HOUR = 3_600_000
DAY = 24 * HOUR


class Store:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.snapshots: list[int] = []
        """Their positions."""
        self.removed: list[int] = []
        """Times before which something was to be removed."""
        self.oldest: int | None = None
        """What is left after a portion."""

    def append(self, records: Sequence[Record]) -> None:
        raise AssertionError(records)

    def snapshot_position(self) -> int:
        return self.snapshots[-1] if self.snapshots else 0

    def save_snapshot(self, state: bytes, position: int) -> None:
        assert state
        self.snapshots.append(position)

    def remove_older(self, before: int) -> int | None:
        self.removed.append(before)
        return self.oldest


class Machine:
    """A monotonic clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    found = Machine()
    monkeypatch.setattr(housekeeping, "time", found)
    return found


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def engine() -> Engine:
    """An engine that was recovered to position 10."""
    found = Engine()
    found.position = 10
    return found


def test_without_a_retention_only_the_number_of_records_asks_for_a_snapshot(engine: Engine, store: Store) -> None:
    keeping = Housekeeping(engine, store, None)
    assert keeping.wait(NOW) is None
    engine.position = SNAPSHOT_EVERY - 1
    assert not keeping.is_due(NOW + 1000 * DAY)
    engine.position += 1
    assert keeping.is_due(NOW)
    keeping.run(NOW)
    assert not keeping.is_due(NOW)
    assert store.snapshots == [SNAPSHOT_EVERY]
    assert store.removed == []


def test_a_large_state_is_stored_once_as_many_records_as_it_has_elements(
    engine: Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    elements = 3 * SNAPSHOT_EVERY
    monkeypatch.setattr(engine, "size", lambda: elements)
    keeping = Housekeeping(engine, store, None)
    engine.position = elements - 1
    assert not keeping.is_due(NOW)
    engine.position += 1
    assert keeping.is_due(NOW)


def test_what_was_added_before_a_crash_asks_for_a_snapshot_too(engine: Engine, store: Store) -> None:
    store.snapshots = [7]
    engine.position = 7 + SNAPSHOT_EVERY
    assert Housekeeping(engine, store, None).is_due(NOW)


def test_with_a_retention_the_state_is_stored_at_the_start_and_whenever_it_has_passed(
    engine: Engine, store: Store
) -> None:
    keeping = Housekeeping(engine, store, DAY)
    assert keeping.wait(NOW) == 0
    keeping.run(NOW)
    assert store.snapshots == [10]
    keeping.run(NOW + DAY)
    assert store.snapshots == [10], "nothing was added"
    engine.position = 20
    keeping.run(NOW + 2 * DAY - 1)
    assert store.snapshots == [10]
    keeping.run(NOW + 2 * DAY)
    assert store.snapshots == [10, 20]
    engine.position = 30
    keeping.run(NOW)
    assert store.snapshots == [10, 20, 30], "the clock went back"


def test_a_short_retention_stores_the_state_once_an_hour(engine: Engine, store: Store) -> None:
    keeping = Housekeeping(engine, store, 1000)
    keeping.run(NOW)
    engine.position = 20
    keeping.run(NOW + HOUR - 1)
    assert store.snapshots == [10]
    keeping.run(NOW + HOUR)
    assert store.snapshots == [10, 20]


def test_the_next_look_is_when_the_oldest_that_is_left_is_old(engine: Engine, store: Store, machine: Machine) -> None:
    keeping = Housekeeping(engine, store, DAY)
    store.oldest = NOW - HOUR
    keeping.run(NOW)
    assert store.removed == [NOW - DAY]
    assert keeping.wait(NOW) == DAY - HOUR
    assert not keeping.is_due(NOW + DAY - HOUR - 1)
    assert keeping.is_due(NOW + DAY - HOUR)
    assert keeping.is_due(NOW - 1), "the clock went back"
    store.oldest = None
    keeping.run(NOW + DAY)
    assert keeping.wait(NOW + DAY) == DAY
    assert machine.now == 100


def test_between_two_portions_the_writer_works_for_others(engine: Engine, store: Store, machine: Machine) -> None:
    keeping = Housekeeping(engine, store, DAY)
    store.oldest = NOW - 2 * DAY

    def slow(before: int) -> int | None:
        del before
        machine.now += 0.25
        return store.oldest

    store.remove_older = slow  # type: ignore[method-assign]
    keeping.run(NOW)
    assert not keeping.is_due(NOW)
    assert keeping.wait(NOW) == 1000
    machine.now += 1
    assert keeping.is_due(NOW)
    assert keeping.wait(NOW) == 0
