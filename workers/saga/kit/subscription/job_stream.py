"""The stream of one task type: the broker pushes each job that becomes available while it is open.

A push is quick, but not bounded: while the stream is not read, the broker fills the buffers in between with hundreds of
jobs. So if the steps are too slow for the stream, it gives way to polls. It also gives way if the broker is too slow:
while replies queue up there, so do jobs, and one poll brings many of them at half the cost (ADR 4 and 8).
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
from saga.kit.subscription.timing import SubscriptionTiming

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

    Stream = grpc.aio.UnaryStreamCall[StreamActivatedJobsRequest, ActivatedJob]

_QUEUED = 0.1
"""The share of its lease that a job waits in full buffers; only a poll finds the jobs that do not fit into them."""
_SATURATED = 0.25
"""The share of its lease that a job may wait in buffers or for a slot; then the stream is closed for a while."""
_BEHIND = 16
"""Replies of one type that are being sent at once, from which the broker counts as behind."""
_SUSTAINED = 256
"""Jobs in a row that a broker pushes while it is behind, before they are polled for: ending a stream has a cost."""


class _SaturatedError(Exception):
    """A pushed job waited long: this worker gets more than it can run."""


class _BehindError(Exception):
    """The broker has been behind with our replies for long."""

    def __init__(self, rest: Sequence[BufferedJob]) -> None:
        """`rest` are the jobs that were pushed until the stream ended, and have no slot yet."""
        super().__init__()
        self.rest = rest


class JobStream:
    """Keeps the stream open, whatever ends it."""

    def __init__(  # noqa: PLR0913 - wired once, by the subscription
        self,
        stub: "GatewayAsyncStub",
        request: JobRequest,
        buffer: ActivationBuffer,
        coordination: Coordination,
        backoff: Backoff,
        *,
        timing: SubscriptionTiming,
    ) -> None:
        """Stream the jobs of `request` into `buffer`."""
        self._stub = stub
        self._request = request
        self._buffer = buffer
        self._coordination = coordination
        self._backoff = backoff
        self._timing = timing
        self._last_read = 0.0

    async def keep(self) -> None:
        """Keep the stream open until cancelled, except while it gives way to polls."""
        while not self._coordination.stopping:
            try:
                await self._read()
            except _SaturatedError:
                # Polls request no more jobs than there are slots. The stream is tried again when a lease is over.
                await asyncio.sleep(self._request.lease)
            except _BehindError as behind:
                self._coordination.streaming.clear()
                await self._place(behind.rest)
                await self._coordination.streaming.wait()
            except Exception as error:  # noqa: BLE001 - whatever ended it, it has to start again
                self._coordination.failed("stream", error)
            # An unasked end (a gateway's restart, a renewed stream) is not an error, but must not make this loop spin.
            await self._backoff.pause()
            # A type that rarely polls has to poll now: the stream does not bring what arrives while it is being opened.
            self._coordination.poll_due.set()

    async def wait_in_flight(self, deadline: float) -> None:
        """Wait until nothing has arrived for a moment, at most until `deadline`.

        The protocol can only cancel a stream; what was sent by then is lost until its lease ends.
        """
        quiet = self._timing.stream_quiet
        while time.monotonic() < min(deadline, self._last_read + quiet):  # noqa: ASYNC110 - silence sets no event
            await asyncio.sleep(quiet)

    async def _read(self) -> None:
        call: Stream = self._stub.StreamActivatedJobs(self._request.stream())
        buffer, window = self._buffer, self._buffer.window
        lease = self._request.lease
        unplaced: list[BufferedJob] = []
        is_open, behind = False, 0
        try:
            while (buffered := await self._next(call)) is not None:
                self._last_read = buffered.read
                if not is_open:
                    is_open = True
                    self._backoff.reset()
                    self._coordination.reachability.answered("stream")
                if window.take_free(1):
                    buffer.receive(buffered.job, buffered.lease_ends)
                # While the window is full, the stream is not read.
                elif not await buffer.place(buffered):
                    unplaced.append(buffered)
                waited = buffer.waited(buffered)
                if waited > lease * _QUEUED:
                    self._coordination.poll_due.set()
                if waited > lease * _SATURATED:
                    await self._read_rest(call, unplaced)
                    raise _SaturatedError
                behind = behind + 1 if window.replying >= _BEHIND else 0
                if behind >= _SUSTAINED:
                    # While the window was full, the broker has filled the buffers.
                    await self._read_rest(call, unplaced)
                    rest, unplaced = unplaced, []  # They get a slot, and are not released.
                    raise _BehindError(rest)
        finally:
            call.cancel()
            self._coordination.poll_due.set()
            # Only now: the broker pushes a released job again at once, to us as well while the stream is open.
            for buffered in unplaced:
                buffer.release(buffered)

    async def _next(self, call: "Stream") -> BufferedJob | None:
        """Read the next job; None at the end of the stream."""
        begun = time.monotonic()
        job = await call.read()
        if not isinstance(job, ActivatedJob):  # but grpc's mark of the end
            return None
        now = time.monotonic()
        # The buffers of a stream that has brought nothing for so long are empty.
        return self._buffer.read(job, now - TRANSIT if now - begun > TRANSIT else -inf)

    async def _place(self, jobs: Sequence[BufferedJob]) -> None:
        left = deque(jobs)
        try:
            while left and await self._buffer.place(left[0]):
                left.popleft()
        finally:
            for buffered in left:
                self._buffer.release(buffered)

    async def _read_rest(self, call: "Stream", rest: list[BufferedJob]) -> None:
        """Read what the gateway has sent already; the broker does not bound that, and the leases run."""
        deadline = time.monotonic() + self._timing.stream_drain
        with suppress(TimeoutError, grpc.aio.AioRpcError):
            while time.monotonic() < deadline:
                # Cancelling a read ends the stream (grpc.aio): nothing can arrive after it.
                async with asyncio.timeout(self._timing.stream_quiet):
                    buffered = await self._next(call)
                if buffered is None:
                    return
                rest.append(buffered)
