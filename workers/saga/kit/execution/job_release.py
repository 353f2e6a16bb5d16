"""Release jobs: give them back to Zeebe, so that another worker has them before their lease ends."""

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
"""How long Zeebe is asked to take a job back; after that its lease has to run out."""


class JobRelease:
    """The jobs that are being released."""

    def __init__(self, replies: JobReplies, report: Callable[[JobOutcome], None]) -> None:
        """Send with `replies`, and `report` each release in doubt of a job whose step was running."""
        self._replies = replies
        self._report = report
        self.tasks: set[asyncio.Task[None]] = set()

    def start(self, job: Job, lease: Lease | None = None) -> None:
        """Release a job; `lease` is given if its step was running and may have had its effect."""
        task = asyncio.create_task(self._release(job, lease))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _release(self, job: Job, lease: Lease | None) -> None:
        started = time.monotonic()
        until = started + SECONDS
        ends = until if lease is None else min(until, lease.ends)
        reply = not_run(job.retries, "handed back by a worker that stops, or was pushed more than it can do")
        doubt: Doubt | None
        try:
            _, doubt = await self._replies.deliver(job, reply, Lease(SECONDS, ends))
        except asyncio.CancelledError:
            doubt = Doubt.UNANSWERED
        if lease is not None and doubt is not None:
            self._report(JobOutcome(job, reply, doubt, time.monotonic() - started))
