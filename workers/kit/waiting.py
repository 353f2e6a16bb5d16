"""Where a job that failed waits for its next try: here, and not at the broker.

FailJob takes a backoff after which the broker is to give the job out again. Zeebe 8.6.0 does so once for every job; of
those that fail again it forgets some for ever, because it takes the command for one that is already on its way
(camunda/camunda#29735; ADR 7). So the job stays ours while it waits, by an extended lease, and the broker
is told of the failure when it may give the job out at once.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from workers.kit.doubt import Doubt
from workers.kit.job import Job
from workers.kit.lease import Lease, Leases
from workers.kit.middleware import Ended
from workers.kit.outcomes import Answer, Fail

Deliver = Callable[[Job, Answer, Lease], Awaitable[Doubt | None]]

_ROOM = 1_000
"""Jobs of one process that wait at most. More of them stay in hand, so that no more are taken."""


class Waiting:
    """The jobs of one process that failed and are to be tried again."""

    def __init__(self, leases: Leases, deliver: Deliver, tell: Callable[[Ended], None]) -> None:
        """Answer a job by `deliver` when its wait is over, and `tell` where that is in doubt."""
        self._leases = leases
        self._deliver = deliver
        self._tell = tell
        self._room = asyncio.Semaphore(_ROOM)
        self._ending = asyncio.Event()
        self._jobs: dict[int, tuple[Job, asyncio.Task[None]]] = {}

    @property
    def jobs(self) -> Counter[str]:
        """How many jobs wait, by task type."""
        return Counter(job.task_type for job, _ in self._jobs.values())

    async def keep(self, job: Job, answer: Fail, lease: Lease) -> bool:
        """Keep the job until its backoff is over and answer it then; False where the broker does not leave it to us."""
        await self._room.acquire()
        is_ours = False
        try:
            is_ours = await self._leases.cover(job.key, lease, answer.backoff)
        finally:
            if not is_ours:
                self._room.release()
        if is_ours:
            task = asyncio.create_task(self._answer_later(job, answer, lease))
            self._jobs[job.key] = job, task
            task.add_done_callback(lambda _: self._leave(job.key, task))
        return is_ours

    def drop(self, key: int) -> None:
        """Wait no more for a job that the broker has given out again."""
        if key in self._jobs:
            _, task = self._jobs[key]
            task.cancel()
            self._leave(key, task)

    async def end(self, seconds: float) -> None:
        """Leave to the broker what still waits, and the rest of each wait; give that up after `seconds`."""
        self._ending.set()
        if tasks := [task for _, task in self._jobs.values()]:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()

    async def _answer_later(self, job: Job, answer: Fail, lease: Lease) -> None:
        begun = time.monotonic()
        with suppress(TimeoutError):
            async with asyncio.timeout(answer.backoff):
                await self._ending.wait()
        rest = max(0.0, begun + answer.backoff - time.monotonic())
        doubt = await self._deliver(job, replace(answer, backoff=rest), lease)
        if doubt is not None:
            self._tell(Ended(job, answer, doubt, time.monotonic() - begun))

    def _leave(self, key: int, task: asyncio.Task[None]) -> None:
        if key in self._jobs and self._jobs[key][1] is task:
            del self._jobs[key]
            self._room.release()
