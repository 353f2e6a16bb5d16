"""How many jobs may be in hand: a bound per task type inside a bound per process."""

import asyncio


class Window:
    """Slots for jobs; a slot of a task type's window is a slot of the process's window too."""

    def __init__(self, slots: int, process: "Window | None" = None) -> None:
        """Give `slots` slots, each of which needs one of `process` as well."""
        self._slots = asyncio.Semaphore(slots)
        self._process = process

    async def take(self) -> None:
        """Wait for a slot, in the order of asking, and take it."""
        await self._slots.acquire()
        if self._process is not None:
            try:
                await self._process.take()
            except asyncio.CancelledError:
                self._slots.release()
                raise

    async def take_free(self, most: int) -> int:
        """Take up to `most` slots that are free right now, and return how many."""
        taken = 0
        while taken < most and not self._is_full():
            await self.take()
            taken += 1
        return taken

    def give_back(self, slots: int = 1) -> None:
        """Give back slots that were taken."""
        for _ in range(slots):
            self._slots.release()
        if self._process is not None:
            self._process.give_back(slots)

    def _is_full(self) -> bool:
        return self._slots.locked() or (self._process is not None and self._process._is_full())  # noqa: SLF001 - its own kind
