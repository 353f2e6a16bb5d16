"""The window: how many jobs may be active, per task type and per process."""

import asyncio
from collections import deque


class Window:
    """Slots for jobs; a slot of a task type's window is a slot of the process's window too.

    Taking a free slot costs a few additions; only waiting for one costs a future.
    """

    def __init__(self, slots: int, process: "Window | None" = None) -> None:
        """Start with `slots` free slots, each of which also needs one of `process`."""
        self._free = slots
        self._process = process
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._closed = False
        self.replying = 0
        """Slots of jobs whose reply is being sent: free as soon as the broker responds."""

    def take_free(self, most: int) -> int:
        """Take up to `most` slots that are free now, and return how many."""
        taken = 0 if self._closed else min(most, self._free)
        if self._process is not None and taken:
            taken = self._process.take_free(taken)
        self._free -= taken
        return taken

    async def take(self) -> bool:
        """Wait for a slot, first come first served, and take it; return False if the window was closed before."""
        if self.take_free(1):
            return True
        if not await self._take_own():
            return False
        if self._process is not None:
            taken = False
            try:
                taken = await self._process.take()
            finally:
                if not taken:
                    self._give_back_own(1)
            return taken
        return True

    def give_back(self, slots: int = 1) -> None:
        """Free slots that were taken."""
        self._give_back_own(slots)
        if self._process is not None:
            self._process.give_back(slots)

    def close(self) -> None:
        """Assign no more slots; every `take` that waits returns False."""
        self._closed = True
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(False)

    async def _take_own(self) -> bool:
        """Take a slot of this window, not of the process's."""
        if self._closed:
            return False
        if self._free > 0:
            self._free -= 1
            return True
        waiter: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self._give_back_own(1)  # The slot was assigned in the same moment.
            raise

    def _give_back_own(self, slots: int) -> None:
        self._free += slots
        while self._free > 0 and self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self._free -= 1
                waiter.set_result(True)
