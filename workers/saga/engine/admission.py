"""How much may wait in the engine at once; what is more is refused before it begins."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from .errors import Busy, Stopping

MAX_COMMANDS = 2_000
"""Commands and polls that may wait to be processed."""
MAX_POLLS = 2_000
"""Polls that may wait for jobs."""
MAX_STREAMS = 2_000
"""Streams of jobs that may be open."""
MAX_RESULTS = 2_000
"""Creations that may wait for their instance's end."""


class Room:
    """Counts those who are inside."""

    def __init__(self) -> None:
        """Nobody is."""
        self._inside = 0

    @contextmanager
    def enter(self, most: int, what: str) -> Iterator[None]:
        """Be one of `most` as long as the context lasts; `what` there is no room for is told as `Busy` says.

        Raises:
            Busy: So many are inside.
        """
        if self._inside >= most:
            raise Busy(what)
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1


class Admission:
    """Admits requests as long as there is room for them."""

    def __init__(self) -> None:
        """Nothing waits yet."""
        self.stopping = False
        """Whether nothing is admitted any more."""
        self._polls = Room()
        self._results = Room()

    def check_command(self, waiting: int) -> None:
        """Admit a command or a poll beside those that wait to be processed.

        Raises:
            Busy: Too many wait.
            Stopping: The engine is shutting down.
        """
        self._check(waiting, MAX_COMMANDS, "accept a command, but too many are waiting")

    def check_stream(self, streams: int) -> None:
        """Admit a stream beside those that are open.

        Raises:
            Busy: Too many are open.
            Stopping: The engine is shutting down.
        """
        self._check(streams, MAX_STREAMS, "open a stream of jobs, but too many are open")

    def poll(self) -> AbstractContextManager[None]:
        """Admit a poll, which waits as long as the context lasts.

        Raises:
            Busy: Too many wait.
            Stopping: The engine is shutting down.
        """
        self._check_open()
        return self._polls.enter(MAX_POLLS, "wait for jobs, but too many requests do so")

    def result(self) -> AbstractContextManager[None]:
        """Admit a wait for an instance's end, which lasts as long as the context.

        Raises:
            Busy: Too many wait.
            Stopping: The engine is shutting down.
        """
        self._check_open()
        return self._results.enter(MAX_RESULTS, "wait for the result of an instance, but too many requests do so")

    def _check_open(self) -> None:
        if self.stopping:
            raise Stopping

    def _check(self, there_are: int, most: int, what: str) -> None:
        self._check_open()
        if there_are >= most:
            raise Busy(what)
