"""An engine for all tests that leave it running."""

import itertools
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.engine.process import EngineProcess, running

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub


@pytest.fixture(scope="session")
async def saga_engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """One engine for all tests that give it processes of their own."""
    async with running(data=tmp_path_factory.mktemp("engine") / "data") as engine:
        yield engine
        assert await engine.stop() == 0


@pytest.fixture(scope="session")
async def gateway(saga_engine: EngineProcess) -> AsyncIterator["GatewayAsyncStub"]:
    """The calls of that engine."""
    async with saga_engine.stub() as stub:
        yield stub


@pytest.fixture
def job_type(_numbers: Iterator[int]) -> str:
    """A job type, and id of a process, that no other test has."""
    return f"work-{next(_numbers)}"


@pytest.fixture(scope="session")
def _numbers() -> Iterator[int]:
    return itertools.count(1)
