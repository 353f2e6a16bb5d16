"""Jobs per second and CPU per job of every peer: draining a backlog, and under steady load."""

import asyncio
from collections.abc import Mapping

from tests.benchmarks import bars, lineup
from tests.benchmarks.bars import DRAIN, STEADY
from tests.benchmarks.bench import Bench
from tests.benchmarks.work import Work, during, until_done

_SETTLE = 1.5
"""Seconds after which a load counts as steady."""


async def throughput(bench: Bench) -> None:
    """Measure all peers in turn, again and again, so that the machine's noise hits all alike."""
    names = tuple(bench.peers)
    for repetition in range(-1, bench.plan.repetitions):
        first = repetition % len(names)
        turns = (*names[first:], *names[:first])
        for load, measure in ((DRAIN, drain), (STEADY, steady)):
            done = {name: await measure(bench, name, f"{load}-{name}-{repetition}".replace(" ", "-")) for name in turns}
            # The first round warms up.
            if repetition >= 0:
                _record(bench, load, done)
    for name in names:
        peer = await bench.process(name)
        bench.samples.figure(f"memory: {name}", "MB", peer.memory() / 1e6)


async def drain(bench: Bench, name: str, task_type: str) -> Work:
    """Let a worker that was just started find a backlog, as after a deployment or an outage."""
    await bench.load.create(task_type, bench.plan.jobs)
    await bench.engine.quiet()
    async with bench.running(name) as peer, peer.working(task_type):
        return await until_done(
            bench.engine, peer, task_type, before=0, jobs=bench.plan.jobs, seconds=bench.plan.seconds
        )


async def steady(bench: Bench, name: str, task_type: str) -> Work:
    """Give a worker that has been running since the first round a new job for each that it has done, for a while."""
    peer = await bench.process(name)
    await bench.engine.quiet()
    async with peer.working(task_type), bench.load.steady(task_type, bench.plan.in_flight):
        await asyncio.sleep(_SETTLE)
        return await during(bench.engine, peer, task_type, bench.plan.steady_seconds)


def _record(bench: Bench, load: str, done: Mapping[str, Work]) -> None:
    for name, work in done.items():
        bench.samples.figure(f"{load}: {name}", "jobs/s", work.rate)
        bench.samples.figure(f"{load}: {name}", "ms of CPU per job", work.cost)
    ours, raw = done[lineup.OURS], done[lineup.RAW]
    bench.ratio(bars.throughput(load, bars.RAW), ours.rate / raw.rate)
    bench.ratio(bars.cost(load, bars.RAW), ours.cost / raw.cost)
    others = [name for name in (lineup.NODE, lineup.JAVA) if name in done]
    for other in (*others, lineup.PLAIN):
        rate = done[other].rate
        bench.ratio(bars.throughput(load, other), ours.rate / rate, ceiling=raw.rate / rate)
    for other in others:
        cost = done[other].cost
        bench.ratio(bars.cost(load, other), ours.cost / cost, ceiling=raw.cost / cost)
