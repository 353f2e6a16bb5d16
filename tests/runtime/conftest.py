"""What the runtime's tests share: the suite's engine, and a process of each test's own on it."""

import uuid
from collections.abc import AsyncIterator

import pytest

from saga.clients.addresses import Addresses
from saga.kit.settings import EngineSettings
from tests.runtime.bench import Bench
from tests.runtime.broker import Broker
from tests.runtime.faulty import FaultyGateway
from tests.stack import Stack


@pytest.fixture(scope="session")
async def broker(addresses: Addresses, stack: Stack) -> AsyncIterator[Broker]:
    async with Broker(addresses, stack.offset) as broker:
        yield broker


@pytest.fixture
def name() -> str:
    """A name that no other process on the broker has."""
    return f"runtime-{uuid.uuid4().hex[:8]}"


@pytest.fixture
async def bench(broker: Broker, name: str) -> Bench:
    """A process of the test's own, deployed."""
    bench = Bench(broker, name)
    await broker.deploy(name, [bench.task_type])
    return bench


@pytest.fixture
async def faulty(addresses: Addresses) -> AsyncIterator[FaultyGateway]:
    """A way to the broker on which a test can do harm."""
    async with FaultyGateway(addresses.engine.address) as proxy:
        yield proxy


@pytest.fixture
def through(faulty: FaultyGateway, addresses: Addresses) -> EngineSettings:
    """The broker's address through the faulty way."""
    return addresses.engine.model_copy(update={"address": faulty.address})
