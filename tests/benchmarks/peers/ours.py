"""Ours: saga.kit with a validated step per task type; logging, metrics and the journal as `saga workers` has them.

Arguments: the gateway's address, the number of jobs in flight.
"""

import asyncio
import gc
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import SystemRandom

from saga.common.logs import configure_logging
from saga.kit import Receipt, Step, Variables
from saga.kit.definition.discovery import handlers
from saga.kit.execution.crash_guard import CrashGuard, Journal
from saga.kit.execution.wiring import create_worker
from saga.kit.gateway.connection import open_channel
from saga.kit.observability.log import Log
from saga.kit.observability.metrics import Metrics
from saga.kit.settings import EngineSettings, WorkerSettings
from tests.benchmarks.peers.control import obey, run


class Order(Variables):
    """The three variables of every peer's job."""

    order: str
    amount: int
    customer: str

    @property
    def saga_id(self) -> str:
        return self.order


class Done(Receipt):
    """Nothing, under the name that every peer leaves behind."""


def _step(task_type: str) -> Step:
    step = Step(task_type, undo=None)

    @step.do
    async def do(_order: Order) -> Done:
        return Done()

    return step


async def _main(address: str, in_flight: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal.open(Path(folder))
        await _serve(address, in_flight, journal)
        journal.close()


async def _serve(address: str, in_flight: int, journal: Journal) -> None:
    async with open_channel(EngineSettings().model_copy(update={"address": address})) as channel:

        @asynccontextmanager
        async def subscribe(task_types: Sequence[str]) -> AsyncIterator[None]:
            metrics = Metrics()
            worker = create_worker(
                channel,
                handlers([_step(each) for each in task_types]),
                {},
                WorkerSettings(window=in_flight, window_per_type=in_flight),
                SystemRandom(),
                middleware=[Log(), metrics],
                crash_guard=CrashGuard(3, journal),
            )
            metrics.watch(worker)
            gc.freeze()  # as `saga workers` does
            running = asyncio.create_task(worker.run())
            try:
                yield
            finally:
                worker.stop()
                await running

        await obey(subscribe)


if __name__ == "__main__":
    configure_logging("workers")
    run(_main(sys.argv[1], int(sys.argv[2])))
