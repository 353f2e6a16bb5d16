"""Where a job that failed waits for its next try: here, and not at the broker.

FailJob takes a backoff after which the broker is to give the job out again. Zeebe 8.6.0 does so once for every job; of
those that fail again it forgets some for ever, because it takes the command for one that is already on its way
(camunda/camunda#29735; ADR 7). So the job stays ours while it waits, by an extended lease, and the broker
is told of the failure when it may give the job out at once.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress

from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Fail, JobReply
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.lease import Lease, Leases
from saga.kit.execution.middleware import JobOutcome

Deliver = Callable[[Job, JobReply, Lease], Awaitable[tuple[JobReply, Doubt | None]]]

_ROOM = 1_000
"""Jobs of one task type that wait at most. More of them stay in hand, so that no more are taken."""


class RetryBacklog:
    """The jobs of one process that failed and are to be tried again."""

    def __init__(self, leases: Leases, deliver: Deliver, tell: Callable[[JobOutcome], None]) -> None:
        """Answer a job by `deliver` when its wait is over, and `tell` where that is in doubt."""
        self._leases = leases
        self._deliver = deliver
        self._tell = tell
        self._room: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_ROOM))
        self._ending = asyncio.Event()
        self._jobs: dict[int, tuple[Job, asyncio.Task[None]]] = {}

    @property
    def jobs(self) -> Counter[str]:
        """How many jobs wait, by task type."""
        return Counter(job.task_type for job, _ in self._jobs.values())

    async def keep(self, job: Job, answer: Fail, lease: Lease) -> Fail | None:
        """Keep the job until its backoff is over and answer it then.

        Returns:
            None, or what the broker is to be told at once: that the wait is its own where it does not leave us the job
            for so long, and that there is none where the worker stops.
        """
        room = self._room[job.task_type]
        await room.acquire()
        is_kept = False
        try:
            is_ours = not self._ending.is_set() and await self._leases.cover(job.key, lease, answer.backoff)
            if self._ending.is_set():
                return answer.after_backoff(answer.retries)
            if not is_ours:
                return answer
            task = asyncio.create_task(self._answer_later(job, answer, lease))
            self._jobs[job.key] = job, task
            task.add_done_callback(lambda _: self._leave(job.key, task))
            is_kept = True
            return None
        finally:
            if not is_kept:
                room.release()

    def __contains__(self, key: int) -> bool:
        """Tell whether a job waits."""
        return key in self._jobs

    def drop(self, key: int) -> None:
        """Wait no more for a job that the broker has given out again."""
        if key in self._jobs:
            _, task = self._jobs[key]
            task.cancel()
            self._leave(key, task)

    async def end(self) -> None:
        """Hand back at once all that wait, their retries unchanged, and keep no more; until all are, or cancelled."""
        self._ending.set()
        tasks = [task for _, task in self._jobs.values()]
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _answer_later(self, job: Job, answer: Fail, lease: Lease) -> None:
        retries = answer.retries
        with suppress(TimeoutError):
            async with asyncio.timeout(answer.backoff):
                await self._ending.wait()
                retries = job.retries
        over = time.monotonic()
        doubt: Doubt | None
        try:
            _, doubt = await self._deliver(job, answer.after_backoff(retries), lease)
        except asyncio.CancelledError:
            if not self._ending.is_set():
                raise  # The broker has given it out again, so it has heard.
            doubt = Doubt.UNANSWERED
        if doubt is not None:
            self._tell(JobOutcome(job, answer, doubt, time.monotonic() - over))

    def _leave(self, key: int, task: asyncio.Task[None]) -> None:
        if key in self._jobs and self._jobs[key][1] is task:
            job, _ = self._jobs.pop(key)
            self._room[job.task_type].release()
