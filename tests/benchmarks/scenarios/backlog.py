"""What a job costs ours, the bare stubs and the engine, when few and when very many are waiting."""

from tests.benchmarks import lineup
from tests.benchmarks.bars import BACKLOG_COST, BACKLOG_ENGINE_COST
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import MANY
from tests.benchmarks.work import Work, drained

_AT_ONCE = 100
"""Jobs of one instance: that many are quickly made, and done like those of as many instances."""
_SECONDS = 60.0


async def backlog(bench: Bench) -> None:
    """Do some jobs of each backlog in turn and fill it up again, so that each time as many are waiting."""
    for repetition in range(-1, bench.plan.repetitions):
        for name in (lineup.OURS, lineup.RAW):
            done = {waiting: await _drain(bench, name, waiting) for waiting in bench.plan.waiting}
            # The first round warms up.
            if repetition >= 0:
                for waiting, (work, engine) in done.items():
                    bench.samples.figure(f"{waiting:,} jobs waiting: {name}", "ms of CPU per job", work.cost)
                    bench.samples.figure(f"{waiting:,} jobs waiting: {name}", "ms per job", 1000 / work.rate)
                    bench.samples.figure(f"{waiting:,} jobs waiting: the engine, {name}", "ms of CPU per job", engine)
                (most, engine_most), (least, engine_least) = done[max(done)], done[min(done)]
                bench.samples.ratio(BACKLOG_ENGINE_COST, engine_most / engine_least)
                ratio = most.cost / least.cost
                if name == lineup.OURS:
                    bench.samples.ratio(BACKLOG_COST, ratio)
                else:
                    bench.samples.ceiling(BACKLOG_COST, ratio)


async def _drain(bench: Bench, name: str, waiting: int) -> tuple[Work, float]:
    """Return the work, and the engine's CPU for a job of it in milliseconds."""
    task_type = f"backlog-{waiting}"
    peer = await bench.process(name)
    created = await bench.engine.jobs("created", task_type)
    before = await bench.engine.jobs("completed", task_type)
    instances = max(waiting - (created - before), 0) // _AT_ONCE
    await bench.load.create(task_type, instances, MANY, count=_AT_ONCE)
    await bench.engine.until_created(task_type, created + instances * _AT_ONCE)
    await bench.engine.quiet()
    jobs = bench.plan.drained
    return await drained(bench.engine, peer, task_type, before=before, jobs=jobs, seconds=_SECONDS)
