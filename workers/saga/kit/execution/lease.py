"""Leases: how long Zeebe leaves a job to this worker (the job timeout), and their extension.

A lease is short, so that the job of a dead worker is soon activated again. A step may take longer: while its process
lives and its event loop runs, the lease is extended, up to the step's own limit.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import grpc
from pyzeebe.proto.gateway_pb2 import UpdateJobTimeoutRequest

from saga.common.backoff import ExponentialBackoff
from saga.kit.gateway.credentials import code_of

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_REPLY_SHARE = 0.2
"""A step ends before this last share of its lease, so that its reply still arrives within it."""
_SHORT = 0.5
"""A lease is extended once no more than this share is left, before a job begins and while it runs."""
_SWEEPS = 50
"""Sweeps over all leases in the time of one lease; at most one sweep in ten milliseconds."""
_RPC_DEADLINE = 3.0
"""Seconds for one try to extend a lease."""
_PAUSE, _MAX_PAUSE = 0.1, 1.0
"""Seconds before a second try, and at most; each next pause is twice as long."""
_GONE = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT})
"""Refusals that another try does not change."""


@dataclass(slots=True)
class Lease:
    """The lease of one job; every time is on `time.monotonic`'s clock, because the broker's clock may differ."""

    seconds: float
    """How long a lease lasts."""
    ends: float
    limit: float = float("inf")
    """When the step's own time limit is reached, whatever the lease."""

    @property
    def step_ends(self) -> float:
        """When the step must have ended."""
        return min(self.limit, self.ends - self.seconds * _REPLY_SHARE)

    @property
    def is_over(self) -> bool:
        """Whether Zeebe may have activated the job for another worker."""
        return time.monotonic() >= self.ends

    def is_short(self, now: float) -> bool:
        """Tell whether half of the lease has passed."""
        return self.ends - now < self.seconds * _SHORT


class Leased(Protocol):
    """What is needed of an active job to watch its lease."""

    lease: Lease

    @property
    def key(self) -> int:
        """The job's key."""

    @property
    def extends_lease(self) -> bool:
        """Whether the lease may be extended."""

    def expire(self) -> None:
        """Cancel the step, if it runs: its time is over."""


class Leases:
    """Extends the leases of the active jobs, and cancels the steps whose time is over.

    One sweep looks at all of them: a timer for each job would cost more than the job's share of the sweeps.
    """

    def __init__(
        self,
        stub: "GatewayAsyncStub",
        active: Collection[Leased],
        seconds: float,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """Watch `active`, a live view of the active jobs; a lease lasts `seconds`. Each sweep calls `beat`."""
        self._beat = beat
        self._stub = stub
        self._active = active
        self._seconds = seconds
        self._extending: dict[int, asyncio.Task[grpc.StatusCode | None]] = {}
        self.extended = 0
        """How many extensions Zeebe granted."""

    async def keep(self) -> None:
        """Sweep over the leases until cancelled."""
        pause = max(0.01, self._seconds / _SWEEPS)
        try:
            while True:
                await asyncio.sleep(pause)
                now = time.monotonic()
                self._beat()
                for active in list(self._active):
                    if now >= active.lease.step_ends:
                        active.expire()
                    elif active.extends_lease and active.lease.is_short(now):
                        self.start_extension(active.key, active.lease)
        finally:
            for task in self._extending.values():
                task.cancel()

    async def cover(self, key: int, lease: Lease, seconds: float) -> bool:
        """Make the lease last for `seconds` and long enough for a reply after that; return whether it does."""
        if key in self._extending:  # Of two extensions the later one counts, and that must be ours.
            await asyncio.wait([self._extending[key]])
        pauses = ExponentialBackoff(base=_PAUSE, cap=_MAX_PAUSE)
        while lease.ends - time.monotonic() <= seconds + self._seconds * _SHORT:
            refusal = await self.start_extension(key, lease, seconds)
            if refusal in _GONE or time.monotonic() >= lease.ends - self._seconds * _REPLY_SHARE:
                return False
            if refusal is not None:
                await asyncio.sleep(next(pauses))
        return True

    async def renew(self, key: int, lease: Lease) -> bool:
        """Extend the lease of a job that has not begun; return whether there is time for it to begin."""
        refusal = await self.extend(key, lease)
        return refusal not in _GONE and time.monotonic() < lease.step_ends

    async def extend(self, key: int, lease: Lease, beyond: float = 0.0) -> grpc.StatusCode | None:
        """Ask Zeebe for a new lease, longer by `beyond` seconds; return None, or the status of its refusal."""
        asked = time.monotonic()
        seconds = beyond + self._seconds
        request = UpdateJobTimeoutRequest(jobKey=key, timeout=round(seconds * 1000))
        try:
            await self._stub.UpdateJobTimeout(request, timeout=_RPC_DEADLINE)
        except grpc.aio.AioRpcError as error:
            # The next sweep asks again. That a job is gone shows when its reply is sent.
            return code_of(error)
        lease.ends = asked + seconds
        self.extended += 1
        return None

    def start_extension(self, key: int, lease: Lease, beyond: float = 0.0) -> asyncio.Task[grpc.StatusCode | None]:
        """Extend the lease, unless an extension is under way already."""
        task = self._extending.get(key)
        # A task that is done may still be listed, and awaiting it would never yield to the event loop.
        if task is None or task.done():
            task = self._extending[key] = asyncio.create_task(self.extend(key, lease, beyond))
            task.add_done_callback(lambda ended: self._extended(key, ended))
        return task

    def _extended(self, key: int, task: asyncio.Task[grpc.StatusCode | None]) -> None:
        if self._extending.get(key) is task:
            del self._extending[key]
