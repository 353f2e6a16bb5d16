"""More jobs than a worker can do: it has no more of them in hand than its window, and runs none beside itself."""

import asyncio

import pytest

from saga.clients.addresses import Addresses
from tests.kit.bench import until
from tests.runtime.bench import Bench, working
from tests.runtime.quirks import UnboundedGateway, through_one_of
from tests.world import eventually


@pytest.mark.parametrize("jobs", [300, pytest.param(1_500, marks=pytest.mark.proof)])
async def test_a_flood_never_has_more_jobs_in_hand_than_the_window(
    bench: Bench, addresses: Addresses, jobs: int
) -> None:
    await bench.create(jobs)
    most = 0
    async with working(addresses.engine, bench.step, seen=bench.seen, window_per_type=8) as worker:

        async def completed() -> int:
            nonlocal most
            most = max(most, worker.active.total())
            return await bench.broker.jobs("completed", bench.task_type)

        await eventually(completed, lambda done: done == jobs, seconds=180)
    assert 1 < bench.most_running <= 8
    assert most <= 8
    assert len(bench.runs) == jobs
    assert set(bench.runs.values()) == {1}


async def test_jobs_whose_leases_run_out_in_the_buffer_of_a_gateway_are_run_once_each(
    bench: Bench, addresses: Addresses
) -> None:
    bench.gate.clear()
    async with (
        through_one_of(UnboundedGateway, addresses) as (buffering, through),
        working(through, bench.step, seen=bench.seen, window_per_type=8, lease=2.0),
    ):
        # Of a size that gRPC's own buffers take few of.
        results = asyncio.create_task(bench.results(300, name="n" * 4_000))

        async def timed_out() -> int:
            return await bench.broker.jobs("timed out", bench.task_type)

        await eventually(timed_out, lambda jobs: jobs > 100)
        bench.gate.set()
        await results
    assert buffering.most_buffered > 100
    assert bench.most_running == 8
    assert bench.beside_itself == 0
    assert sorted(bench.runs.values()) == [1] * 300


async def test_jobs_are_pushed_to_a_worker_and_never_more_than_its_window_are_in_hand(
    bench: Bench, addresses: Addresses
) -> None:
    bench.seconds = 0.05
    async with working(addresses.engine, bench.step, seen=bench.seen, window_per_type=8, lease=60.0):
        await bench.results(200)
    # The engine leaves to polls what comes while 32 jobs of a stream are not sent yet; so many at least are pushed.
    assert await bench.broker.jobs("pushed", bench.task_type) >= 32
    assert bench.most_running == 8
    assert sorted(bench.runs.values()) == [1] * 200


@pytest.mark.long
async def test_steps_that_take_three_leases_are_run_once_each_however_many_wait(
    bench: Bench, addresses: Addresses
) -> None:
    lease = 1.0
    bench.seconds = 3 * lease
    await bench.create(12)
    async with working(addresses.engine, bench.step, seen=bench.seen, window_per_type=8, lease=lease) as worker:
        await until(lambda: bench.running.total() == 8)
        await bench.results(12)

        async def completed() -> int:
            return await bench.broker.jobs("completed", bench.task_type)

        await eventually(completed, lambda jobs: jobs == 24)
        assert worker.extended >= 24 * 3
    assert bench.most_running == 8
    assert bench.beside_itself == 0
    assert sorted(bench.runs.values()) == [1] * 24
    assert bench.doubts == {}


async def test_a_step_of_three_leases_completes_on_its_first_activation(bench: Bench, addresses: Addresses) -> None:
    bench.seconds = 3.0
    async with working(addresses.engine, bench.step, seen=bench.seen, lease=1.0) as worker:
        result = await bench.result()
        assert worker.extended >= 3
    assert result["done"]["run"] == 1
    assert await bench.broker.jobs("timed out", bench.task_type) == 0
