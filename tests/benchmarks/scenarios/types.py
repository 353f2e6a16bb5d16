"""What a job costs the engine while workers wait for the jobs of many types."""

from tests.benchmarks import lineup
from tests.benchmarks.bars import TYPES_COST
from tests.benchmarks.bench import Bench
from tests.benchmarks.work import drained

_TYPES = 500
_SECONDS = 60.0


async def types(bench: Bench) -> None:
    """Have the bare stubs do the jobs of one type, in turn alone and beside a worker that waits for 500 others."""
    for repetition in range(-1, bench.plan.repetitions):
        alone = await _cost(bench)
        others = (f"waited-for-{each}" for each in range(_TYPES))
        async with bench.running(lineup.OURS) as waiting, waiting.working(*others):
            beside = await _cost(bench)
        # The first round warms up.
        if repetition >= 0:
            bench.samples.figure("engine: CPU with few task types", "ms a job", alone)
            bench.samples.figure(f"engine: CPU with {_TYPES} task types", "ms a job", beside)
            bench.samples.ratio(TYPES_COST, beside / alone)


async def _cost(bench: Bench) -> float:
    """Return the engine's CPU for a job in milliseconds."""
    task_type, jobs = "one-of-many", bench.plan.drained
    peer = await bench.process(lineup.RAW)
    done = await bench.engine.jobs("completed", task_type)
    await bench.load.create(task_type, jobs)
    await bench.engine.quiet()
    _, cost = await drained(bench.engine, peer, task_type, before=done, jobs=jobs, seconds=_SECONDS)
    return cost
