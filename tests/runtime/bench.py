"""A process of a test's own on the embedded engine, the step that its tasks run, and a worker for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from saga.kit import Declined, Job, Receipt, Retry, Step, Unavailable, Variables
from saga.kit.definition.discovery import handlers
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.middleware import Middleware
from saga.kit.execution.wiring import create_worker
from saga.kit.execution.worker import Worker
from saga.kit.gateway.connection import open_channel
from saga.kit.settings import EngineSettings, WorkerSettings
from tests.kit.bench import Seen, until
from tests.runtime.broker import Broker

REFUSED = "REFUSED"
"""The error that every task of a test's process catches."""


class Task(Variables):
    name: str
    refused: bool = False
    unavailable: int = 0
    """How many runs of the job end as `Unavailable` before one is done."""

    @property
    def saga_id(self) -> str:
        return self.name


class Done(Receipt):
    name: str
    run: int


class Bench:
    """One process with one task; what it saw of its jobs is kept by their keys."""

    def __init__(self, broker: Broker, name: str, backoff: float = 2.0, retries: int = 3) -> None:
        self.broker = broker
        self.name = name
        self.task_type = f"{name}-work"
        self.seconds = 0.0
        """How long one run takes."""
        self.gate = asyncio.Event()
        """Every run waits for it; open unless a test closes it."""
        self.gate.set()
        self.runs: Counter[int] = Counter()
        self.running: Counter[int] = Counter()
        self.most_running = 0
        self.beside_itself = 0
        """How often a job was begun while an earlier run of it went on."""
        self.seen = Seen()
        retry = Retry(retries=retries, base=backoff, cap=backoff)
        self.step = Step(self.task_type, undo=None, refuses={REFUSED}, retry=retry)

        @self.step.do
        async def work(task: Task, job: Job) -> Done:
            self.runs[job.key] += 1
            self.beside_itself += self.running[job.key]
            self.running[job.key] += 1
            self.most_running = max(self.most_running, self.running.total())
            try:
                await asyncio.sleep(self.seconds)
                await self.gate.wait()
            finally:
                self.running[job.key] -= 1
            if task.refused:
                raise Declined(REFUSED, "as asked for")
            if self.runs[job.key] <= task.unavailable:
                message = "as asked for"
                raise Unavailable(message)
            return Done(name=task.name, run=self.runs[job.key])

    @property
    def doubts(self) -> Counter[Doubt]:
        """In how many answers the worker was in doubt, and why."""
        return Counter(ended.doubt for ended in self.seen.jobs if ended.doubt is not None)

    async def create(self, count: int, **variables: object) -> list[int]:
        """Create instances, many at once; return their keys."""
        slots = asyncio.Semaphore(32)

        async def one() -> int:
            async with slots:
                return await self.broker.create(self.name, {"name": self.name, **variables})

        return await asyncio.gather(*(one() for _ in range(count)))

    async def results(self, count: int, **variables: object) -> list[dict[str, Any]]:
        """Create instances and return the variables with which each ended."""
        return await asyncio.gather(*(self.result(**variables) for _ in range(count)))

    async def result(self, **variables: object) -> dict[str, Any]:
        return await self.broker.result(self.name, {"name": self.name, **variables})


@asynccontextmanager
async def working(engine: EngineSettings, *steps: Step, seen: Middleware, **settings: object) -> AsyncIterator[Worker]:
    """Run a worker that is ready; at the end it is stopped at once."""
    chosen = WorkerSettings.model_validate({"lease": 10.0, "drain": 5.0, **settings})
    async with open_channel(engine) as channel:
        worker = create_worker(channel, handlers(list(steps)), {}, chosen, Random(1), middleware=[seen])  # noqa: S311 - jitter
        running = asyncio.create_task(worker.run())
        try:
            await until(lambda: worker.ready)
            yield worker
        finally:
            worker.stop()
            worker.stop()
            await running
