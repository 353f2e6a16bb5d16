"""Leases: extended while a step works, and a step ends before its own."""

import asyncio
import time

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.kit.bench import Bench, Seen, until, working
from tests.kit.gateway import ScriptedGateway
from workers.kit.lease import Arrival
from workers.kit.outcomes import Fail


async def test_a_lease_is_extended_for_as_long_as_its_step_works(gateway: ScriptedGateway, bench: Bench) -> None:
    gateway.push(gateway.job(key=7, lease=1.0))
    async with working(gateway, bench.step, lease=1.0):
        await until(lambda: len(gateway.extensions) >= 3)
        bench.go.set()
        await until(lambda: len(gateway.told) == 1)
        extensions = len(gateway.extensions)
    (told,) = gateway.told
    assert isinstance(told, pb.CompleteJobRequest)
    assert set(gateway.extensions) == {7}
    assert len(gateway.extensions) == extensions, "a job that was answered is not extended"


async def test_a_step_is_ended_at_its_limit_however_often_its_lease_is_extended(gateway: ScriptedGateway) -> None:
    bench, seen = Bench(limit=2.0), Seen()
    gateway.push(gateway.job(retries=3, lease=1.0))
    async with working(gateway, bench.step, seen, lease=1.0):
        await until(lambda: len(seen.jobs) == 1)
        assert gateway.leases.count(1.0) >= 2
    answer = seen.jobs[0].answer
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
    answer = seen.jobs[0].answer
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
    gateway.push(gateway.job(key=1), gateway.job(key=2, waited=40.0), gateway.job(key=3))
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 2)
    assert [request.jobKey for request in gateway.told] == [1, 3]
    assert bench.runs == 2


async def test_a_job_whose_lease_could_not_be_extended_just_now_is_run_while_it_lasts(
    gateway: ScriptedGateway, bench: Bench
) -> None:
    bench.go.set()
    gateway.extension_verdict = lambda _request: grpc.StatusCode.RESOURCE_EXHAUSTED
    gateway.push(gateway.job(key=1), gateway.job(key=2, waited=20.0), gateway.job(key=3, waited=40.0))
    async with working(gateway, bench.step):
        await until(lambda: len(gateway.told) == 2 and gateway.extensions[-1] == 3)
    assert [request.jobKey for request in gateway.told] == [1, 2], "the lease of the third is over"


async def test_a_second_delivery_renews_the_lease_of_the_job_in_hand(gateway: ScriptedGateway) -> None:
    bench = Bench(extend_lease=False)
    seen = Seen()
    async with working(gateway, bench.step, seen, lease=2.0):
        gateway.push(gateway.job(key=7, lease=2.0))
        await until(lambda: bench.running == 1)
        for _ in range(8):
            gateway.push(gateway.job(key=7, lease=2.0))
            await asyncio.sleep(0.3)
        assert bench.running == 1, "2.4 seconds into a lease of 2 that was given again"
        bench.go.set()
        await until(lambda: len(seen.jobs) == 1)
    assert bench.runs == 1
    assert isinstance(gateway.told[0], pb.CompleteJobRequest)


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
def test_the_end_of_a_lease_is_told_on_our_clock_whatever_the_brokers_says(skew: float) -> None:
    arrival = Arrival()
    now = 1000.0
    assert arrival.lease_ends(now + skew + 30.0, 30.0, now) == pytest.approx(now + 30.0)
    waited = 12.0
    assert arrival.lease_ends(now + skew + 30.0, 30.0, now + waited) == pytest.approx(now + 30.0)


def test_a_clock_that_is_set_back_is_followed_within_two_minutes() -> None:
    arrival = Arrival()
    arrival.lease_ends(10_000.0 + 30.0, 30.0, 1000.0)
    for second in range(1, 180):
        ends = arrival.lease_ends(5_000.0 + second + 30.0, 30.0, 1000.0 + second)
    assert ends == pytest.approx(1000.0 + 179 + 30.0)
