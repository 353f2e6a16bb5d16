"""Subscribe to the jobs of one task type: a stream for new jobs, a long poll for those that it does not bring.

The broker pushes a job that becomes available while the stream is open. Only a poll finds the jobs that were available
before, or could not be pushed. So both run, over the same window, and each recovers from any failure.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.gateway.backoff import Backoff
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.subscription.activation_buffer import ActivationBuffer
from saga.kit.subscription.coordination import Coordination
from saga.kit.subscription.job_poller import JobPoller
from saga.kit.subscription.job_request import JobRequest
from saga.kit.subscription.job_stream import JobStream
from saga.kit.subscription.poll_schedule import PollSchedule
from saga.kit.subscription.reachability import Reachability
from saga.kit.subscription.timing import SubscriptionTiming
from saga.kit.subscription.window import Window

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub


class JobSubscription:
    """The subscription to one task type. It runs until it is stopped; no failure ends it."""

    def __init__(  # noqa: PLR0913 - wired once, by the worker, by name
        self,
        stub: "GatewayAsyncStub",
        request: JobRequest,
        window: Window,
        *,
        receive: Callable[[ActivatedJob, float], None],
        release: Callable[[ActivatedJob], None],
        channel_watch: ChannelWatch,
        random: Random,
        schedule: PollSchedule,
        timing: SubscriptionTiming,
    ) -> None:
        """Call `receive` with each job and the end of its lease; the job owns one slot of `window` from then on.

        A job that arrives and finds no slot before the worker stops goes to `release`.
        """
        self.reachability = Reachability(request.task_type, channel_watch, timing.busy_limit)
        self._window = window
        self._coordination = coordination = Coordination(request.task_type, self.reachability)
        self._in_flight_wait = timing.in_flight_wait
        buffer = ActivationBuffer(window, request.lease, receive, release)
        stream_backoff, poll_backoff = (Backoff(random, channel_watch, cap=timing.max_backoff) for _ in range(2))
        self._stream = JobStream(stub, request, buffer, coordination, stream_backoff, timing=timing)
        self._poller = JobPoller(stub, request, buffer, coordination, poll_backoff, random=random, schedule=schedule)

    async def run(self) -> None:
        """Keep the stream and the poll going until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            self._streaming = tasks.create_task(self._stream.keep())
            self._polling = tasks.create_task(self._poller.keep())

    def close(self) -> None:
        """Request no more jobs; those that still arrive are released."""
        self._coordination.close()
        self._window.close()

    async def stop(self) -> None:
        """Receive what is on its way, and end; to be called after `close`."""
        deadline = time.monotonic() + self._in_flight_wait
        await asyncio.wait([self._polling], timeout=self._in_flight_wait)
        self._polling.cancel()
        await self._stream.wait_in_flight(deadline)
        self._streaming.cancel()
