"""Admission: a job waits for a quarantined job before it, for a thread if it needs one, and for a lease that lasts."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from random import Random

import structlog

from saga.kit.definition.job import about
from saga.kit.definition.outcomes import JobReply, PoisonJob, not_run
from saga.kit.execution.active_job import ActiveJob
from saga.kit.execution.crash_guard import CrashGuard
from saga.kit.execution.lease import Leases
from saga.kit.execution.runner import Runner
from saga.kit.execution.threads import Threads

QUARANTINE_TIMEOUT = 5.0
"""Seconds that a quarantined job waits for another one before it is put off, which costs it no retry."""
_PUT_OFF = (10.0, 20.0)
"""Seconds, from and to, for which it is put off."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def _within(seconds: float, entry: AbstractAsyncContextManager[None]) -> AsyncIterator[bool]:
    """Enter `entry`, and say whether that took no longer than `seconds`; otherwise it was not entered."""
    async with AsyncExitStack() as stack:
        entered = False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stack.enter_async_context(entry)
            entered = True
        yield entered


class Admission:
    """Admits jobs and runs them."""

    def __init__(
        self,
        crash_guard: CrashGuard,
        threads: Threads,
        leases: Leases,
        random: Random,
        quarantine_timeout: float = QUARANTINE_TIMEOUT,
    ) -> None:
        """Count activations with `crash_guard`; a quarantined job waits at most `quarantine_timeout` seconds."""
        self._random = random
        self._crash_guard = crash_guard
        self._threads = threads
        self._leases = leases
        self._quarantine_timeout = quarantine_timeout

    def run(self, active: ActiveJob, runner: Runner) -> Awaitable[JobReply | None]:
        """Admit the job, run it and return the reply; None if its lease was lost before it began.

        Most jobs are not quarantined and need no thread: no coroutine is created for these.
        """
        if active.job.key in self._crash_guard.quarantined:
            return self._run_quarantined(active, runner)
        return self._run_ready(active, runner)

    def _run_ready(self, active: ActiveJob, runner: Runner) -> Awaitable[JobReply | None]:
        if runner.may_block and runner.needs_thread(active.job):
            return self._run_on_thread(active, runner)
        return self._run_leased(active, runner)

    async def _run_quarantined(self, active: ActiveJob, runner: Runner) -> JobReply | None:
        async with _within(self._quarantine_timeout, self._crash_guard.one_quarantined) as is_next:
            if not is_next:
                # It waits on in the retry backlog: quarantined jobs must not occupy the whole window.
                wait = self._random.uniform(*_PUT_OFF)
                return not_run(active.job.retries, "another job that ran when its worker died takes long", wait)
            return await self._run_ready(active, runner)

    async def _run_on_thread(self, active: ActiveJob, runner: Runner) -> JobReply | None:
        limit = active.handler.limit
        async with _within(limit, self._threads.place(active.job.key)) as has_thread:
            if not has_thread:
                # Hung threads never end: another worker has a free one sooner, and the job loses no retry.
                return not_run(active.job.retries, f"no thread was free for {limit:.3g} seconds")
            return await self._run_leased(active, runner)

    async def _run_leased(self, active: ActiveJob, runner: Runner) -> JobReply | None:
        job, lease = active.job, active.lease
        # It has waited in gRPC's buffers, behind a quarantined job or for a thread.
        if lease.is_short(time.monotonic()) and not await self._leases.renew(job.key, lease):
            _log.info("lease lost before the job began", **about(job))
            return None
        is_poison = not self._crash_guard.begin(job.key)
        active.admit()
        if is_poison:
            return runner.failed(job, PoisonJob(self._crash_guard.most))
        return await active.run(runner)
