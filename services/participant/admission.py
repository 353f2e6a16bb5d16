"""Admission: who waits in line gets a place in the order of arrival, or is refused before anything has begun.

There are two lines. At the door (`limits`) only a few requests are let in at once: the event loop serves those, and
does not spend itself on all that arrive. Inside, each transaction waits for a connection (`database`). A request has
one deadline for both.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar

WAIT = 5.0
"""Seconds that a request waits in line; with its transaction, less than the ten that our workers wait for an answer."""
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
"""On the event loop's clock, when this request has waited for long enough."""


class NoPlaceError(Exception):
    """Others had all places for too long; nothing was begun."""


class Admission:
    """Gives so many places at a time, in the order of arrival.

    SQLAlchemy's pool does not: who arrives when a connection comes back may have it before those who wait.
    """

    def __init__(self, places: int) -> None:
        """Give `places`."""
        self._free = places
        self._first: deque[asyncio.Future[None]] = deque()
        self._line: deque[asyncio.Future[None]] = deque()

    @asynccontextmanager
    async def place(self, deadline: float, *, first: bool = False) -> AsyncIterator[bool]:
        """Have a place for the length of the body; `first` is before all who are not. Yields whether that took time.

        Raises:
            NoPlaceError: Others had all places until `deadline` on the event loop's clock; nothing of the body was run.
        """
        is_free = self._free > 0
        if is_free:
            self._free -= 1
        else:
            await self._turn(self._first if first else self._line, deadline)
        try:
            yield not is_free
        finally:
            self._give_back()

    async def _turn(self, line: deque[asyncio.Future[None]], deadline: float) -> None:
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            async with asyncio.timeout_at(deadline):
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


@contextmanager
def one_deadline() -> Iterator[float]:
    """Have all that is waited for in the body end at the same time, and yield that."""
    end = asyncio.get_running_loop().time() + WAIT
    token = _deadline.set(end)
    try:
        yield end
    finally:
        _deadline.reset(token)


def deadline() -> float:
    """Return until when, on the event loop's clock, this request may wait; outside of one as long from now."""
    return _deadline.get() or asyncio.get_running_loop().time() + WAIT
