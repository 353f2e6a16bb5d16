"""Faults on the way to the embedded engine: what it holds afterwards, and that the worker goes on alone."""

import asyncio
import time
from typing import TYPE_CHECKING

import grpc
import pytest

from saga.clients.addresses import Addresses
from saga.kit.execution.doubt import Doubt
from saga.kit.gateway.connection import open_channel, stub
from saga.kit.settings import EngineSettings
from tests.kit.bench import until
from tests.runtime.bench import Bench, working
from tests.runtime.broker import result
from tests.runtime.faulty import FaultyGateway
from tests.runtime.quirks import SeveringGateway, through_one_of

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_AT_ONCE = 3.0
"""Seconds in which a job is done once a fault is over, on a machine that has other work too."""
_ANSWERS: dict[str, dict[str, object]] = {
    "CompleteJob": {},
    "ThrowError": {"refused": True},
    "FailJob": {"unavailable": 1},
}
_ENDS = {"CompleteJob": "completed", "ThrowError": "error thrown", "FailJob": "failed"}


async def goes_on(bench: Bench) -> None:
    """Check that the worker does a new job without further ado."""
    begun = time.monotonic()
    await bench.result()
    assert time.monotonic() - begun < _AT_ONCE


@pytest.mark.parametrize("method", _ANSWERS)
async def test_a_lost_reply_is_told_as_in_doubt_and_nothing_is_run_again(
    bench: Bench, faulty: FaultyGateway, through: EngineSettings, method: str
) -> None:
    faulty.lose_replies(method, 20)
    async with working(through, bench.step, seen=bench.seen):
        results = await bench.results(40, **_ANSWERS[method])
        await until(lambda: len(bench.seen.jobs) == bench.runs.total())
        await goes_on(bench)
    assert faulty.untold(method) == 0
    # A job that failed is given out again at once, one retry less: that it came says that its answer was taken.
    assert bench.doubts == ({} if method == "FailJob" else {Doubt.ANSWERED_BEFORE: 20})
    assert sorted(bench.runs.values()) == [1] + [2 if method == "FailJob" else 1] * 40
    assert all(("done" in result) == (method != "ThrowError") for result in results)
    assert await bench.broker.jobs("created", bench.task_type) == 41
    assert await bench.broker.jobs(_ENDS[method], bench.task_type) == (41 if method == "CompleteJob" else 40)


async def test_replies_that_are_lost_again_and_again_make_no_incident_of_a_job(
    bench: Bench, faulty: FaultyGateway, through: EngineSettings
) -> None:
    faulty.lose_replies("FailJob", 2)
    async with working(through, bench.step, seen=bench.seen, activations=2):
        result = await bench.result(unavailable=2)
    assert result["done"]["run"] == 3


async def test_a_reply_that_never_comes_is_waited_for_no_longer_than_its_deadline(
    bench: Bench, faulty: FaultyGateway, through: EngineSettings
) -> None:
    faulty.hang_replies("CompleteJob", 10)
    async with working(through, bench.step, seen=bench.seen, lease=30.0):
        await bench.results(20)
        await goes_on(bench)
        begun = time.monotonic()
        await until(lambda: len(bench.seen.jobs) == 21)
        assert time.monotonic() - begun < 10.0, "its lease would go on for half a minute"
    assert bench.doubts == {Doubt.ANSWERED_BEFORE: 10}
    assert set(bench.runs.values()) == {1}


@pytest.mark.parametrize("resets", [10, pytest.param(30, marks=pytest.mark.proof)])
async def test_many_resets_in_a_row_end_no_subscription(
    bench: Bench, faulty: FaultyGateway, through: EngineSettings, resets: int
) -> None:
    async with working(through, bench.step, seen=bench.seen, lease=60.0):
        for _ in range(resets):
            await faulty.reset()
            await goes_on(bench)
    assert sorted(bench.runs.values()) == [1] * resets


async def test_a_connection_that_is_reset_under_load_loses_nothing(
    bench: Bench, faulty: FaultyGateway, through: EngineSettings
) -> None:
    bench.seconds = 0.1
    async with working(through, bench.step, seen=bench.seen, lease=3.0):
        running = asyncio.create_task(bench.results(200))
        for share in range(1, 4):
            await until(lambda share=share: len(bench.runs) > share * 50)  # type: ignore[misc]
            await faulty.reset()
        await running
        await goes_on(bench)
    assert sorted(bench.runs.values()) == [1] * 201
    assert await bench.broker.jobs("completed", bench.task_type) == 201


async def test_streams_that_are_cut_again_and_again_lose_nothing(
    bench: Bench, faulty: FaultyGateway, through: EngineSettings
) -> None:
    async with working(through, bench.step, seen=bench.seen, lease=3.0):
        async with faulty.cutting(0.2), asyncio.timeout(120):
            while faulty.cuts < 15:
                # So few that a worker which polls, because the broker was behind, streams again.
                await bench.results(5)
        await goes_on(bench)
    assert set(bench.runs.values()) == {1}
    assert await bench.broker.jobs("completed", bench.task_type) == len(bench.runs)


@pytest.mark.parametrize("status", [grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE])
async def test_a_gateway_that_refuses_for_a_while_is_asked_until_it_does_not(
    bench: Bench, faulty: FaultyGateway, through: EngineSettings, status: grpc.StatusCode
) -> None:
    bench.gate.clear()
    async with working(through, bench.step, seen=bench.seen, lease=30.0):
        await bench.create(40)
        await until(lambda: len(bench.runs) == 40)
        with faulty.refusing(status):
            await faulty.reset()  # so that streams and polls are refused, too
            bench.gate.set()
            await bench.create(10)
            await until(lambda: faulty.refused["CompleteJob"] > 80 and faulty.refused["ActivateJobs"] > 3)
        begun = time.monotonic()
        await until(lambda: len(bench.seen.jobs) == 50)
        assert time.monotonic() - begun < _AT_ONCE
    assert sorted(bench.runs.values()) == [1] * 50
    assert await bench.broker.jobs("completed", bench.task_type) == 50


@pytest.mark.long
async def test_requests_of_others_that_run_out_lose_nothing(bench: Bench, addresses: Addresses) -> None:
    """Each closes the gateway's connection to the broker, with our polls and answers on it (camunda/camunda#25596)."""
    nobody = f"{bench.name}-nobody"
    await bench.broker.deploy(nobody, [f"{nobody}-serves"])
    ran_out = 0
    enough = asyncio.Event()

    async def run_out(gateway: "GatewayAsyncStub") -> None:
        nonlocal ran_out
        while not enough.is_set():
            try:
                await result(gateway, nobody, {}, seconds=0.1)
            except grpc.aio.AioRpcError as error:
                ran_out += error.code() is grpc.StatusCode.DEADLINE_EXCEEDED

    bench.seconds = 0.1
    await bench.create(300)
    async with through_one_of(SeveringGateway, addresses) as (severing, through), open_channel(through) as others:
        running_out = asyncio.create_task(run_out(stub(others)))
        try:
            async with working(through, bench.step, seen=bench.seen, window_per_type=8, lease=3.0):
                await until(lambda: len(bench.runs) == 300)
                await until(lambda: len(bench.seen.jobs) == bench.runs.total())
        finally:
            enough.set()
            await running_out
    assert ran_out >= 10
    assert severing.severed["CompleteJob"] >= 10
    assert severing.swallowed > 0
    assert set(bench.runs.values()) == {1}
    assert await bench.broker.jobs("completed", bench.task_type) == 300
