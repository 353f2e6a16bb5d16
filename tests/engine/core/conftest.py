"""A core for each test; at its end the state that lived is the state that its log makes."""

from collections.abc import Iterator

import msgspec
import pytest

from saga.engine.core import Engine, Record
from saga.engine.core.state import State
from tests.engine.core.bench import Bench

_INDEXES = (
    "children",
    "activatable",
    "job_of",
    "user_task_of",
    "incidents_of",
    "buffered",
    "subscribed",
    "subscriptions_of",
    "starts",
    "locks",
    "versions",
    "form_versions",
    "compensations_of",
)


def indexes(state: State) -> dict[str, object]:
    active = {"active": state.active.count, "root": state.active.root}
    return {name: getattr(state, name) for name in _INDEXES} | active


def replay(log: list[Record]) -> Engine:
    """Make an engine of a log that has been written and read."""
    engine = Engine()
    for record in msgspec.msgpack.decode(msgspec.msgpack.encode(log), type=list[Record]):
        engine.replay(record)
    return engine


def assert_same(engine: Engine, other: Engine) -> None:
    assert other.digest() == engine.digest()
    assert indexes(other.state) == indexes(engine.state)
    assert other.position == engine.position


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    assert_same(bench.engine, replay(bench.log))
    restored = Engine()
    restored.restore(bench.engine.snapshot(), bench.engine.position)
    assert_same(bench.engine, restored)
