"""How long an instance of three empty tasks takes from its creation to its result: ours against raw streaming.

And raw streaming, which shows what the engine takes, against what nobody can be faster than: an answer, and the four
times that the disk has to have what came in.
"""

import asyncio
import statistics
from collections.abc import Sequence

from tests.benchmarks import lineup
from tests.benchmarks.bars import LATENCY_P50, LATENCY_P99, THREE_TASKS_P50, THREE_TASKS_P99
from tests.benchmarks.bench import Bench
from tests.benchmarks.floor import echoing, fsync

_WARM_UP = 50
_COMMITS = 4
"""That an instance waits for: its creation and three completions."""
_BOTH = (lineup.OURS, lineup.RAW)


async def latency(bench: Bench) -> None:
    """Start one instance at a time, for either peer in turn, so that the same moments are measured for both."""
    ours, raw = [await bench.process(name) for name in _BOTH]
    await bench.engine.quiet()
    async with ours.working(_type(lineup.OURS)), raw.working(_type(lineup.RAW)):
        await _alternate(bench, _WARM_UP)
        for _ in range(bench.plan.repetitions):
            times = await _alternate(bench, bench.plan.latency_instances)
            for percentile, bar in ((50, LATENCY_P50), (99, LATENCY_P99)):
                each = {name: _percentile(times[name], percentile) for name in _BOTH}
                for name, seconds in each.items():
                    bench.samples.figure(f"latency p{percentile}: {name}", "ms", 1000 * seconds)
                bench.ratio(bar, each[lineup.OURS] / each[lineup.RAW])
            bench.ratio(THREE_TASKS_P50, 1000 * _percentile(times[lineup.RAW], 50))
            bench.ratio(THREE_TASKS_P99, _percentile(times[lineup.RAW], 99) / await _floor(bench))


async def _floor(bench: Bench) -> float:
    """Return the seconds that a bare answer and the commits take, each at its 99th percentile."""
    times = range(bench.plan.latency_instances)
    async with echoing() as echo:
        answers = [await echo.call() for _ in times]
    syncs = await asyncio.to_thread(lambda: [fsync(bench.logs) for _ in times])
    for what, seconds in (("a bare answer", answers), ("fsync", syncs)):
        for percentile in (50, 99):
            bench.samples.figure(f"latency p{percentile}: {what}", "ms", 1000 * _percentile(seconds, percentile))
    return _percentile(answers, 99) + _COMMITS * _percentile(syncs, 99)


def _percentile(times: Sequence[float], percentile: int) -> float:
    return statistics.quantiles(times, n=100)[percentile - 1]


async def _alternate(bench: Bench, instances: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in _BOTH}
    for _ in range(instances):
        for name in _BOTH:
            times[name].append(await bench.load.finish_one(_type(name)))
    return times


def _type(name: str) -> str:
    return f"latency-{name}"
