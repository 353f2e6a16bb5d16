"""Get the jobs of one task type from the broker: a stream for new ones, a long poll for those it cannot push.

The broker pushes a job that becomes available while the stream is open. What was there before, or failed to be pushed,
only a poll finds. So both run, over the same window, and each mends itself after any failure.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.gateway.backoff import MAX_BACKOFF, Backoff
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.subscription.activation_buffer import ActivationBuffer
from saga.kit.subscription.coordination import Coordination
from saga.kit.subscription.job_poller import JobPoller
from saga.kit.subscription.job_request import JobRequest
from saga.kit.subscription.job_stream import JobStream
from saga.kit.subscription.poll_schedule import PollSchedule
from saga.kit.subscription.reachability import Reachability
from saga.kit.subscription.window import Window

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

LANDING = 0.5
"""Seconds that a stopping worker leaves to what is on its way: polls, and what a stream has brought already."""


class JobSubscription:
    """The subscription to one task type. It runs until it is stopped; no failure ends it."""

    def __init__(  # noqa: PLR0913 - wired once, by the worker, by name
        self,
        stub: "GatewayAsyncStub",
        subscription: JobRequest,
        window: Window,
        *,
        receive: Callable[[ActivatedJob, float], None],
        hand_back: Callable[[ActivatedJob], None],
        link: ChannelWatch,
        random: Random,
        pace: PollSchedule,
        landing: float = LANDING,
        max_backoff: float = MAX_BACKOFF,
    ) -> None:
        """Hand each job, with the end of its lease, to `receive`, which owns one slot of `window` from then on.

        What arrives and finds no slot before the worker stops goes to `hand_back`. A stop waits up to `landing`
        seconds for what is on its way; after a failure the next try comes within `max_backoff` seconds.
        """
        self.reach = Reachability(subscription.task_type, link)
        self._window = window
        self._ways = ways = Coordination(subscription.task_type, self.reach)
        self._landing = landing
        reception = ActivationBuffer(window, subscription.lease, receive, hand_back)
        pushes, polls = (Backoff(random, link, cap=max_backoff) for _ in range(2))
        self._pushes = JobStream(stub, subscription, reception, ways, pushes)
        self._polls = JobPoller(stub, subscription, reception, ways, polls, random=random, pace=pace)

    async def run(self) -> None:
        """Keep the stream and the poll going until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            self._streaming = tasks.create_task(self._pushes.keep())
            self._polling = tasks.create_task(self._polls.keep())

    def close(self) -> None:
        """Ask for nothing more; what comes all the same is handed back."""
        self._ways.close()
        self._window.close()

    async def stop(self) -> None:
        """Let what was asked for land, once `close` was said."""
        deadline = time.monotonic() + self._landing
        await asyncio.wait([self._polling], timeout=self._landing)
        self._polling.cancel()
        await self._pushes.land(deadline)
        self._streaming.cancel()
