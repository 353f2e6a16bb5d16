"""The polls of many idle task types: rare in all, and still there when the stream is not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.gateway.connection import stub
from saga.kit.subscription.job_request import JobRequest
from saga.kit.subscription.job_subscription import JobSubscription
from saga.kit.subscription.poll_schedule import PollSchedule
from saga.kit.subscription.timing import SubscriptionTiming
from saga.kit.subscription.window import Window
from tests.kit.bench import until
from tests.kit.gateway import ScriptedGateway, serving


@pytest.mark.parametrize("types", [1, 51, 64])
def test_a_worker_of_few_types_polls_for_all_of_them_all_the_time(types: int) -> None:
    assert PollSchedule.of(types) == PollSchedule(start=0.0, wait=90.0, rest=0.0)


@pytest.mark.parametrize("types", [65, 200, 500, 2000])
def test_however_many_types_few_polls_begin_and_wait_in_all(types: int) -> None:
    schedule = PollSchedule.of(types)
    cycle = schedule.wait + schedule.rest
    assert types / cycle <= 2.5, "calls per second"
    assert types * schedule.wait / cycle <= 64.01, "polls that wait at the broker"
    assert types / 64 - 1 <= schedule.start, "no more than 64 polls a second at the beginning"


@asynccontextmanager
async def resting(gateway: ScriptedGateway, window: Window, received: list[pb.ActivatedJob]) -> AsyncIterator[None]:
    """Take in the jobs of a type that is one of so many that its polls rest for ten minutes, when one has been made."""

    def receive(job: pb.ActivatedJob, _ends: float) -> None:
        received.append(job)
        window.give_back()

    async with serving(gateway) as address, grpc.aio.insecure_channel(address) as channel:
        channel_watch = ChannelWatch(channel)
        subscription = JobSubscription(
            stub(channel),
            JobRequest("work", "worker", 30.0, []),
            window,
            receive=receive,
            release=lambda _job: None,
            channel_watch=channel_watch,
            random=Random(1),  # noqa: S311 - jitter
            schedule=PollSchedule(start=0.0, wait=0.1, rest=600.0, probe=0.1),
            timing=SubscriptionTiming(in_flight_wait=0.0),
        )
        watching, running = asyncio.create_task(channel_watch.watch()), asyncio.create_task(subscription.run())
        await until(lambda: subscription.reachability.lasts(1.0) and gateway.streams == 1)
        yield
        subscription.close()
        await subscription.stop()
        watching.cancel()
        await asyncio.gather(running, watching, return_exceptions=True)


async def test_a_stream_that_ends_wakes_the_poll_of_a_resting_type(gateway: ScriptedGateway) -> None:
    received: list[pb.ActivatedJob] = []
    async with resting(gateway, Window(8), received):
        polls = gateway.polls
        gateway.leave(gateway.job())
        assert (gateway.polls, received) == (polls, []), "the type rests"
        gateway.stream_ends_after = 1
        gateway.push(gateway.job())
        await until(lambda: len(received) == 2)


async def test_a_stream_that_gave_way_wakes_the_poll_of_a_resting_type_when_it_is_back(
    gateway: ScriptedGateway,
) -> None:
    received: list[pb.ActivatedJob] = []
    window = Window(8)
    window.replying = 16
    async with resting(gateway, window, received):
        polls = gateway.polls
        gateway.push(*(gateway.job() for _ in range(256)))
        await until(lambda: len(received) == 256 and gateway.streams == 0)
        await until(lambda: gateway.streams == 1)
        # Two when the stream ended, the second in vain, and two for what came before it was open again.
        await until(lambda: gateway.polls == polls + 4)


async def test_full_buffers_wake_the_poll_of_a_resting_type_though_its_stream_stays_open(
    gateway: ScriptedGateway,
) -> None:
    """What the gateway cannot send while nobody reads goes back to the broker, which does not push it again."""
    received: list[pb.ActivatedJob] = []
    async with resting(gateway, Window(8), received):
        polls = gateway.polls
        gateway.push(gateway.job(), gateway.job(waited=2.0))
        await until(lambda: len(received) == 2)
        gateway.leave(gateway.job())
        assert gateway.polls == polls, "the type rests"
        gateway.push(gateway.job(waited=4.0))
        await until(lambda: len(received) == 4)
        assert gateway.streams_begun == 1
