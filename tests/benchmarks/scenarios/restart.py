"""How soon after a crash of the broker jobs are done again."""

import asyncio
import math
import time

from tests.benchmarks import lineup
from tests.benchmarks.bars import RESTART
from tests.benchmarks.bench import Bench
from tests.benchmarks.engine import Engine

_TYPE = "restart"
_EVERY = 0.05
"""Seconds between two instances of the light load."""
_LOOK = 0.02
_SPACING = 16.0
"""Seconds from kill to kill at least: the supervisor gives up a part that dies five times within a minute."""


async def restart(bench: Bench) -> None:
    """Kill the broker under light load; take the time from the moment it is ready to the first completed job."""
    async with bench.running(lineup.OURS) as ours, ours.working(_TYPE), bench.load.trickle(_TYPE, _EVERY):
        killed = -math.inf
        for _ in range(bench.plan.repetitions):
            await _first_job(bench.engine)
            await asyncio.sleep(killed + _SPACING - time.monotonic())
            killed = time.monotonic()
            bench.engine.kill()
            await bench.engine.gone()
            await bench.engine.ready()
            ready = time.monotonic()
            await _first_job(bench.engine)
            bench.samples.ratio(RESTART, time.monotonic() - ready)
            bench.samples.figure("broker away", "s", ready - killed)


async def _first_job(engine: Engine) -> None:
    # The broker counts from its start.
    while await engine.jobs("completed", _TYPE) == 0:  # noqa: ASYNC110 - it is another process that does them
        await asyncio.sleep(_LOOK)
