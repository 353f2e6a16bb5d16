"""Requests that wait for jobs (long polls), oldest first."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class JobRequest(NamedTuple):
    """Which jobs a client wants: what a poll and a stream have in common."""

    type: str
    worker: str
    timeout: int
    """Milliseconds of the jobs' lease."""
    fetch_variables: tuple[str, ...] = ()
    """Names of the variables to bring; empty for all visible ones."""


class Activated(NamedTuple):
    """The answer to a poll."""

    jobs: list[dict[str, Any]]
    """ActivatedJob dicts; empty where the poll's time ran out."""
    truncated: bool


@dataclass(slots=True, eq=False)
class Poll:
    """One request for jobs."""

    request: JobRequest
    max_jobs: int
    waits: bool
    """Whether it waits where there is no job."""
    answer: asyncio.Future[Activated] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    fresh: bool = True
    """Whether it has not been tried yet."""
    abandoned: bool = False
    """Whether nobody waits for its answer any more."""


class WaitingPolls:
    """The polls that wait, by job type, in the order of their arrival."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_type: defaultdict[str, deque[Poll]] = defaultdict(deque)

    def add(self, poll: Poll) -> None:
        """Let a poll wait, behind the others of its type."""
        self._by_type[poll.request.type].append(poll)

    def discard(self, poll: Poll) -> bool:
        """Take a poll out; tell whether it was still waiting."""
        queue = self._by_type.get(poll.request.type)
        if queue is None or poll not in queue:
            return False
        queue.remove(poll)
        if not queue:
            del self._by_type[poll.request.type]
        return True

    def to_try(self, fresh: AbstractSet[str], new_jobs: Mapping[str, int]) -> Iterator[Poll]:
        """Yield the polls that may get a job now: the fresh ones, and the others while `new_jobs` has their type.

        `fresh` are the types that have fresh polls. `new_jobs` maps a type to how many jobs are there for polls; the
        caller counts down while it iterates.
        """
        for job_type in sorted(fresh | new_jobs.keys()):
            for poll in list(self._by_type.get(job_type, ())):
                if poll.fresh or new_jobs.get(job_type, 0) > 0:
                    yield poll

    def clear(self) -> list[Poll]:
        """Take all of them out and return them."""
        polls = [poll for queue in self._by_type.values() for poll in queue]
        self._by_type.clear()
        return polls
