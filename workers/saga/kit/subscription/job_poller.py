"""The polls for one task type: they find jobs that no stream brings, and request as many as there are slots."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import grpc

from saga.kit.gateway.backoff import Backoff
from saga.kit.gateway.grpc_limits import is_too_large, limit_of
from saga.kit.subscription.activation_buffer import TRANSIT, ActivationBuffer, BufferedJob
from saga.kit.subscription.coordination import Coordination, NoPartitionError
from saga.kit.subscription.job_request import JobRequest
from saga.kit.subscription.poll_schedule import PollSchedule

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_GRACE = 3.0
"""Seconds beyond its own timeout after which a poll without a response is given up.

While a broker replays its log, the gateway lets polls hang for fifteen seconds."""
_BATCH = 128
"""Jobs that one poll requests at most, however many slots are free: it bounds the size of one response."""
_WORTHWHILE = 8
"""Jobs from which a poll costs less than pushing each of them."""
_SMALL_POLLS = 3
"""Polls in a row that bring fewer, after which jobs are streamed again."""
_REFUSALS = 20
"""Polls in a row that a busy broker refuses, in about a second, after which jobs are streamed again."""


class JobPoller:
    """Keeps polling, whatever the broker responds."""

    def __init__(  # noqa: PLR0913 - wired once, by the subscription
        self,
        stub: "GatewayAsyncStub",
        request: JobRequest,
        buffer: ActivationBuffer,
        coordination: Coordination,
        backoff: Backoff,
        *,
        random: Random,
        schedule: PollSchedule,
    ) -> None:
        """Poll for the jobs of `request` and put them into `buffer`; an idle type polls by its `schedule`."""
        self._stub = stub
        self._request = request
        self._buffer = buffer
        self._coordination = coordination
        self._backoff = backoff
        self._random = random
        self._schedule = schedule
        self._small_polls = 0
        self._refusals = 0
        self._batch = _BATCH

    async def keep(self) -> None:
        """Poll until the worker stops, or cancelled."""
        coordination = self._coordination
        # The first poll that waits finds the existing backlog: it holds no slot while the broker does not respond.
        backlog = False
        probes = True
        await asyncio.sleep(self._random.uniform(0.0, self._schedule.start))
        while not coordination.stopping:
            try:
                if backlog:
                    backlog = await self._fetch()
                # Different for each type: otherwise hundreds of idle types would poll in the same moment for ever.
                jitter = self._random.uniform(0.5, 1.0)
                if not backlog and not coordination.stopping:
                    is_probe = probes or not coordination.streaming.is_set()
                    wait = self._schedule.probe if is_probe else self._schedule.wait * jitter
                    backlog = await self._wait_for_job(wait)
                coordination.reachability.answered("poll")
                self._backoff.reset()
                probes, self._refusals = False, 0
                backlog = backlog or await self._rest(self._schedule.rest * jitter)
            except Exception as error:  # noqa: BLE001 - whatever it is, polling has to go on
                coordination.failed("poll", error)
                code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
                # A busy broker is available, and more probes would keep it busy.
                if is_too_large(error):
                    self._batch = max(1, self._batch // 2)
                elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and not limit_of(error):
                    self._refusals += 1
                    probes = coordination.reachability.is_refused  # Its end should be noticed soon.
                else:
                    backlog, probes = False, True
                if probes or self._refusals >= _REFUSALS:
                    coordination.streaming.set()
                await self._backoff.pause(code)

    async def _rest(self, seconds: float) -> bool:
        """Leave an idle type to its stream; return whether there may be jobs that it does not bring."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._coordination.poll_due.wait()
                self._coordination.poll_due.clear()
                return True
        return False

    async def _fetch(self) -> bool:
        """Take the available jobs, as many as slots are free; return whether there may be more."""
        window = self._buffer.window
        if not await window.take():
            return False
        asked = 1 + window.take_free(self._batch - 1)
        taken = 0
        try:
            async for buffered in self._poll(asked, wait=0.0):
                taken += 1
                self._buffer.receive(buffered.job, buffered.lease_ends)
        finally:
            window.give_back(asked - taken)
        is_small = taken < min(asked, _WORTHWHILE) and not self._coordination.streaming.is_set()
        self._small_polls = self._small_polls + 1 if is_small else 0
        if self._small_polls >= _SMALL_POLLS:
            self._coordination.streaming.set()
        if taken == self._batch:
            self._batch = min(self._batch + 1, _BATCH)
        return taken == asked

    async def _wait_for_job(self, wait: float) -> bool:
        """Wait at the broker for a job, without a slot: most task types are idle most of the time."""
        arrived = False
        begun = time.monotonic()
        async for buffered in self._poll(1, wait=wait):
            arrived = True
            if not await self._buffer.place(buffered):
                self._buffer.release(buffered)
        if arrived:
            return True
        if time.monotonic() - begun < wait / 2:
            raise NoPartitionError
        self._coordination.streaming.set()
        return False

    async def _poll(self, most: int, *, wait: float) -> AsyncIterator[BufferedJob]:
        asked = time.monotonic()
        async for response in self._stub.ActivateJobs(self._request.poll(most, wait), timeout=wait + _GRACE):
            for job in response.jobs:
                # A poll that waits gets its response as soon as there is a job.
                earliest = max(asked, time.monotonic() - TRANSIT) if wait else asked
                yield self._buffer.read(job, earliest)
