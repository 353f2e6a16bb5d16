"""Leases: extended while a step works, and a step ends before its own."""

import asyncio
import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit import Step
from saga.kit.definition.outcomes import Fail
from saga.kit.execution.lease import Lease, Leases
from tests.kit.bench import Bench, Seen, over, until, working
from tests.kit.gateway import ScriptedGateway
from tests.kit.task import Done, Task


async def test_a_lease_is_extended_for_as_long_as_its_step_works(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job(key=7, lease=0.7))
    async with working(gateway, bench.step, lease=0.7):
        await until(lambda: len(gateway.extensions) >= 3)
        bench.go.set()
        await until(lambda: len(gateway.told) == 1)
        extensions = len(gateway.extensions)
    (told,) = gateway.told
    assert isinstance(told, pb.CompleteJobRequest)
    assert set(gateway.extensions) == {7}
    assert len(gateway.extensions) == extensions, "a job that was answered is not extended"


async def test_a_step_is_ended_at_its_limit_however_often_its_lease_is_extended(gateway: ScriptedGateway) -> None:
    bench, seen = Bench(limit=1.4), Seen()
    gateway.push(gateway.job(retries=3, lease=0.7))
    async with working(gateway, bench.step, seen, lease=0.7):
        await until(lambda: len(seen.jobs) == 1)
        assert gateway.leases.count(0.7) >= 2
    answer = seen.jobs[0].reply
    assert isinstance(answer, Fail)
    assert answer.retries == 2
    assert "whether it took effect is unknown" in answer.message


async def test_a_step_that_swallows_its_cancellation_is_cancelled_again_a_lease_later(gateway: ScriptedGateway) -> None:
    step, seen, ends = Step("work", undo=None, limit=0.3), Seen(), []

    @step.do
    async def work(task: Task) -> Done:
        try:
            await asyncio.sleep(60.0)
        except asyncio.CancelledError:
            ends.append(time.monotonic())
        await asyncio.sleep(60.0)
        return Done(name=task.name)

    gateway.push(gateway.job(retries=3, lease=0.5))
    async with working(gateway, step, seen, lease=0.5):
        begun = time.monotonic()
        await until(lambda: len(seen.jobs) == 1)
        assert time.monotonic() - begun < 5.0
    answer = seen.jobs[0].reply
    assert len(ends) == 1
    assert isinstance(answer, Fail)
    assert answer.retries == 2
    assert "whether it took effect is unknown" in answer.message


async def test_a_step_that_opts_out_is_ended_within_its_lease_and_tried_again(gateway: ScriptedGateway) -> None:
    bench, seen = Bench(extend_lease=False), Seen()
    gateway.push(gateway.job(retries=3, lease=0.5))
    begun = time.monotonic()
    async with working(gateway, bench.step, seen, lease=0.5):
        await until(lambda: len(seen.jobs) == 1)
        took = time.monotonic() - begun
    answer = seen.jobs[0].reply
    assert isinstance(answer, Fail)
    assert answer.retries == 2
    assert 0.5 not in gateway.leases, "only its wait for the next try is covered"
    assert took < 5.0


