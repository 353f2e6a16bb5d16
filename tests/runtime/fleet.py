"""A worker process of the runtime's tests, ended by a signal or by the job that kills it.

`python -m tests.runtime.fleet ADDRESS FOLDER TASK_TYPE…`, with the settings of a worker in its environment; it writes
`ready` once it is. The folder holds its journal.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import SystemRandom

from saga.common.logs import configure_logging
from saga.kit import Step
from saga.kit.definition.discovery import handlers
from saga.kit.execution.crash_guard import CrashGuard, Journal
from saga.kit.execution.wiring import create_worker
from saga.kit.gateway.connection import open_channel
from saga.kit.settings import EngineSettings, WorkerSettings
from tests.kit.bench import until
from tests.runtime.bench import Done, Task


def step(task_type: str) -> Step:
    made = Step(task_type, undo=None)

    @made.do
    async def work(task: Task) -> Done:
        await asyncio.sleep(0.2)
        if task.name == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        return Done(name=task.name, run=os.getpid())

    return made


async def main(address: str, folder: Path, task_types: list[str]) -> None:
    configure_logging("fleet")  # to standard error
    settings = WorkerSettings()
    async with open_channel(EngineSettings(ZEEBE_ADDRESS=address)) as channel:
        crash_guard = CrashGuard(settings.activations, Journal.open(folder))
        by_type = handlers([step(task_type) for task_type in task_types])
        worker = create_worker(channel, by_type, {}, settings, SystemRandom(), crash_guard=crash_guard)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        running = asyncio.create_task(worker.run())
        await until(lambda: worker.ready)
        print("ready", flush=True)  # noqa: T201 - to whoever started it
        await running


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
