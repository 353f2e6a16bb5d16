"""What one client asks for does not keep the others waiting."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.engine import jobs, row
from tests.engine.process import TIMEOUT, EngineProcess, activate, create, deploy, running, task

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

ROUNDS = 12
"""How often it is tried: what else runs on this machine makes it slower, and never faster."""
TOPOLOGY = 0.05
"""Seconds for a Topology."""
GUST = 200
"""Jobs that fail at once."""
LONGEST = 1.0
"""Seconds for an UpdateJobTimeout."""


def for_each(job_type: str) -> bytes:
    drawn = (
        f'<bpmn:serviceTask id="task"><bpmn:extensionElements><zeebe:taskDefinition type="{job_type}" />'
        "</bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics><bpmn:extensionElements>"
        '<zeebe:loopCharacteristics inputCollection="=items" inputElement="item" />'
        "</bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics></bpmn:serviceTask>"
    )
    return row(job_type, {"task": drawn})


async def slowest(call: Callable[[], Awaitable[object]], until: Callable[[], Awaitable[bool]]) -> float:
    """Call again and again as long as something goes on, and return the seconds of the slowest call."""
    going = asyncio.ensure_future(_wait(until))
    seconds = []
    while not going.done():
        begun = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - begun)
        await asyncio.sleep(0.002)
    await going
    assert len(seconds) > 5
    return max(seconds)


async def _wait(until: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(TIMEOUT):
        while not await until():  # noqa: ASYNC110 - it is another process that one waits for
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("items", [2_000, pytest.param(10_000, marks=pytest.mark.proof)])
async def test_while_many_items_are_created_at_once_another_client_gets_its_topology_soon(items: int) -> None:
    async with running() as engine, engine.stub() as one, engine.stub() as other, httpx.AsyncClient() as http:
        seconds = [TOPOLOGY + 1]
        while min(seconds) > TOPOLOGY and len(seconds) <= ROUNDS:
            job_type = f"each-{len(seconds)}"
            await deploy(one, for_each(job_type))
            creating = asyncio.ensure_future(create(one, job_type, json.dumps({"items": list(range(items))})))

            async def all_there(job_type: str = job_type) -> bool:
                return await jobs(http, f"http://{engine.management}", "created", job_type) == items

            seconds.append(await slowest(lambda: other.Topology(pb.TopologyRequest()), all_there))
            await creating
    print(f"{items} items: {seconds[1:]}")  # noqa: T201 - how near to the bound it is
    assert min(seconds) <= TOPOLOGY, seconds


@pytest.mark.parametrize("incidents", [600, pytest.param(1_000, marks=pytest.mark.proof)])
async def test_in_a_storm_of_incidents_a_lease_is_extended_in_time(incidents: int) -> None:
    async with running() as engine, engine.stub() as one, engine.stub() as other:
        await deploy(one, for_each("storm"))
        await deploy(one, task("calm"))
        await create(one, "storm", json.dumps({"items": list(range(incidents))}))
        await create(one, "calm")
        [calm] = await activate(other, "calm", wait=10_000)
        leased: list[pb.ActivatedJob] = []
        while len(leased) < incidents:
            leased += await activate(one, "storm", most=incidents, wait=1_000)
        extend = pb.UpdateJobTimeoutRequest(jobKey=calm.key, timeout=60_000)

        async def storm() -> None:
            # The engine takes many at once in a few batches: one gust after the other, so that it lasts.
            for first in range(0, incidents, GUST):
                await asyncio.gather(*(fail(one, job.key) for job in leased[first : first + GUST]))

        failing = asyncio.ensure_future(storm())

        async def all_failed() -> bool:
            return failing.done()

        seconds = await slowest(lambda: other.UpdateJobTimeout(extend, timeout=TIMEOUT), all_failed)
        await failing
        open_incidents = await search(engine)
    print(f"{incidents} incidents: {seconds}")  # noqa: T201 - how near to the bound it is
    assert open_incidents == incidents
    assert seconds < LONGEST


async def fail(stub: "GatewayAsyncStub", job: int) -> None:
    await stub.FailJob(pb.FailJobRequest(jobKey=job, retries=0, errorMessage="boom"), timeout=TIMEOUT)


async def search(engine: EngineProcess) -> int:
    """Return how many incidents are open."""
    async with httpx.AsyncClient() as http:
        found = await http.post(f"http://{engine.rest}/v2/incidents/search", json={"filter": {"state": "ACTIVE"}})
    total: int = found.raise_for_status().json()["page"]["totalItems"]
    return total
