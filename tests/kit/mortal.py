"""A worker process whose step is killed by one kind of job, as by a fault in a native library or by the kernel.

`python -m tests.kit.mortal ADDRESS FOLDER`
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from random import Random

import grpc

from saga.kit import Step
from saga.kit.definition.discovery import handlers
from saga.kit.execution.crash_guard import CrashGuard, Journal
from saga.kit.execution.timing import WorkerTiming
from saga.kit.execution.wiring import create_worker
from saga.kit.settings import WorkerSettings
from tests.kit.task import Done, Task

step = Step("work", undo=None)


@step.do
async def work(task: Task) -> Done:
    await asyncio.sleep(0.2)  # Long enough for all that was pushed to run beside the one that kills.
    if task.name == "poison":
        os.kill(os.getpid(), signal.SIGKILL)
    return Done(name=task.name)


async def main(address: str, folder: Path) -> None:
    settings = WorkerSettings(drain=1.0)
    async with grpc.aio.insecure_channel(address) as channel:
        crash_guard = CrashGuard(settings.activations, Journal.open(folder))
        random = Random(1)  # noqa: S311 - jitter
        timing = WorkerTiming(in_flight_wait=0.0)
        worker = create_worker(channel, handlers([step]), {}, settings, random, crash_guard=crash_guard, timing=timing)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
