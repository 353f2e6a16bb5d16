"""A step of which a test says when each run of it ends, and a worker that runs it against the scripted gateway."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random

import grpc

from saga.kit import Step
from saga.kit.definition.discovery import handlers
from saga.kit.execution.crash_guard import CrashGuard
from saga.kit.execution.middleware import JobOutcome, Middleware
from saga.kit.execution.timing import WorkerTiming
from saga.kit.execution.wiring import create_worker
from saga.kit.execution.worker import Worker
from saga.kit.settings import WorkerSettings
from saga.kit.subscription.poll_schedule import PollSchedule
from tests.kit.gateway import ScriptedGateway, serving
from tests.kit.task import Done, Task
from tests.world import eventually


class Seen(Middleware):
    """Keeps how each job ended."""

    def __init__(self) -> None:
        self.jobs: list[JobOutcome] = []

    def ended(self, ended: JobOutcome) -> None:
        self.jobs.append(ended)


QUICK = PollSchedule(start=0.0, wait=90.0, rest=0.0, probe=0.1)
"""As of a worker on one task type, but for the time after which a poll in vain says that the type is reachable."""


AT_ONCE = WorkerTiming(in_flight_wait=0.0)
"""A stopping worker waits for nothing that is on its way."""


class Bench:
    """A step of which a test says when each run of it ends."""

    def __init__(self, task_type: str = "work", *, limit: float = 60.0, extend_lease: bool = True) -> None:
        self.running = 0
        self.most_running = 0
        self.runs = 0
        self.go = asyncio.Event()
        self.step = Step(task_type, undo=None, limit=limit, extend_lease=extend_lease)

        @self.step.do
        async def work(task: Task) -> Done:
            self.runs += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
            try:
                await self.go.wait()
            finally:
                self.running -= 1
            if task.name == "bug":
                message = "4242424242424242"
                raise RuntimeError(message)
            return Done(name=task.name)


@asynccontextmanager
async def working(
    gateway: ScriptedGateway,
    step: Step,
    *middleware: Middleware,
    beside: Sequence[Step] = (),
    crash_guard: CrashGuard | None = None,
    channel: grpc.aio.Channel | None = None,
    schedule: PollSchedule | None = None,
    timing: WorkerTiming = AT_ONCE,
    **settings: object,
) -> AsyncIterator[Worker]:
    """Run a worker of `step` and those `beside` it; at the end it is stopped at once.

    Without a `channel` to the gateway, it is served here. It waits for nothing that is on its way, because no poll of
    this gateway ends when the worker stops: a test of what still arrives gives another `timing`.
    """
    async with AsyncExitStack() as opened:
        if channel is None:
            address = await opened.enter_async_context(serving(gateway))
            channel = await opened.enter_async_context(grpc.aio.insecure_channel(address))
        chosen = WorkerSettings.model_validate({"lease": 30.0, "drain": 5.0, **settings})
        random = Random(1)  # noqa: S311 - jitter
        served = handlers([step, *beside])
        worker = create_worker(
            channel,
            served,
            {},
            chosen,
            random,
            middleware=middleware,
            crash_guard=crash_guard,
            schedule=schedule,
            timing=timing,
        )
        running = asyncio.create_task(worker.run())
        try:
            yield worker
        finally:
            worker.stop()
            worker.stop()
            await running


async def until(condition: Callable[[], bool]) -> None:
    async def look() -> bool:
        return condition()

    await eventually(look, bool, seconds=20, every=0.005)


async def over(seconds: float) -> None:
    """Return when so much of a lease is gone: nothing else tells that."""
    begun = time.monotonic()
    await until(lambda: time.monotonic() - begun > seconds)
