"""The retry backlog: a job that failed waits for its next try here, and not at the broker.

FailJob takes a backoff after which the broker activates the job again. Zeebe 8.6.0 does so once for every job; of those
that fail again it forgets some for ever, because it takes the command for one that is already on its way
(camunda/camunda#29735; ADR 7). So the job stays ours while it waits, by an extended lease, and FailJob is sent when the
wait is over, without a backoff.
"""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from math import inf

from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Fail, JobReply
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.lease import Lease, Leases
from saga.kit.execution.middleware import JobOutcome

Deliver = Callable[[Job, JobReply, Lease], Awaitable[tuple[JobReply, Doubt | None]]]

PLACES = 1_000
"""Jobs of one task type that wait at most. Further ones stay active, so that their slots take no new jobs."""


class RetryBacklog:
    """The jobs of one process that failed and wait for their next try."""

    def __init__(
        self, leases: Leases, deliver: Deliver, report: Callable[[JobOutcome], None], places: int = PLACES
    ) -> None:
        """Send a job's reply with `deliver` when its wait is over, and `report` each that is in doubt."""
        self._leases = leases
        self._deliver = deliver
        self._report = report
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(places))
        self._ending = asyncio.Event()
        self._jobs: dict[int, tuple[Job, asyncio.Task[None]]] = {}

    @property
    def jobs(self) -> Counter[str]:
        """How many jobs wait, by task type."""
        return Counter(job.task_type for job, _ in self._jobs.values())

    async def keep(self, job: Job, reply: Fail, lease: Lease) -> Fail | None:
        """Keep the job until its backoff is over, and send its reply then.

        Returns:
            None, or what has to be sent at once: `reply` with its backoff if Zeebe does not extend the lease for so
            long, and `reply` without a backoff if the worker stops.
        """
        step_limit, lease.limit = lease.limit, inf  # The lease is extended however long the job waits for a place.
        places = self._places[job.task_type]
        is_kept = False
        try:
            await places.acquire()
            try:
                is_ours = not self._ending.is_set() and await self._leases.cover(job.key, lease, reply.backoff)
                if self._ending.is_set():
                    return reply.after_backoff(reply.retries)
                if not is_ours:
                    return reply
                task = asyncio.create_task(self._reply_later(job, reply, lease))
                self._jobs[job.key] = job, task
                task.add_done_callback(lambda _: self._leave(job.key, task))
                is_kept = True
                return None
            finally:
                if not is_kept:
                    places.release()
        finally:
            lease.limit = step_limit

    def __contains__(self, key: int) -> bool:
        """Tell whether a job waits."""
        return key in self._jobs

    def drop(self, key: int) -> None:
        """Stop waiting for a job that Zeebe has activated again."""
        if key in self._jobs:
            _, task = self._jobs[key]
            task.cancel()
            self._leave(key, task)

    async def end(self) -> None:
        """Release all jobs at once, their retries unchanged, and keep no more."""
        self._ending.set()
        tasks = [task for _, task in self._jobs.values()]
        try:
            if tasks:
                await asyncio.wait(tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _reply_later(self, job: Job, reply: Fail, lease: Lease) -> None:
        retries = reply.retries
        with suppress(TimeoutError):
            async with asyncio.timeout(reply.backoff):
                await self._ending.wait()
                retries = job.retries
        waited = time.monotonic()
        doubt: Doubt | None
        try:
            _, doubt = await self._deliver(job, reply.after_backoff(retries), lease)
        except asyncio.CancelledError:
            if not self._ending.is_set():
                raise  # Zeebe has activated the job again, so it has the reply.
            doubt = Doubt.UNANSWERED
        if doubt is not None:
            self._report(JobOutcome(job, reply, doubt, time.monotonic() - waited))

    def _leave(self, key: int, task: asyncio.Task[None]) -> None:
        if key in self._jobs and self._jobs[key][1] is task:
            job, _ = self._jobs.pop(key)
            self._places[job.task_type].release()
