"""What becomes of a job of one task type when it has been read: a slot is found for it, or it is not ours any more."""

import time
from collections.abc import Callable

from pyzeebe.proto.gateway_pb2 import ActivatedJob

from workers.kit.lease import Arrival
from workers.kit.window import Window


class Reception:
    """Where the stream and the poll of one task type bring their jobs; times are on `time.monotonic`'s clock."""

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
        self._arrival = Arrival()

    def take(self, job: ActivatedJob, read: float) -> None:
        """Receive a job that was just read, and for which a slot was taken."""
        self._receive(job, self._lease_ends(job, read))

    async def place(self, job: ActivatedJob, read: float) -> bool:
        """Receive a job when there is a slot for it; return whether there was one before the worker stopped."""
        ends = self._lease_ends(job, read)
        if not await self.window.take():
            return False
        if self._is_ours(read):
            self._receive(job, ends)
        else:
            self.window.give_back()
        return True

    def decline(self, job: ActivatedJob, read: float) -> None:
        """Hand back a job for which there was no slot."""
        if self._is_ours(read):
            self._hand_back(job)

    def _is_ours(self, read: float) -> bool:
        """Tell whether a job that was read then cannot have been given out again since, whatever the broker's clock."""
        return time.monotonic() - read < self._lease

    def _lease_ends(self, job: ActivatedJob, read: float) -> float:
        return self._arrival.lease_ends(job.deadline / 1000, self._lease, read)
