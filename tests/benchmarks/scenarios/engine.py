"""The engine itself: how fast our runtime drains it, against a gRPC server that does nothing but answer."""

import asyncio
import time

from tests.benchmarks import lineup
from tests.benchmarks.bars import ECHO_COST, ECHO_RATE
from tests.benchmarks.bench import Bench
from tests.benchmarks.floor import echoing
from tests.benchmarks.start import started
from tests.benchmarks.work import Work, drained

_STARTS = 5
_LOOK = 0.1
"""Seconds between two looks at the jobs that are done: what looking costs the engine must not count."""
_SECONDS = 30.0
"""For one drain."""


async def engine(bench: Bench) -> None:
    """Measure drain and echo in turn, then how long an engine takes to answer after it was started."""
    for repetition in range(-1, bench.plan.repetitions):
        rate, cost = await _echo(bench.plan.echoed, bench.plan.in_flight)
        drained, engine_cost = await _drain(bench, f"engine-{repetition}")
        # The first round warms up.
        if repetition >= 0:
            bench.samples.figure("echo: answers", "1/s", rate)
            bench.samples.figure("echo: server's CPU", "ms a call", cost)
            bench.samples.figure("engine: jobs drained by our runtime", "1/s", drained.rate)
            bench.samples.figure("engine: CPU", "ms a job", engine_cost)
            bench.ratio(ECHO_RATE, drained.rate / rate)
            bench.ratio(ECHO_COST, engine_cost / cost)
    for _ in range(_STARTS):
        async with started("--memory") as begun:
            bench.samples.figure("engine: from exec to Topology", "s", begun.seconds)
            bench.samples.figure("engine: memory at start", "MB", begun.memory())


async def _drain(bench: Bench, task_type: str) -> tuple[Work, float]:
    jobs = bench.plan.echoed
    await bench.load.create(task_type, jobs)
    await bench.engine.quiet()
    async with bench.running(lineup.OURS) as peer:
        return await drained(bench.engine, peer, task_type, before=0, jobs=jobs, seconds=_SECONDS, look=_LOOK)


async def _echo(calls: int, in_flight: int) -> tuple[float, float]:
    """Return the calls answered in a second, and the server's CPU in milliseconds a call."""
    async with echoing() as echo:
        slots = asyncio.Semaphore(in_flight)

        async def call(key: int) -> None:
            async with slots:
                await echo.call(key)

        used, started = echo.cpu(), time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for key in range(calls):
                tasks.create_task(call(key))
        seconds = time.perf_counter() - started
        return calls / seconds, 1000 * (echo.cpu() - used) / calls
