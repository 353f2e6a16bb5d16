"""The polls for one task type: they find what no stream brings, and ask for as many jobs as there are slots."""

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
"""Seconds beyond its own timeout after which an unanswered poll is given up.

While a broker replays its log, the gateway lets polls hang for fifteen."""
_BATCH = 128
"""Jobs a draining poll asks for at most, however many slots are free: it bounds the size of one answer."""
_BUNCH = 8
"""Jobs with which a poll costs less than their pushes."""
_LONE = 3
"""Polls in a row that bring fewer, after which jobs are pushed again."""
_REFUSED = 20
"""Polls in a row that a busy broker refuses, which takes a second or so, after which jobs are pushed again."""


class JobPoller:
    """Keeps polling, whatever the broker answers."""

    def __init__(  # noqa: PLR0913 - wired once, by the intake
        self,
        stub: "GatewayAsyncStub",
        subscription: JobRequest,
        reception: ActivationBuffer,
        ways: Coordination,
        backoff: Backoff,
        *,
        random: Random,
        pace: PollSchedule,
    ) -> None:
        """Bring what `subscription` wants to `reception`, an idle type at its `pace`."""
        self._stub = stub
        self._subscription = subscription
        self._reception = reception
        self._ways = ways
        self._backoff = backoff
        self._random = random
        self._pace = pace
        self._lone = 0
        self._refused = 0
        self._batch = _BATCH

    async def keep(self) -> None:
        """Poll until the worker stops, or cancelled."""
        ways = self._ways
        # What piled up before is found by the first poll that waits: it holds no slot while a broker does not answer.
        backlog = False
        probes = True
        await asyncio.sleep(self._random.uniform(0.0, self._pace.begin))
        while not ways.stopping:
            try:
                if backlog:
                    backlog = await self._fetch()
                # In its own time each: hundreds of idle types would else ask in the same moment, for ever.
                jitter = self._random.uniform(0.5, 1.0)
                if not backlog and not ways.stopping:
                    is_probe = probes or not ways.push.is_set()
                    backlog = await self._wait_for_one(self._pace.probe if is_probe else self._pace.wait * jitter)
                ways.reach.answered("poll")
                self._backoff.reset()
                probes, self._refused = False, 0
                backlog = backlog or await self._rest(self._pace.rest * jitter)
            except Exception as error:  # noqa: BLE001 - whatever it is, it has to go on
                ways.failed("poll", error)
                code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
                # A busy broker is there, and more probes would keep it busy.
                if is_too_large(error):
                    self._batch = max(1, self._batch // 2)
                elif code is grpc.StatusCode.RESOURCE_EXHAUSTED and not limit_of(error):
                    self._refused += 1
                    probes = ways.reach.is_refused  # Its end is wanted soon.
                else:
                    backlog, probes = False, True
                if probes or self._refused >= _REFUSED:
                    ways.push.set()
                await self._backoff.pause(code)

    async def _rest(self, seconds: float) -> bool:
        """Leave an idle type to its stream; return whether there may be a backlog that it does not bring."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ways.poll.wait()
                self._ways.poll.clear()
                return True
        return False

    async def _fetch(self) -> bool:
        """Take what waits, as far as slots are free; return whether there may be more."""
        window = self._reception.window
        if not await window.take():
            return False
        asked = 1 + window.take_free(self._batch - 1)
        taken = 0
        try:
            async for arrived in self._poll(asked, wait=0.0):
                taken += 1
                self._reception.take(arrived)
        finally:
            window.give_back(asked - taken)
        is_lone = taken < min(asked, _BUNCH) and not self._ways.push.is_set()
        self._lone = self._lone + 1 if is_lone else 0
        if self._lone >= _LONE:
            self._ways.push.set()
        if taken == self._batch:
            self._batch = min(self._batch + 1, _BATCH)
        return taken == asked

    async def _wait_for_one(self, wait: float) -> bool:
        """Wait at the broker for a job, without a slot: most task types are idle most of the time."""
        came = False
        begun = time.monotonic()
        async for arrived in self._poll(1, wait=wait):
            came = True
            if not await self._reception.place(arrived):
                self._reception.decline(arrived)
        if came:
            return True
        if time.monotonic() - begun < wait / 2:
            raise NoPartitionError
        self._ways.push.set()
        return False

    async def _poll(self, most: int, *, wait: float) -> AsyncIterator[BufferedJob]:
        asked = time.monotonic()
        async for response in self._stub.ActivateJobs(self._subscription.poll(most, wait), timeout=wait + _GRACE):
            for job in response.jobs:
                # A poll that waits is answered as soon as there is a job.
                earliest = max(asked, time.monotonic() - TRANSIT) if wait else asked
                yield self._reception.read(job, earliest)
