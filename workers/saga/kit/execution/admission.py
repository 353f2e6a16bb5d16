"""When a job's turn has come: behind no suspect, with a thread where it needs one, and with a lease that lasts."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from random import Random

import structlog

from saga.kit.definition.job import about
from saga.kit.definition.outcomes import JobReply, PoisonJob, Unavailable, not_run
from saga.kit.execution.active_job import ActiveJob
from saga.kit.execution.crash_guard import CrashGuard
from saga.kit.execution.lease import Leases
from saga.kit.execution.runner import Runner
from saga.kit.execution.threads import Threads

_PATIENCE = 5.0
"""Seconds that a suspect waits for its turn before it steps aside, which costs it no try."""
_ASIDE = (10.0, 20.0)
"""Seconds for which it does, between these two."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def _within(seconds: float, turn: AbstractAsyncContextManager[None]) -> AsyncIterator[bool]:
    """Enter `turn`, and say whether that took no longer than `seconds`; else nothing came of it."""
    async with AsyncExitStack() as stack:
        entered = False
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await stack.enter_async_context(turn)
            entered = True
        yield entered


class Admission:
    """Runs jobs, each when its turn has come, and ends it when its time is over."""

    def __init__(self, activations: CrashGuard, threads: Threads, leases: Leases, random: Random) -> None:
        """Count what is begun by `activations`, and take `threads` and `leases` for it."""
        self._random = random
        self._activations = activations
        self._threads = threads
        self._leases = leases

    async def answer(self, held: ActiveJob, runner: Runner) -> JobReply | None:
        """Run the job to its answer; None where its lease was lost before it began."""
        if not self._activations.is_suspect(held.key):
            return await self._with_thread(held, runner)
        async with _within(_PATIENCE, self._activations.one_suspect) as has_turn:
            if not has_turn:
                # It goes on waiting outside the window: suspects must not keep everybody else from their turn.
                wait = self._random.uniform(*_ASIDE)
                return not_run(held.job.retries, "another job that ran when its worker died takes long", wait)
            return await self._with_thread(held, runner)

    async def _with_thread(self, held: ActiveJob, runner: Runner) -> JobReply | None:
        if not runner.needs_thread(held.job):
            return await self._run(held, runner)
        limit = held.handler.limit
        async with _within(limit, self._threads.place(held.key)) as has_place:
            if not has_place:
                # Hung threads never end: its turn comes sooner with another worker, and costs it no try.
                return not_run(held.job.retries, f"no thread was free for {limit:.3g} seconds")
            return await self._run(held, runner)

    async def _run(self, held: ActiveJob, runner: Runner) -> JobReply | None:
        job, lease = held.job, held.lease
        # It has waited in gRPC's buffers, behind a suspect or for a thread.
        if lease.is_short(time.monotonic()) and not await self._leases.renew(job.key, lease):
            _log.info("lease lost before the job began", **about(job))
            return None
        held.had_turn = True
        if self._activations.are_used_up(job.key):
            return runner.failed(job, PoisonJob(self._activations.most))
        self._activations.begin(job.key)
        now = time.monotonic()
        lease.limit = now + held.handler.limit
        held.runs = True
        try:
            return await runner.answer(job)
        except asyncio.CancelledError:
            if not held.take_back():
                raise  # The worker stops.
            took = time.monotonic() - now
            message = f"{job.task_type} did not end within {took:.3g} seconds; whether it took effect is unknown."
            return runner.failed(job, Unavailable(message))
        finally:
            held.take_back()  # It may have swallowed it.
            held.runs = False
