"""Get the jobs of one task type from the broker: a stream for new ones, a long poll for those it cannot push.

The broker pushes a job that becomes available while the stream is open. What was there before, or failed to
be pushed, only a poll finds. So both run, over the same window, and each mends itself after any failure.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
import structlog
from pyzeebe.proto.gateway_pb2 import ActivatedJob, ActivateJobsRequest, StreamActivatedJobsRequest

from workers.kit.step import Handler
from workers.kit.window import Window

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_LONG_POLL = 30.0
"""Seconds that the broker holds an idle poll; after them the poll has shown that the type is reachable."""
_POLL_GRACE = 10.0
"""Seconds beyond its own timeout after which an unanswered poll counts as lost."""
_HELD_BACK = 0.1
"""Seconds in which gRPC gives out the next job that it holds already."""
_BATCH = 32
"""Jobs a draining poll asks for at most: more would only wait here while their leases run."""

_log = structlog.get_logger(__name__)


class Backoff:
    """Pauses between tries to reach the broker: jittered, doubling from milliseconds to a cap of seconds."""

    def __init__(self, random: Random, base: float = 0.02, cap: float = 2.0) -> None:
        """Begin at `base` seconds and never pass `cap`."""
        self._random = random
        self._base = base
        self._cap = cap
        self._failures = 0

    def reset(self) -> None:
        """Forget the failures: the broker answered."""
        self._failures = 0

    async def pause(self) -> None:
        """Sleep after one more failure."""
        delay = min(self._cap, self._base * 2**self._failures)
        # Past the cap the count means nothing more; stopping it keeps the power small through long outages.
        self._failures = min(self._failures + 1, 16)
        await asyncio.sleep(delay * self._random.uniform(0.5, 1.0))


class Intake:
    """The subscription to one task type. It runs until it is cancelled; no failure ends it."""

    def __init__(  # noqa: PLR0913 - wired once, by the worker, by name
        self,
        stub: "GatewayAsyncStub",
        handler: Handler,
        window: Window,
        dispatch: Callable[[Handler, ActivatedJob], None],
        hand_back: Callable[[ActivatedJob], None],
        *,
        worker: str,
        lease: float,
        random: Random,
    ) -> None:
        """Hand each job to `dispatch`, which owns one slot of `window` from then on; `lease` is in seconds.

        What arrived and found no slot before the worker stopped goes to `hand_back`.
        """
        self._stub = stub
        self._handler = handler
        self._window = window
        self._dispatch = dispatch
        self._hand_back = hand_back
        self._worker = worker
        self._lease_ms = round(lease * 1000)
        self._random = random
        self.reachable = False
        """Whether the broker answered the last poll for this type."""
        self._said: dict[str, grpc.StatusCode] = {}
        """The failure of each way that the log tells of already: one line per outage, not one per try."""

    async def run(self) -> None:
        """Keep the stream and the poll going."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_streaming())
            tasks.create_task(self._keep_polling())

    async def _keep_streaming(self) -> None:
        backoff = Backoff(self._random)
        while True:
            try:
                await self._stream(backoff)
            except grpc.aio.AioRpcError as error:
                self._failed("stream", error)
            # An end that nobody asked for (a gateway's restart, a renewed stream) is no error, but no reason to spin.
            await backoff.pause()

    async def _stream(self, backoff: Backoff) -> None:
        request = StreamActivatedJobsRequest(
            type=self._handler.task_type,
            worker=self._worker,
            timeout=self._lease_ms,
            fetchVariable=self._handler.fetch,
        )
        call = self._stub.StreamActivatedJobs(request)
        try:
            while isinstance(job := await call.read(), ActivatedJob):  # else it is grpc's mark for the end
                backoff.reset()
                self._log_again("stream")
                await self._take_slot(job, call)
                self._dispatch(self._handler, job)
        finally:
            call.cancel()

    async def _take_slot(self, job: ActivatedJob, stream: "grpc.aio.UnaryStreamCall[Any, ActivatedJob]") -> None:
        """Wait for a slot; while the window is full, the stream is not read and gRPC holds the rest."""
        try:
            await self._window.take()
        except asyncio.CancelledError:
            # The worker stops: this job, and those that gRPC holds behind it, are ours and would wait out their leases.
            self._hand_back(job)
            with suppress(TimeoutError, grpc.aio.AioRpcError):
                while isinstance(held := await asyncio.wait_for(stream.read(), _HELD_BACK), ActivatedJob):
                    self._hand_back(held)
            raise

    async def _keep_polling(self) -> None:
        backoff = Backoff(self._random)
        backlog = True  # A worker begins with what piled up before it.
        while True:
            try:
                backlog = await self._poll_once(wait=not backlog)
            except grpc.aio.AioRpcError as error:
                self._failed("poll", error)
                await backoff.pause()
            else:
                self._reached()
                backoff.reset()

    async def _poll_once(self, *, wait: bool) -> bool:
        """Dispatch what one poll brings; return whether there may be more."""
        # An idle poll holds one slot and waits at the broker; a draining one takes what is free and asks at once.
        await self._window.take()
        asked = 1 if wait else 1 + await self._window.take_free(_BATCH - 1)
        activated = 0
        try:
            async for job in self._poll(asked, wait=wait):
                activated += 1
                self._dispatch(self._handler, job)
        finally:
            self._window.give_back(asked - activated)
        return activated == asked

    async def _poll(self, most: int, *, wait: bool) -> AsyncIterator[ActivatedJob]:
        request = ActivateJobsRequest(
            type=self._handler.task_type,
            worker=self._worker,
            timeout=self._lease_ms,
            maxJobsToActivate=most,
            fetchVariable=self._handler.fetch,
            requestTimeout=round(_LONG_POLL * 1000) if wait else -1,  # -1: answer at once (gateway.proto)
        )
        deadline = (_LONG_POLL if wait else 0.0) + _POLL_GRACE
        async for response in self._stub.ActivateJobs(request, timeout=deadline):
            for job in response.jobs:
                yield job

    def _reached(self) -> None:
        self.reachable = True
        self._log_again("poll")

    def _failed(self, way: str, error: grpc.aio.AioRpcError) -> None:
        code = error.code()
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and self.reachable:
            return  # Backpressure: the broker is there and busy, which is no news at night.
        if way == "poll":  # Polls alone say whether the type is served: a broker may offer no streams.
            self.reachable = False
        if self._said.get(way) is not code:
            _log.warning("broker unreachable", task_type=self._handler.task_type, way=way, code=code.name)
        self._said[way] = code

    def _log_again(self, way: str) -> None:
        if self._said.pop(way, None) is not None:
            _log.info("broker reachable again", task_type=self._handler.task_type, way=way)
