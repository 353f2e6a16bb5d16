"""The engine that the peers work for: the embedded one, as `saga up` runs it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGKILL

import grpc
import httpx
import psutil
from pyzeebe.proto.gateway_pb2 import Partition, TopologyRequest

from saga.clients.ports import HOST, Ports
from saga.kit.gateway.connection import stub
from saga.stack import apps
from saga.stack.layout import Layout
from saga.stack.ports import require_free
from saga.stack.supervisor import Supervisor
from tests.engine import jobs

_LOOK = 0.02
"""Seconds between two looks at the broker."""
_QUIET_SHARE = 0.3
"""Of a core: what the engine takes when nothing is left to do."""
_QUIET_STEP = 0.5
_QUIET_SECONDS = 4.0
"""An engine that is not quiet by then is measured as it is; interleaved as they are, that hits every peer alike."""


class Engine:
    """A running engine."""

    def __init__(self, ports: Ports, supervisor: Supervisor) -> None:
        """Look after what `supervisor` runs at `ports`."""
        self.address = f"{HOST}:{ports.zeebe}"
        self.rest = f"http://{HOST}:{ports.rest}"
        self._management = f"http://{HOST}:{ports.management}"
        self._supervisor = supervisor
        self._http = httpx.AsyncClient(trust_env=False, timeout=10.0)

    async def jobs(self, event: str, task_type: str) -> int:
        """Return how many jobs of a type the broker has "created" or "completed" since it started."""
        return await jobs(self._http, self._management, event, task_type)

    async def until_created(self, task_type: str, jobs: int) -> None:
        """Return when the broker has created so many jobs of a type."""
        while await self.jobs("created", task_type) < jobs:  # noqa: ASYNC110 - it is the broker that creates them
            await asyncio.sleep(_LOOK)

    async def quiet(self) -> None:
        """Wait until what was started before is done, and only idling is left."""
        end = time.monotonic() + _QUIET_SECONDS
        before = self.cpu()
        while time.monotonic() < end:
            await asyncio.sleep(_QUIET_STEP)
            now = self.cpu()
            if now - before < _QUIET_SHARE * _QUIET_STEP:
                return
            before = now

    def kill(self) -> None:
        """Kill the broker as a crash does; the supervisor starts it again."""
        process = self._supervisor.state.part("engine").process
        if process is not None:
            psutil.Process(process.pid).send_signal(SIGKILL)

    async def ready(self) -> None:
        """Return as soon as the broker says that it is ready and its partition is healthy."""
        while not await self._serves():  # noqa: ASYNC110 - it is another process that becomes ready
            await asyncio.sleep(_LOOK)

    async def gone(self) -> None:
        """Return as soon as the broker does not answer any more."""
        while await self._serves():  # noqa: ASYNC110 - it is another process that ends
            await asyncio.sleep(_LOOK)

    async def _serves(self) -> bool:
        try:
            if (await self._http.get(f"{self._management}/ready", follow_redirects=True)).status_code != httpx.codes.OK:
                return False
            # A channel of its own: one that saw the outage would wait before it connects again.
            async with grpc.aio.insecure_channel(self.address) as channel:
                topology = await stub(channel).Topology(TopologyRequest(), timeout=1.0)
        except (httpx.HTTPError, grpc.aio.AioRpcError):
            return False
        partitions = [partition for broker in topology.brokers for partition in broker.partitions]
        return bool(partitions) and all(
            each.health == Partition.HEALTHY and each.role == Partition.LEADER for each in partitions
        )

    def cpu(self) -> float:
        """Return the seconds of CPU that the engine has taken."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(each.user + each.system for each in times)

    def memory(self) -> float:
        """Return the engine's resident memory in MB."""
        return sum(process.memory_info().rss for process in self._processes()) / 2**20

    def _processes(self) -> list[psutil.Process]:
        found = [part.process.find() for part in self._supervisor.state.parts if part.process]
        return [process for process in found if process]


@asynccontextmanager
async def embedded(data: Path, port_offset: int) -> AsyncIterator[Engine]:
    """Run the embedded engine as `saga up` does, and nothing beside it."""
    layout, ports = Layout(data), Ports.of(port_offset)
    part = apps.engine(layout, ports)
    require_free(ports.of_part(part.name))
    layout.data.mkdir(parents=True, exist_ok=True)
    supervisor = Supervisor([part], layout.logs, lambda _state: None)
    stop = asyncio.Event()
    running = asyncio.create_task(supervisor.run(stop))
    ready = asyncio.create_task(supervisor.until_ready())
    try:
        await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
        if ready.done():
            engine = Engine(ports, supervisor)
            await engine.ready()
            yield engine
    finally:
        ready.cancel()
        stop.set()
        # Where the engine ended by itself, this says why.
        await running
