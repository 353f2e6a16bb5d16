"""How long an instance of three empty tasks takes from its creation to its result: ours against raw streaming."""

import statistics

from tests.benchmarks import lineup
from tests.benchmarks.bars import LATENCY_P50, LATENCY_P99
from tests.benchmarks.bench import Bench

_WARM_UP = 50
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
                each = {name: statistics.quantiles(times[name], n=100)[percentile - 1] for name in _BOTH}
                for name, seconds in each.items():
                    bench.samples.figure(f"latency p{percentile}: {name}", "ms", 1000 * seconds)
                bench.ratio(bar, each[lineup.OURS] / each[lineup.RAW])


async def _alternate(bench: Bench, instances: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in _BOTH}
    for _ in range(instances):
        for name in _BOTH:
            times[name].append(await bench.load.finish_one(_type(name)))
    return times


def _type(name: str) -> str:
    return f"latency-{name}"
