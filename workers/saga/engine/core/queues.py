"""Which job is given out next, and what is due next: heaps, in which an entry may stand for what is gone."""

import heapq
from collections import defaultdict
from collections.abc import Generator, Mapping

from .entities import Job, Tables

_SPARE = 1_000
"""New entries, beyond as many as were still needed at the last look, that make another look worth while."""


class Queues:
    """What waits for a worker or for its time; whether it still does is looked up in the tables.

    A heap knows no way back: what a rollback makes wait again has to be in it still.
    """

    def __init__(self, tables: Tables, activatable: Mapping[str, Mapping[int, None]]) -> None:
        """Look into these tables, and into the keys of jobs that may be activated, by type."""
        self._tables = tables
        self._activatable = activatable
        self._jobs: dict[str, list[int]] = defaultdict(list)
        self._due: list[tuple[int, str, int]] = []
        self._spare = _SPARE

    def offer(self, job: Job) -> None:
        """Add a job that may be activated."""
        heapq.heappush(self._jobs[job.type], job.key)
        self._spare -= 1

    def oldest(self, job_type: str) -> Generator[Job]:
        """Yield the activatable jobs of a type by key; none of them is taken by that."""
        waiting = self._activatable.get(job_type)
        queue = self._jobs.get(job_type)
        if not waiting or queue is None:
            return
        seen: list[int] = []
        try:
            previous = None
            while queue:
                key = heapq.heappop(queue)
                if key == previous or key not in waiting:
                    continue
                previous = key
                # It stays in the queue, also where a rollback makes it activatable again.
                seen.append(key)
                yield self._tables.jobs[key]
                waiting = self._activatable.get(job_type, {})
        finally:
            for key in seen:
                heapq.heappush(queue, key)

    def expect(self, due: int, kind: str, key: int) -> None:
        """Note that something is due at a time in milliseconds."""
        heapq.heappush(self._due, (due, kind, key))
        self._spare -= 1

    def due_until(self, now: int) -> list[tuple[str, int]]:
        """Return (kind, key) of what is due, the most overdue first; each is returned once."""
        found: dict[tuple[str, int], None] = {}
        while self._due and self._due[0][0] <= now:
            due, kind, key = heapq.heappop(self._due)
            if self._is_due(due, kind, key):
                found[kind, key] = None
        return list(found)

    def next_due(self) -> int | None:
        """Return when the next thing is due, in milliseconds; None for nothing."""
        while self._due and not self._is_due(*self._due[0]):
            heapq.heappop(self._due)
        return self._due[0][0] if self._due else None

    def tidy(self) -> None:
        """Forget what is gone, once that is worth while; to be called where nothing can be rolled back."""
        if self._spare >= 0:
            return
        for job_type, queue in list(self._jobs.items()):
            queue[:] = sorted(self._activatable.get(job_type, ()))
            if not queue:
                del self._jobs[job_type]
        self._due = [each for each in self._due if self._is_due(*each)]
        heapq.heapify(self._due)
        self._spare = _SPARE + len(self._due) + sum(map(len, self._jobs.values()))

    def _is_due(self, due: int, kind: str, key: int) -> bool:
        if kind == "TIMER":
            timer = self._tables.timers.get(key)
            return timer is not None and timer.due == due
        if kind == "MESSAGE":
            message = self._tables.messages.get(key)
            return message is not None and message.deadline == due
        job = self._tables.jobs.get(key)
        return job is not None and due == (job.deadline if kind == "JOB" else job.recurring)
