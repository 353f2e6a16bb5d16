"""The stream of one task type: the broker pushes each job that becomes available while it is open.

A push is quick, but nothing bounds it: the broker fills every buffer on the way (hundreds of jobs) while the stream is
not read. So where steps are too slow for what is pushed, the stream gives way to the poll. It does so too where the
broker is: while answers queue up there, so do jobs, and a poll brings them all at once for half of what the push of
each costs (ADR 4 and 8).
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

import grpc
from pyzeebe.proto.gateway_pb2 import ActivatedJob, StreamActivatedJobsRequest

from saga.kit.gateway.backoff import Backoff
from saga.kit.subscription.activation_buffer import TRANSIT, ActivationBuffer, BufferedJob
from saga.kit.subscription.coordination import Coordination
from saga.kit.subscription.job_request import JobRequest

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

    Stream = grpc.aio.UnaryStreamCall[StreamActivatedJobsRequest, ActivatedJob]

_EMPTYING = 0.5
"""Seconds in which a stream that gives way is read empty."""
_QUIET = 0.05
"""Seconds without a job after which a stream counts as read empty."""
_QUEUED = 0.1
"""The share of its lease that a pushed job waits in buffers that are full; what they do not take, only a poll finds."""
_SATURATED = 0.25
"""The share of its lease that a pushed job may wait, in buffers or for a slot; then pushing is given up for a while."""
_BEHIND = 16
"""Answers of one type on their way at once with which the broker counts as behind."""
_SUSTAINED = 256
"""Jobs in a row that a broker pushes while it is behind before they are polled for: to end a stream has its price."""


class _SaturatedError(Exception):
    """A pushed job waited long: this worker is pushed more than it can do."""


class _BehindError(Exception):
    """The broker has been behind with our answers for long."""

    def __init__(self, rest: Sequence[BufferedJob]) -> None:
        """`rest` is what was pushed until the stream ended, and has no slot yet."""
        super().__init__()
        self.rest = rest


class JobStream:
    """Keeps the stream open, whatever ends it."""

    def __init__(
        self,
        stub: "GatewayAsyncStub",
        subscription: JobRequest,
        reception: ActivationBuffer,
        ways: Coordination,
        backoff: Backoff,
    ) -> None:
        """Bring what `subscription` wants to `reception`."""
        self._stub = stub
        self._subscription = subscription
        self._reception = reception
        self._ways = ways
        self._backoff = backoff
        self._last_read = 0.0

    async def keep(self) -> None:
        """Have jobs pushed until cancelled, as long as they are to be."""
        while not self._ways.stopping:
            try:
                await self._read()
            except _SaturatedError:
                # Polls ask for no more than there are slots. Pushing is tried again when a lease is over.
                await asyncio.sleep(self._subscription.lease)
            except _BehindError as behind:
                self._ways.push.clear()
                await self._place(behind.rest)
                await self._ways.push.wait()
            except Exception as error:  # noqa: BLE001 - whatever ended it, it has to begin again
                self._ways.failed("stream", error)
            # An end that nobody asked for (a gateway's restart, a renewed stream) is no error, but no reason to spin.
            await self._backoff.pause()
            # Who polls rarely shall be waiting while the stream is opened: what comes meanwhile, it does not bring.
            self._ways.poll.set()

    async def land(self, deadline: float) -> None:
        """Wait until nothing has come for a moment, and no longer than until `deadline`.

        The protocol knows no way to end a stream but to cancel it; what was sent by then is lost until its lease ends.
        """
        while time.monotonic() < min(deadline, self._last_read + _QUIET):  # noqa: ASYNC110 - silence sets no event
            await asyncio.sleep(_QUIET)

    async def _read(self) -> None:
        call: Stream = self._stub.StreamActivatedJobs(self._subscription.stream())
        reception, window = self._reception, self._reception.window
        lease = self._subscription.lease
        unplaced: list[BufferedJob] = []
        behind = 0
        try:
            while (arrived := await self._next(call)) is not None:
                self._last_read = arrived.read
                self._backoff.reset()
                self._ways.reach.answered("stream")
                if window.take_free(1):
                    reception.take(arrived)
                # While the window is full, the stream is not read.
                elif not await reception.place(arrived):
                    unplaced.append(arrived)
                waited = reception.waited(arrived)
                if waited > lease * _QUEUED:
                    self._ways.poll.set()
                if waited > lease * _SATURATED:
                    await self._read_rest(call, unplaced)
                    raise _SaturatedError
                behind = behind + 1 if window.returning >= _BEHIND else 0
                if behind >= _SUSTAINED:
                    # While the window was full, it has filled the buffers.
                    await self._read_rest(call, unplaced)
                    rest, unplaced = unplaced, []  # They are placed, not handed back.
                    raise _BehindError(rest)
        finally:
            call.cancel()
            self._ways.poll.set()
            # Not before: a job that is handed back is pushed again at once, here too while the stream is open.
            for arrived in unplaced:
                reception.decline(arrived)

    async def _next(self, call: "Stream") -> BufferedJob | None:
        """Read the next job; None at the end of the stream."""
        begun = time.monotonic()
        job = await call.read()
        if not isinstance(job, ActivatedJob):  # but grpc's mark for the end
            return None
        now = time.monotonic()
        # A stream that has brought nothing for so long has empty buffers.
        return self._reception.read(job, now - TRANSIT if now - begun > TRANSIT else -inf)

    async def _place(self, jobs: Sequence[BufferedJob]) -> None:
        left = deque(jobs)
        try:
            while left and await self._reception.place(left[0]):
                left.popleft()
        finally:
            for arrived in left:
                self._reception.decline(arrived)

    async def _read_rest(self, call: "Stream", rest: list[BufferedJob]) -> None:
        """Read what the gateway has sent already; the broker does not bound that, and its leases run."""
        deadline = time.monotonic() + _EMPTYING
        with suppress(TimeoutError, grpc.aio.AioRpcError):
            while time.monotonic() < deadline:
                # A read that is given up ends the stream (grpc.aio): nothing can come after it.
                async with asyncio.timeout(_QUIET):
                    arrived = await self._next(call)
                if arrived is None:
                    return
                rest.append(arrived)
