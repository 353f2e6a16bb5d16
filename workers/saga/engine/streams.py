"""Open job streams: which of them gets a new job, and what each has not sent yet."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from .errors import Stopping
from .polls import JobRequest

UNSENT = 32
"""Jobs that a stream may hold which its client has not been sent; a slow client must not lease what others could do."""


class JobStream:
    """One client's stream: iterate it for jobs. A job counts as unsent until the next one is asked for."""

    def __init__(self, request: JobRequest) -> None:
        """Begin with nothing to send."""
        self.request = request
        self.reserved = 0
        """Jobs that are activated for it and not committed yet."""
        self.closed = False
        self._unsent: deque[dict[str, Any]] = deque()
        self._sending = False
        self._waiter: asyncio.Future[None] | None = None
        self._stopping = False

    @property
    def room(self) -> int:
        """How many more jobs it may be given."""
        return UNSENT - self.reserved - len(self._unsent)

    def put(self, jobs: Sequence[dict[str, Any]]) -> None:
        """Hand over jobs whose activation is committed."""
        self.reserved -= len(jobs)
        self._unsent.extend(jobs)
        self._wake()

    def stop(self) -> None:
        """Let the stream end with UNAVAILABLE; what is unsent is given back when it is closed."""
        self._stopping = True
        self._wake()

    def close(self) -> list[dict[str, Any]]:
        """Take no more jobs; return those that were not sent."""
        self.closed = True
        unsent, self._unsent = list(self._unsent), deque()
        return unsent

    def __aiter__(self) -> "JobStream":
        """Iterate over the jobs to send."""
        return self

    async def __anext__(self) -> dict[str, Any]:
        """Wait for the next job to send; the one before has been sent.

        Raises:
            Stopping: The engine is shutting down.
        """
        if self._sending:
            self._unsent.popleft()
            self._sending = False
        while not self._unsent or self._stopping:
            if self._stopping:
                raise Stopping
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        self._sending = True
        return self._unsent[0]

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class JobStreams:
    """All open streams. Those with equal requests are a group; groups and their streams take turns."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_type: dict[str, deque[deque[JobStream]]] = {}

    def add(self, stream: JobStream) -> None:
        """Open a stream."""
        groups = self._by_type.setdefault(stream.request.type, deque())
        for group in groups:
            if group[0].request == stream.request:
                group.append(stream)
                return
        groups.append(deque([stream]))

    def remove(self, stream: JobStream) -> None:
        """Forget a stream."""
        groups = self._by_type[stream.request.type]
        group = next(group for group in groups if stream in group)
        group.remove(stream)
        if not group:
            groups.remove(group)
        if not groups:
            del self._by_type[stream.request.type]

    def assign(self, jobs: Iterable[tuple[str, int]]) -> tuple[dict[JobStream, list[int]], list[str]]:
        """Choose a stream for each job, given as (type, key).

        Returns:
            The keys for each stream that gets some, reserved there; and the type of each job that no stream can take.
        """
        chosen: dict[JobStream, list[int]] = {}
        left = []
        for job_type, key in jobs:
            stream = self._next(job_type)
            if stream is None:
                left.append(job_type)
            else:
                stream.reserved += 1
                chosen.setdefault(stream, []).append(key)
        return chosen, left

    def __len__(self) -> int:
        """Count the open streams."""
        return len(self.all())

    def all(self) -> list[JobStream]:
        """Return every open stream."""
        return [stream for groups in self._by_type.values() for group in groups for stream in group]

    def _next(self, job_type: str) -> JobStream | None:
        groups = self._by_type.get(job_type) or deque()
        for _ in range(len(groups)):
            group = groups[0]
            groups.rotate(-1)
            for _ in range(len(group)):
                stream = group[0]
                group.rotate(-1)
                if stream.room > 0:
                    return stream
        return None
