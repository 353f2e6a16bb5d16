"""Get the jobs of one task type from the broker: a stream for new ones, a long poll for those it cannot push.

The broker pushes a job that becomes available while the stream is open. What was there before, or failed to
be pushed, only a poll finds. So both run, over the same window, and each mends itself after any failure.

A push is cheap and quick, but nothing bounds it: the broker fills every buffer on the way (hundreds of jobs) while the
stream is not read. A poll asks for as many jobs as there are slots. So where steps are too slow for what is pushed,
the stream gives way to the poll.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import grpc
import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob, ActivateJobsRequest, StreamActivatedJobsRequest

from workers.kit.backoff import Backoff
from workers.kit.lease import Arrival
from workers.kit.link import Link
from workers.kit.pace import Pace
from workers.kit.reach import Reach
from workers.kit.window import Window

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

    Stream = grpc.aio.UnaryStreamCall[StreamActivatedJobsRequest, ActivatedJob]

_PROBE = 1.0
"""Seconds that a poll waits at the beginning and after a failure: whether the type is reachable is wanted soon."""
_POLL_GRACE = 3.0
"""Seconds beyond its own timeout after which an unanswered poll is given up.

While a broker replays its log, the gateway lets polls hang for fifteen."""
_LANDING = 0.5
"""Seconds that a stopping worker leaves to what is on its way: polls, and what a stream has brought already."""
_QUIET = 0.05
"""Seconds without a job after which a stream counts as read empty."""
_SATURATED = 0.25
"""The share of its lease that a pushed job may wait for a slot before pushing is given up for a while."""
_BATCH = 128
"""Jobs a draining poll asks for at most, however many slots are free: it bounds the size of one answer."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Subscription:
    """What the broker is asked for."""

    task_type: str
    worker: str
    lease: float
    """Seconds."""
    fetch: list[str]
    """Names of the variables that come with a job."""


class _SaturatedError(Exception):
    """A pushed job waited long for a slot: this worker is pushed more than it can do."""


