"""What ours costs while there is nothing to do, with 51 and with 500 task types."""

import asyncio
import time
from contextlib import AsyncExitStack

from tests.benchmarks import lineup
from tests.benchmarks.bars import IDLE_CPU, IDLE_MEMORY
from tests.benchmarks.bench import Bench

_JUDGED = 500
_TYPES = (51, _JUDGED)


async def idle(bench: Bench) -> None:
    """Watch two new processes side by side: idle as they are, they do not disturb each other."""
    async with AsyncExitStack() as stack:
        processes = {}
        for count in _TYPES:
            process = await stack.enter_async_context(bench.running(lineup.OURS))
            await stack.enter_async_context(process.working(*(f"idle-{count}-{each}" for each in range(count))))
            processes[count] = process
        await asyncio.sleep(bench.plan.idle_settle)
        for _ in range(bench.plan.repetitions):
            before = {count: process.cpu() for count, process in processes.items()}
            started = time.monotonic()
            await asyncio.sleep(bench.plan.idle_seconds)
            seconds = time.monotonic() - started
            for count, process in processes.items():
                share = 100 * (process.cpu() - before[count]) / seconds
                memory = process.memory() / 1e6
                bench.samples.figure(f"idle with {count} task types", "% of a core", share)
                bench.samples.figure(f"idle with {count} task types", "MB", memory)
                if count == _JUDGED:
                    bench.samples.ratio(IDLE_CPU, share)
                    bench.samples.ratio(IDLE_MEMORY, memory)
