"""Give the broker back the jobs that this worker will not do, so that another one has them before a lease ends."""

import asyncio
import time
from collections.abc import Callable

from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import not_run
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.lease import Lease
from saga.kit.execution.middleware import JobOutcome
from saga.kit.execution.replies import JobReplies

SECONDS = 2.0
"""In which a job is given back; its lease sees to the rest."""


class JobRelease:
    """The jobs that are on their way back."""

    def __init__(self, answers: JobReplies, tell: Callable[[JobOutcome], None]) -> None:
        """Give them back by `answers`, and `tell` of those that had been begun where that is in doubt."""
        self._answers = answers
        self._tell = tell
        self.tasks: set[asyncio.Task[None]] = set()

    def begin(self, job: Job, lease: Lease | None = None) -> None:
        """Give a job back; `lease` is that of one whose step was begun, so that it may have had its effect."""
        task = asyncio.create_task(self._give_back(job, lease))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _give_back(self, job: Job, lease: Lease | None) -> None:
        begun = time.monotonic()
        until = begun + SECONDS
        ends = until if lease is None else min(until, lease.ends)
        answer = not_run(job.retries, "handed back by a worker that stops, or was pushed more than it can do")
        doubt: Doubt | None
        try:
            _, doubt = await self._answers.deliver(job, answer, Lease(SECONDS, ends))
        except asyncio.CancelledError:
            doubt = Doubt.UNANSWERED
        if lease is not None and doubt is not None:
            self._tell(JobOutcome(job, answer, doubt, time.monotonic() - begun))
