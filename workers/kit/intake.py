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

from workers.kit.backoff import MAX_BACKOFF, Backoff
from workers.kit.link import Link
from workers.kit.pace import Pace
from workers.kit.polls import Polls
from workers.kit.pushes import Pushes
from workers.kit.reach import Reach
from workers.kit.reception import Reception
from workers.kit.subscription import Subscription
from workers.kit.ways import Ways
from workers.kit.window import Window

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

LANDING = 0.5
"""Seconds that a stopping worker leaves to what is on its way: polls, and what a stream has brought already."""


class Intake:
    """The subscription to one task type. It runs until it is stopped; no failure ends it."""

    def __init__(  # noqa: PLR0913 - wired once, by the worker, by name
        self,
        stub: "GatewayAsyncStub",
        subscription: Subscription,
        window: Window,
        *,
        receive: Callable[[ActivatedJob, float], None],
        hand_back: Callable[[ActivatedJob], None],
        link: Link,
        random: Random,
        pace: Pace,
        landing: float = LANDING,
        max_backoff: float = MAX_BACKOFF,
    ) -> None:
        """Hand each job, with the end of its lease, to `receive`, which owns one slot of `window` from then on.

        What arrives and finds no slot before the worker stops goes to `hand_back`. A stop waits up to `landing`
        seconds for what is on its way; after a failure the next try comes within `max_backoff` seconds.
        """
        self.reach = Reach(subscription.task_type, link)
        self._window = window
        self._ways = ways = Ways(subscription.task_type, self.reach)
        self._landing = landing
        reception = Reception(window, subscription.lease, receive, hand_back)
        pushes, polls = (Backoff(random, link, cap=max_backoff) for _ in range(2))
        self._pushes = Pushes(stub, subscription, reception, ways, pushes)
        self._polls = Polls(stub, subscription, reception, ways, polls, random=random, pace=pace)

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