class _NoPartitionError(Exception):
    """A long poll was answered at once without a job: the gateway is there, and knows no partition yet."""


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
    ) -> None:
        """Hand each job, with the end of its lease, to `receive`, which owns one slot of `window` from then on.

        What arrives and finds no slot before the worker stops goes to `hand_back`.
        """
        self._stub = stub
        self._subscription = subscription
        self._window = window
        self._receive = receive
        self._hand_back = hand_back
        self._link = link
        self._random = random
        self._pace = pace
        self._poll_wanted = asyncio.Event()
        self._arrival = Arrival()
        self._stopping = False
        self._last_read = 0.0
        self.reach = Reach(subscription.task_type, link)

    async def run(self) -> None:
        """Keep the stream and the poll going until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            self._streaming = tasks.create_task(self._keep_streaming())
            self._polling = tasks.create_task(self._keep_polling())

    def close(self) -> None:
        """Ask for nothing more; what comes all the same is handed back."""
        self._stopping = True
        self._poll_wanted.set()
        self._window.close()

    async def stop(self) -> None:
        """Let what was asked for land, once `close` was said.

        The protocol knows no way to end a stream but to cancel it, and what the gateway has sent by then is lost until
        its lease ends. So it is read on until nothing has come for a moment, and cancelled then.
        """
        deadline = time.monotonic() + _LANDING
        await asyncio.wait([self._polling], timeout=_LANDING)
        self._polling.cancel()
        while time.monotonic() < min(deadline, self._last_read + _QUIET):  # noqa: ASYNC110 - silence sets no event
            await asyncio.sleep(_QUIET)
        self._streaming.cancel()

    async def _keep_streaming(self) -> None:
        backoff = Backoff(self._random, self._link)
        while not self._stopping:
            try:
                await self._stream(backoff)
            except _SaturatedError:
                # Polls ask for no more than there are slots. Pushing is tried again when a lease is over.
                await asyncio.sleep(self._subscription.lease)
            except Exception as error:  # noqa: BLE001 - whatever ended it, it has to begin again
                self._failed("stream", error)
            # An end that nobody asked for (a gateway's restart, a renewed stream) is no error, but no reason to spin.
            await backoff.pause()

    async def _stream(self, backoff: Backoff) -> None:
        wanted = self._subscription
        call: Stream = self._stub.StreamActivatedJobs(
            StreamActivatedJobsRequest(
                type=wanted.task_type,
                worker=wanted.worker,
                timeout=round(wanted.lease * 1000),
                fetchVariable=wanted.fetch,
            )
        )
        take_free, take = self._window.take_free, self._window.take
        unplaced: list[ActivatedJob] = []
        try:
            while isinstance(job := await call.read(), ActivatedJob):  # else it is grpc's mark for the end
                self._last_read = now = time.monotonic()
                backoff.reset()
                self.reach.answered("stream")
                ends = self._lease_ends(job, now)
                # While the window is full, the stream is not read.
                if take_free(1) or await take():
                    self._receive(job, ends)
                else:
                    unplaced.append(job)
                if time.monotonic() - now > wanted.lease * _SATURATED:
                    await self._read_rest(call, unplaced)
                    raise _SaturatedError
        finally:
            call.cancel()
            self._poll_wanted.set()
            # Not before: a job that is handed back is pushed again at once, here too while the stream is open.
            for job in unplaced:
                self._hand_back(job)

    async def _read_rest(self, call: "Stream", rest: list[ActivatedJob]) -> None:
        """Read what the gateway has sent already; the broker does not bound that, and its leases run."""
        deadline = time.monotonic() + _LANDING
        with suppress(TimeoutError, grpc.aio.AioRpcError):
            while time.monotonic() < deadline:
                # A read that is given up ends the stream (grpc.aio): nothing can come after it.
                job = await asyncio.wait_for(call.read(), _QUIET)
                if not isinstance(job, ActivatedJob):
                    return
                rest.append(job)

    async def _keep_polling(self) -> None:
        backoff = Backoff(self._random, self._link)
        backlog = True  # A worker begins with what piled up before it.
        wait = _PROBE
        await asyncio.sleep(self._random.uniform(0.0, self._pace.begin))
        while not self._stopping:
            try:
                if backlog:
                    backlog = await self._fetch()
                if not backlog and not self._stopping:
                    backlog = await self._wait_for_one(wait)
                self.reach.answered("poll")
                backoff.reset()
                # In its own time each: hundreds of idle types would else ask in the same moment, for ever.
                jitter = self._random.uniform(0.5, 1.0)
                wait = self._pace.wait * jitter
                backlog = backlog or await self._rest(self._pace.rest * jitter)
            except Exception as error:  # noqa: BLE001 - the same
                self._failed("poll", error)
                code = error.code() if isinstance(error, grpc.aio.AioRpcError) else None
                # A busy broker is there, and more probes would keep it busy.
                if code is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    backlog, wait = True, _PROBE
                await backoff.pause(code)

    async def _rest(self, seconds: float) -> bool:
        """Leave an idle type to its stream; return whether that gave it up, so that there may be a backlog."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._poll_wanted.wait()
                self._poll_wanted.clear()
                return True
        return False

    async def _fetch(self) -> bool:
        """Take what waits, as far as slots are free; return whether there may be more."""
        if not await self._window.take():
            return False
        asked = 1 + self._window.take_free(_BATCH - 1)
        taken = 0
        try:
            async for job in self._poll(asked, wait=0.0):
                taken += 1
                self._receive(job, self._lease_ends(job, time.monotonic()))
        finally:
            self._window.give_back(asked - taken)
        return taken == asked

    async def _wait_for_one(self, wait: float) -> bool:
        """Wait at the broker for a job, without a slot: most task types are idle most of the time."""
        came = False
        begun = time.monotonic()
        async for job in self._poll(1, wait=wait):
            came = True
            ends = self._lease_ends(job, time.monotonic())
            if await self._window.take():
                self._receive(job, ends)
            else:
                self._hand_back(job)
        if not came and time.monotonic() - begun < wait / 2:
            raise _NoPartitionError
        return came

    async def _poll(self, most: int, *, wait: float) -> AsyncIterator[ActivatedJob]:
        wanted = self._subscription
        request = ActivateJobsRequest(
            type=wanted.task_type,
            worker=wanted.worker,
            timeout=round(wanted.lease * 1000),
            maxJobsToActivate=most,
            fetchVariable=wanted.fetch,
            requestTimeout=round(wait * 1000) or -1,  # -1: answer at once (gateway.proto)
        )
        async for response in self._stub.ActivateJobs(request, timeout=wait + _POLL_GRACE):
            for job in response.jobs:
                yield job

    def _failed(self, way: str, error: Exception) -> None:
        match error:
            case grpc.aio.AioRpcError():
                self.reach.failed(way, error.code())
            case _NoPartitionError():
                self.reach.failed(way, grpc.StatusCode.UNAVAILABLE)
            case _:
                # Neither the broker nor the network: a bug of ours or of grpc's, which must not make this type deaf.
                _log.error("subscription failed", task_type=self._subscription.task_type, way=way, exc_info=error)
                self.reach.failed(way, grpc.StatusCode.UNKNOWN)

    def _lease_ends(self, job: ActivatedJob, now: float) -> float:
        return self._arrival.lease_ends(job.deadline / 1000, self._subscription.lease, now)
