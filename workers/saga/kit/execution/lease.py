"""For how long a job is ours: the lease that the broker grants (the job timeout), and its extension.

A lease is short, so that the job of a dead worker comes back soon. A step that needs longer keeps its job all the
same: while its process is alive and its loop turns, the lease is extended, until the step's own limit is reached.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from itertools import accumulate, repeat
from operator import mul
from typing import TYPE_CHECKING, Protocol

import grpc
from pyzeebe.proto.gateway_pb2 import UpdateJobTimeoutRequest

from saga.kit.gateway.credentials import code_of

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

_ANSWER_SHARE = 0.2
"""A handler ends before this last share of its lease, so that its answer still arrives within it."""
_SHORT = 0.5
"""A lease is extended once no more than this share of it is left, before a job begins and while it runs."""
_SWEEPS = 50
"""Looks at the leases in hand per lease, and one in ten milliseconds at most."""
_RPC_DEADLINE = 3.0
"""Seconds for one try to extend a lease."""
_PAUSE = 0.1
"""Seconds before a second try; the next ones twice as long each."""
_GONE = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT})
"""Refusals that another try does not change."""


@dataclass(slots=True)
class Lease:
    """The lease of one job; every time is on `time.monotonic`'s clock, for the broker's may be another."""

    seconds: float
    """How long a lease lasts."""
    ends: float
    limit: float = float("inf")
    """When the step's own time is over, whatever the lease."""

    @property
    def handler_ends(self) -> float:
        """When the handler has to have ended."""
        return min(self.limit, self.ends - self.seconds * _ANSWER_SHARE)

    @property
    def is_over(self) -> bool:
        """Whether the broker may have given the job to somebody else."""
        return time.monotonic() >= self.ends

    def is_short(self, now: float) -> bool:
        """Tell whether half of the lease is gone."""
        return self.ends - now < self.seconds * _SHORT


class Held(Protocol):
    """A job in hand, as far as its lease goes."""

    lease: Lease

    @property
    def key(self) -> int:
        """The job's key."""

    @property
    def extends(self) -> bool:
        """Whether its step lets the lease be extended."""

    def expire(self) -> None:
        """End the handler, where it runs: its time is over."""


class Leases:
    """Extends the leases of the jobs in hand, and ends the handlers whose time is over.

    One look at all of them, again and again: a timer for each job would cost each job more than its share of the looks.
    """

    def __init__(
        self,
        stub: "GatewayAsyncStub",
        held: Collection[Held],
        seconds: float,
        turned: Callable[[], None] = lambda: None,
    ) -> None:
        """Watch over `held`, a live view of the jobs in hand; a lease lasts `seconds`. Each look calls `turned`."""
        self._turned = turned
        self._stub = stub
        self._held = held
        self._seconds = seconds
        self._extending: dict[int, asyncio.Task[grpc.StatusCode | None]] = {}
        self.extended = 0
        """How many extensions the broker granted."""

    async def keep(self) -> None:
        """Look at the leases until cancelled."""
        pause = max(0.01, self._seconds / _SWEEPS)
        try:
            while True:
                await asyncio.sleep(pause)
                now = time.monotonic()
                self._turned()
                for held in list(self._held):
                    if now >= held.lease.handler_ends:
                        held.expire()
                    elif held.extends and held.lease.is_short(now):
                        self._begin_to_extend(held.key, held.lease)
        finally:
            for task in self._extending.values():
                task.cancel()

    async def cover(self, key: int, lease: Lease, seconds: float) -> bool:
        """See to it that the lease lasts for `seconds` and then long enough for an answer; return whether it does."""
        if key in self._extending:  # The later of two extensions counts, and that must be ours.
            await asyncio.wait([self._extending[key]])
        pauses = accumulate(repeat(2.0), mul, initial=_PAUSE)
        while lease.ends - time.monotonic() <= seconds + self._seconds * _SHORT:
            refusal = await self._begin_to_extend(key, lease, seconds)
            if refusal in _GONE or time.monotonic() >= lease.ends - self._seconds * _ANSWER_SHARE:
                return False
            if refusal is not None:
                await asyncio.sleep(min(next(pauses), 1.0))
        return True

    async def renew(self, key: int, lease: Lease) -> bool:
        """Extend the lease of a job that has not begun; return whether there is time for it to begin."""
        refusal = await self.extend(key, lease)
        return refusal not in _GONE and time.monotonic() < lease.handler_ends

    async def extend(self, key: int, lease: Lease, beyond: float = 0.0) -> grpc.StatusCode | None:
        """Ask the broker for a new lease, longer by `beyond` seconds; return None, or with what it was refused."""
        asked = time.monotonic()
        seconds = beyond + self._seconds
        request = UpdateJobTimeoutRequest(jobKey=key, timeout=round(seconds * 1000))
        try:
            await self._stub.UpdateJobTimeout(request, timeout=_RPC_DEADLINE)
        except grpc.aio.AioRpcError as error:
            # The next sweep asks again. A job that is not there any more is told when it is answered.
            return code_of(error)
        lease.ends = asked + seconds
        self.extended += 1
        return None

    def _begin_to_extend(self, key: int, lease: Lease, beyond: float = 0.0) -> asyncio.Task[grpc.StatusCode | None]:
        """Extend the lease unless that is under way."""
        task = self._extending.get(key)
        # One that has ended may still be noted, and waiting for it would not give way to anybody.
        if task is None or task.done():
            task = self._extending[key] = asyncio.create_task(self.extend(key, lease, beyond))
            task.add_done_callback(lambda ended: self._extended(key, ended))
        return task

    def _extended(self, key: int, task: asyncio.Task[grpc.StatusCode | None]) -> None:
        if self._extending.get(key) is task:
            del self._extending[key]
