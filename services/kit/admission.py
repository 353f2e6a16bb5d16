"""Admission: commands wait in line for a connection, and are refused before they begin where that takes too long."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class NoPlaceError(Exception):
    """Others had all places for too long; nothing was begun."""


class Admission:
    """Gives so many places at a time, in the order of arrival.

    SQLAlchemy's pool does not: who arrives when a connection comes back may have it before those who wait.
    """

    def __init__(self, places: int, wait: float) -> None:
        """Give `places`, to those who get theirs within `wait` seconds."""
        self._free = places
        self._wait = wait
        self._first: deque[asyncio.Future[None]] = deque()
        self._line: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def place(self, *, first: bool = False) -> AsyncIterator[None]:
        """Have a place for the length of the body; `first` is before all who are not.

        Raises:
            NoPlaceError: Others had all places for too long. Nothing of the body was run.
        """
        await self._take(self._first if first else self._line)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, line: deque[asyncio.Future[None]]) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            async with asyncio.timeout(self._wait):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # It was given in the moment in which its owner gave up.
                self._give_back()
            if isinstance(error, TimeoutError):
                raise NoPlaceError from error
            raise

    def _give_back(self) -> None:
        for line in (self._first, self._line):
            while line:
                turn = line.popleft()
                if not turn.done():  # else its owner has given up
                    turn.set_result(None)
                    return
        self._free += 1
