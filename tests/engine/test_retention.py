"""A whole engine with a retention: what it removes while it runs and after a kill, and what it goes on with."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
from pyzeebe.proto import gateway_pb2 as pb

from tests.engine.process import TIMEOUT, EngineProcess, activate, create, deploy, running, task
from tests.engine.test_damage import opened
from tests.engine.test_records import asking

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

DAY = 86_400_000
BEGIN = 2_000_000_000_000
"""Engine time in milliseconds."""
OPTIONS = ("--clock", "controlled", "--retention", "P7D")


@asynccontextmanager
async def requests(engine: EngineProcess) -> AsyncIterator["Requests"]:
    """Ask an engine over HTTP."""
    rest = httpx.AsyncClient(base_url=f"http://{engine.rest}", timeout=TIMEOUT)
    async with rest, asking(engine) as management:
        yield Requests(rest, management)


@dataclass
class Requests:
    """What the test asks over HTTP."""

    rest: httpx.AsyncClient
    management: httpx.AsyncClient

    async def pin(self, time: int) -> None:
        (await self.rest.put("/v2/clock", json={"timestamp": time})).raise_for_status()

    async def is_there(self, instance: int) -> bool:
        return (await self.rest.get(f"/v2/process-instances/{instance}")).status_code == httpx.codes.OK

    async def first(self) -> int:
        """Return the position of the log's first record."""
        first: int = json.loads((await self.management.get("/records")).text.partition("\n")[0])["position"]
        return first

    async def removed(self, instance: int, first: int) -> int:
        """Wait until an instance is removed, and the log begins behind `first`; return where it begins."""
        async with asyncio.timeout(TIMEOUT):
            while await self.is_there(instance) or await self.first() <= first:
                pass
        return await self.first()


async def complete(stub: "GatewayAsyncStub") -> int:
    """Complete a job; return its instance."""
    [job] = await activate(stub, "work")
    await stub.CompleteJob(pb.CompleteJobRequest(jobKey=job.key), timeout=TIMEOUT)
    return job.processInstanceKey


async def test_it_removes_what_is_old_also_after_a_kill_and_goes_on_with_what_is_alive(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with running(*OPTIONS, data=data) as engine, engine.stub() as stub, requests(engine) as http:
        await http.pin(BEGIN)
        await deploy(stub, task("work"))
        old = await create(stub, "work")
        assert await complete(stub) == old
        alive = await create(stub, "work", '{"a": 1}')
        await http.pin(BEGIN + 7 * DAY)
        first = await http.removed(old, 1)
        late = await create(stub, "work")
        await stub.CancelProcessInstance(pb.CancelProcessInstanceRequest(processInstanceKey=late), timeout=TIMEOUT)
        await engine.kill()
    last = engine.records()[-1].position
    found = opened(data / "engine.sqlite")
    assert found[0] == last
    async with running(*OPTIONS, data=data) as engine, engine.stub() as stub, requests(engine) as http:
        assert await http.is_there(late)
        assert await http.is_there(alive)
        await http.pin(BEGIN + 14 * DAY)
        assert await http.removed(late, first) > last, "records of before the kill are left"
        assert await complete(stub) == alive
        assert await engine.stop() == 0
    assert isinstance(opened(data / "engine.sqlite"), tuple)
