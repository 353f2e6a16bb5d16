"""An engine that is started by itself, and what its start took."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
import psutil
from pyzeebe.proto.gateway_pb2 import TopologyRequest

from saga.clients.ports import HOST
from saga.kit.gateway.connection import stub
from tests.benchmarks.floor import running
from tests.stack import free_port

_LOOK = 0.01


@dataclass(frozen=True, slots=True)
class Started:
    """An engine that answers."""

    seconds: float
    """From exec to its first answer."""
    gateway: str
    management: str
    pid: int

    def memory(self) -> float:
        """Return the megabytes that it holds."""
        return psutil.Process(self.pid).memory_info().rss / 1e6


@asynccontextmanager
async def started(*options: str) -> AsyncIterator[Started]:
    """Run `saga engine` with these options at ports of its own; at the end it is killed."""
    gateway, rest, management = (free_port() for _ in range(3))
    ports = (f"--port={gateway}", f"--rest-port={rest}", f"--management-port={management}")
    begun = time.perf_counter()
    async with running(sys.executable, "-m", "saga.cli", "engine", *options, *ports) as process:
        await _first_answer(f"{HOST}:{gateway}")
        seconds = time.perf_counter() - begun
        while b"Ready" not in await process.stdout.readline():  # type: ignore[union-attr]  # it is a pipe
            pass
        yield Started(seconds, f"{HOST}:{gateway}", f"http://{HOST}:{management}", process.pid)


async def _first_answer(gateway: str) -> None:
    while True:
        try:
            async with grpc.aio.insecure_channel(gateway) as channel:
                await stub(channel).Topology(TopologyRequest(), timeout=1.0)
                return
        except grpc.aio.AioRpcError:
            await asyncio.sleep(_LOOK)