async def test_a_step_ends_before_a_lease_that_cannot_be_extended(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.extension_verdict = lambda _request: grpc.StatusCode.UNAVAILABLE
    gateway.push(gateway.job(retries=3, lease=0.5))
    async with working(gateway, bench.step, lease=0.5):
        await until(lambda: len(gateway.told) == 1)
    assert isinstance(gateway.told[0], pb.FailJobRequest)
    assert bench.runs == 1


async def test_a_job_that_waited_long_is_extended_before_it_begins(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    # The first tells how far the broker's clock is from ours; the second waited for most of its lease.
    gateway.push(gateway.job(key=1), gateway.job(key=2, waited=20.0))
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 2)
    assert gateway.extensions == [2]


async def test_a_job_whose_lease_was_lost_before_it_began_is_not_run(gateway: ScriptedGateway, bench: Bench) -> None:
    bench.go.set()
    gateway.extension_verdict = lambda _request: grpc.StatusCode.NOT_FOUND
    gateway.push(gateway.job(key=1), gateway.job(key=2, waited=40.0))
    async with working(gateway, bench.step):
        await until(lambda: gateway.extensions == [2])
        gateway.leave(gateway.job(key=3))
        await until(lambda: len(gateway.told) == 2)
    assert [request.jobKey for request in gateway.told] == [1, 3]
    assert bench.runs == 2


@pytest.mark.parametrize(("waited", "told"), [(20.0, [1, 2, 3]), (40.0, [1, 3])])
async def test_a_job_whose_lease_could_not_be_extended_just_now_is_run_while_it_lasts(
    gateway: ScriptedGateway, bench: Bench, waited: float, told: list[int]
) -> None:
    bench.go.set()
    gateway.extension_verdict = lambda _request: grpc.StatusCode.RESOURCE_EXHAUSTED
    gateway.push(gateway.job(key=1), gateway.job(key=2, waited=waited))
    async with working(gateway, bench.step):
        await until(lambda: gateway.extensions == [2])
        gateway.leave(gateway.job(key=3))
        await until(lambda: len(gateway.told) == len(told))
    assert [request.jobKey for request in gateway.told] == told


async def test_a_second_activation_renews_the_lease_of_the_active_job(gateway: ScriptedGateway) -> None:
    bench = Bench(extend_lease=False)
    seen = Seen()
    async with working(gateway, bench.step, seen, lease=1.0):
        gateway.push(gateway.job(key=7, lease=1.0))
        await until(lambda: bench.running == 1)
        for _ in range(8):
            gateway.push(gateway.job(key=7, lease=1.0))
            await over(0.15)
        assert bench.running == 1, "1.2 seconds into a lease of 1 that was given again"
        bench.go.set()
        await until(lambda: len(seen.jobs) == 1)
    assert bench.runs == 1
    assert isinstance(gateway.told[0], pb.CompleteJobRequest)


async def test_a_wait_beside_an_extension_of_the_running_job_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker refuses the wait's own extension; meanwhile the sweep asks too, and is heard in one tick with it."""
    looks = itertools.count()

    def monotonic() -> float:
        assert next(looks) < 1_000, "it spins, and nothing else of the worker has a turn"
        return time.perf_counter()

    monkeypatch.setattr("saga.kit.execution.lease.time", SimpleNamespace(monotonic=monotonic))
    stub = _Extending()
    leases = Leases(stub, [], 10.0)  # type: ignore[arg-type]
    lease = Lease(10.0, time.perf_counter() + 4.5)
    waiting = asyncio.create_task(leases.cover(7, lease, 30.0))
    await stub.asked.wait()
    stub.asked.clear()
    await asyncio.sleep(0.01)  # It has heard the refusal, and pauses.
    other = leases.start_extension(7, lease)  # as its sweep over the leases does
    await stub.asked.wait()
    loop = asyncio.get_running_loop()
    loop.call_soon(time.sleep, 0.3)  # A loop that is late: the reply and the end of the pause come in one tick.
    loop.call_later(0.01, stub.go.set)
    assert await waiting
    assert other.done()
    assert lease.ends - time.perf_counter() > 30.0


class _Extending:
    """The broker's stub, faked: it refuses the first extension, keeps the second waiting, and grants all others."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self._times = 0

    async def UpdateJobTimeout(self, _request: object, timeout: float) -> None:  # noqa: ASYNC109, N802 - gRPC's names
        assert timeout
        self._times += 1
        self.asked.set()
        if self._times == 1:
            raise grpc.aio.AioRpcError(grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.aio.Metadata(), grpc.aio.Metadata())
        if self._times == 2:
            await self.go.wait()


async def test_an_older_activation_of_the_active_job_does_not_shorten_its_lease(gateway: ScriptedGateway) -> None:
    bench, seen = Bench(extend_lease=False), Seen()
    async with working(gateway, bench.step, seen, lease=2.0):
        gateway.push(gateway.job(key=7, lease=2.0))
        await until(lambda: bench.running == 1)
        # It was read before the other and has waited for a slot until now.
        gateway.push(gateway.job(key=7, lease=2.0, waited=60.0))
        await until(lambda: gateway.all_pushed() and gateway.streams == 0)  # It was read.
        gateway.leave(gateway.job(key=8, lease=2.0))
        await until(lambda: bench.running == 2)
        await over(0.2)  # some looks at the leases
        bench.go.set()
        await until(lambda: len(seen.jobs) == 2)
    assert all(isinstance(request, pb.CompleteJobRequest) for request in gateway.told)


@pytest.mark.parametrize("comes", [ScriptedGateway.push, ScriptedGateway.leave], ids=["by stream", "by poll"])
async def test_a_job_that_waited_for_a_slot_for_longer_than_its_lease_is_left_to_whom_it_was_given_since(
    gateway: ScriptedGateway, bench: Bench, comes: Callable[[ScriptedGateway, pb.ActivatedJob], None]
) -> None:
    async with working(gateway, bench.step, lease=0.5, window=1, window_per_type=1):
        gateway.push(gateway.job(key=1, lease=0.5))
        await until(lambda: bench.running == 1)
        comes(gateway, gateway.job(key=2, lease=0.5))
        await over(0.8)
        bench.go.set()
        await until(lambda: len(gateway.told) == 1)
        gateway.leave(gateway.job(key=3, lease=0.5))
        await until(lambda: len(gateway.told) == 2)
    assert [request.jobKey for request in gateway.told] == [1, 3]
    assert bench.runs == 2
