"""What becomes of a job of one task type when it has been read: a slot is found for it, or it is not ours any more."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.subscription.lease_clock import LeaseClock
from saga.kit.subscription.window import Window

TRANSIT = 1.0
"""Seconds from a job's being given out to its being read, at most, where nothing lies before it in the buffers."""


@dataclass(slots=True)
class BufferedJob:
    """A job that was read; times are on `time.monotonic`'s clock."""

    job: ActivatedJob
    read: float
    lease_ends: float
    """At the latest, as far as can be told."""


class ActivationBuffer:
    """Where the stream and the poll of one task type bring their jobs."""

    def __init__(
        self,
        window: Window,
        lease: float,
        receive: Callable[[ActivatedJob, float], None],
        hand_back: Callable[[ActivatedJob], None],
    ) -> None:
        """Give each job a slot of `window`, and hand it with the end of its lease of `lease` seconds to `receive`."""
        self.window = window
        self._lease = lease
        self._receive = receive
        self._hand_back = hand_back
        self._clocks = LeaseClock()

    def read(self, job: ActivatedJob, earliest: float = -inf) -> BufferedJob:
        """Note a job that was read just now, and given out no earlier than at `earliest`."""
        now = time.monotonic()
        return BufferedJob(job, now, self._clocks.lease_ends(job, self._lease, now, earliest))

    def waited(self, arrived: BufferedJob) -> float:
        """Return for how many seconds, at least, the job has waited in buffers or for a slot since it was given out."""
        return time.monotonic() - arrived.lease_ends + self._lease

    def take(self, arrived: BufferedJob) -> None:
        """Receive a job for which a slot was taken."""
        self._receive(arrived.job, arrived.lease_ends)

    async def place(self, arrived: BufferedJob) -> bool:
        """Receive a job when there is a slot for it; return whether there was one before the worker stopped."""
        if not await self.window.take():
            return False
        # Its lease is over for certain, whatever the broker's clock.
        if time.monotonic() - arrived.read >= self._lease:
            self.window.give_back()
        else:
            self.take(arrived)
        return True

    def decline(self, arrived: BufferedJob) -> None:
        """Hand back a job for which there was no slot, unless it may be somebody else's by now."""
        if time.monotonic() < arrived.lease_ends:
            self._hand_back(arrived.job)
