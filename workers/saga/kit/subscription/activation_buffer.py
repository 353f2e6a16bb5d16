"""The activation buffer of one task type: a job that was read gets a slot, or is released, or its lease has run out."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from pyzeebe.proto.gateway_pb2 import ActivatedJob

from saga.kit.subscription.lease_clock import LeaseClock
from saga.kit.subscription.window import Window

TRANSIT = 1.0
"""Seconds from the activation of a job to its arrival, at most, if no other job lies before it in the buffers."""


@dataclass(slots=True)
class BufferedJob:
    """A job that was read; times are on `time.monotonic`'s clock."""

    job: ActivatedJob
    read: float
    lease_ends: float
    """The latest possible end."""


class ActivationBuffer:
    """Takes the jobs of the stream and the poll of one task type."""

    def __init__(
        self,
        window: Window,
        lease: float,
        receive: Callable[[ActivatedJob, float], None],
        release: Callable[[ActivatedJob], None],
    ) -> None:
        """Call `receive` with each job, once it has a slot of `window`, and the end of its lease of `lease` seconds."""
        self.window = window
        self._lease = lease
        self.receive = receive
        """Receives a job, for which a slot was taken, with the end of its lease."""
        self._release = release
        self._clocks = LeaseClock()

    def read(self, job: ActivatedJob, earliest: float = -inf) -> BufferedJob:
        """Note a job that was read just now, and activated no earlier than at `earliest`."""
        now = time.monotonic()
        return BufferedJob(job, now, self._clocks.lease_ends(job, self._lease, now, earliest))

    def waited(self, buffered: BufferedJob) -> float:
        """Return how many seconds, at least, the job has waited in buffers or for a slot since its activation."""
        return time.monotonic() - buffered.lease_ends + self._lease

    async def place(self, buffered: BufferedJob) -> bool:
        """Wait for a slot and receive the job; return False if the worker stopped before there was one."""
        if not await self.window.take():
            return False
        # Its lease is certainly over, whatever the broker's clock.
        if time.monotonic() - buffered.read >= self._lease:
            self.window.give_back()
        else:
            self.receive(buffered.job, buffered.lease_ends)
        return True

    def release(self, buffered: BufferedJob) -> None:
        """Give back a job for which there was no slot, unless its lease may be over."""
        if time.monotonic() < buffered.lease_ends:
            self._release(buffered.job)
