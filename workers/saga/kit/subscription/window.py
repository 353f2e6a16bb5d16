"""How many jobs may be in hand: a bound per task type inside a bound per process."""

import asyncio
from collections import deque


class Window:
    """Slots for jobs; a slot of a task type's window is a slot of the process's window too.

    A slot that is free costs a few additions; only who has to wait pays for a future.
    """

    def __init__(self, slots: int, process: "Window | None" = None) -> None:
        """Give `slots` slots, each of which needs one of `process` as well."""
        self._free = slots
        self._process = process
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._closed = False
        self.returning = 0
        """Slots whose jobs are being answered: free as soon as the broker has heard."""

    def take_free(self, most: int) -> int:
        """Take up to `most` slots that are free right now, and return how many."""
        taken = 0 if self._closed else min(most, self._free)
        if self._process is not None and taken:
            taken = self._process.take_free(taken)
        self._free -= taken
        return taken

    async def take(self) -> bool:
        """Wait for a slot, in the order of asking, and take it; return whether there was one before `close`."""
        if self.take_free(1):
            return True
        if not await self._turn():
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
        """Give back slots that were taken."""
        self._give_back_own(slots)
        if self._process is not None:
            self._process.give_back(slots)

    def close(self) -> None:
        """Give out no more slots; whoever waits gets none."""
        self._closed = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(False)

    async def _turn(self) -> bool:
        """Take a slot of this window alone."""
        if self._closed:
            return False
        if self._free > 0:
            self._free -= 1
            return True
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.result():
                self._give_back_own(1)  # The slot was handed over in the same moment.
            raise

    def _give_back_own(self, slots: int) -> None:
        self._free += slots
        while self._free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                self._free -= 1
                turn.set_result(True)
