"""Drain a worker that stops: let its jobs end, then release the rest."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from saga.kit.execution import job_release
from saga.kit.execution.active_job import ActiveJob, JobState
from saga.kit.execution.crash_guard import CrashGuard
from saga.kit.execution.job_release import JobRelease
from saga.kit.execution.retry_backlog import RetryBacklog

_LAST_MOMENT = 0.1
"""Seconds for cancelled tasks to report what is in doubt; a step that refuses to end is left."""


class Drain:
    """Ends the active jobs of one worker."""

    def __init__(
        self, active: Mapping[int, ActiveJob], backlog: RetryBacklog, releases: JobRelease, crash_guard: CrashGuard
    ) -> None:
        """Watch `active`, a live view of the active jobs by key."""
        self._active = active
        self._backlog = backlog
        self._releases = releases
        self._crash_guard = crash_guard

    async def run(self, seconds: float, aborting: asyncio.Event) -> None:
        """Empty the backlog and wait up to `seconds` for the active jobs, or until `aborting` is set; release the rest.

        It returns within about two seconds after that, whether or not Zeebe responds and the steps end.
        """
        emptying = asyncio.create_task(self._backlog.end())
        aborted = asyncio.create_task(aborting.wait())
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (left := self._left(emptying)) and not aborting.is_set():
                    await asyncio.wait([*left, aborted], return_when=asyncio.FIRST_COMPLETED)
        aborted.cancel()
        for active in list(self._active.values()):
            self._end(active)
        with suppress(TimeoutError):
            async with asyncio.timeout(job_release.SECONDS):
                while left := [*self._left(emptying), *self._releases.tasks]:
                    await asyncio.wait(left)
        late = [emptying, *self._tasks(), *self._releases.tasks]
        for task in late:
            task.cancel()
        await asyncio.wait(late, timeout=_LAST_MOMENT)

    def _end(self, active: ActiveJob) -> None:
        if active.state in (JobState.DEFERRED, JobState.REPLYING):
            return  # Its reply is under way.
        if active.state is not JobState.REPLIED:
            was_running = active.state is JobState.RUNNING
            active.release()
            if was_running:
                self._crash_guard.end(active.key)  # It has not killed its worker.
            self._releases.start(active.job, active.lease if was_running else None)
        active.cancel()

    def _left(self, emptying: asyncio.Task[None]) -> list[asyncio.Task[None]]:
        return [*self._tasks(), *([] if emptying.done() else [emptying])]

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [active.task for active in self._active.values() if active.task is not None]
