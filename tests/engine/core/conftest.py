"""A core for each test; at its end the state that lived is the state that its log makes."""

from collections.abc import Iterator

import msgspec
import pytest

from tests.engine.core.bench import Bench
from workers.engine.core import Engine, Record


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    replayed = Engine()
    for record in msgspec.msgpack.decode(msgspec.msgpack.encode(bench.log), type=list[Record]):
        replayed.replay(record)
    assert replayed.digest() == bench.engine.digest()
    restored = Engine()
    restored.restore(bench.engine.snapshot(), bench.engine.position)
    assert restored.digest() == bench.engine.digest()
