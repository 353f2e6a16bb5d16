"""What a peer got done in a stretch of time, and what it took."""

import asyncio
import time
from dataclasses import dataclass
from typing import Self

from tests.benchmarks.engine import Engine
from tests.benchmarks.peer import Process

_LOOK = 0.03
"""Seconds between two looks at the broker's counter."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment: how many jobs the broker had seen completed, and how much CPU the peer had taken."""

    at: float
    jobs: int
    cpu: float

    @classmethod
    async def now(cls, engine: Engine, process: Process, task_type: str) -> Self:
        """Ask the broker and the operating system."""
        jobs = await engine.jobs("completed", task_type)
        return cls(time.perf_counter(), jobs, process.cpu())


@dataclass(frozen=True, slots=True)
class Work:
    """What was done between two marks."""

    jobs: int
    seconds: float
    cpu: float
    """Seconds."""

    @classmethod
    def between(cls, start: Mark, end: Mark) -> Self:
        """Take the difference."""
        return cls(end.jobs - start.jobs, end.at - start.at, end.cpu - start.cpu)

    @property
    def rate(self) -> float:
        """Jobs per second; a peer that did none counts as one that did one."""
        return max(self.jobs, 1) / self.seconds

    @property
    def cost(self) -> float:
        """Milliseconds of CPU per job."""
        return 1000 * self.cpu / max(self.jobs, 1)


async def until_done(
    engine: Engine,
    process: Process,
    task_type: str,
    *,
    before: int,
    jobs: int,
    seconds: float,
    look: float = _LOOK,
) -> Work:
    """Watch the peer from the first job that it completes to the last of `jobs`, for `seconds` at most.

    `before` it began, the broker had seen so many completed: it may be faster than the first look. `look` is the
    seconds between two looks, each of which costs the broker a millisecond.
    """
    end = time.monotonic() + seconds
    start = now = await Mark.now(engine, process, task_type)
    while now.jobs - before < jobs and time.monotonic() < end:
        await asyncio.sleep(look)
        now = await Mark.now(engine, process, task_type)
        if start.jobs == before < now.jobs:
            start = now
    return Work.between(start, now)


async def drained(
    engine: Engine, process: Process, task_type: str, *, before: int, jobs: int, seconds: float, look: float = _LOOK
) -> tuple[Work, float]:
    """Have the peer do the jobs that wait; return its work, and the engine's CPU for a job in milliseconds.

    The arguments are those of `until_done`.
    """
    used = engine.cpu()
    async with process.working(task_type):
        work = await until_done(engine, process, task_type, before=before, jobs=jobs, seconds=seconds, look=look)
    return work, 1000 * (engine.cpu() - used) / jobs


async def during(engine: Engine, process: Process, task_type: str, seconds: float) -> Work:
    """Watch the peer for so long."""
    start = await Mark.now(engine, process, task_type)
    await asyncio.sleep(seconds)
    return Work.between(start, await Mark.now(engine, process, task_type))
