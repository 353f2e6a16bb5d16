"""The soak's result: written down for programs, and shown to people."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import quantiles
from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.table import Table

from tests.benchmarks import soak_audit, soak_memory
from tests.benchmarks.orders.ledger import Entry
from tests.benchmarks.soak_faults import Faults
from tests.benchmarks.soak_memory import Life
from tests.benchmarks.soak_orders import Order, Stream

RESULT = Path(__file__).with_name("results") / "soak.json"


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Restart(_Part):
    """A part that was ended and came back."""

    part: str
    at_seconds: float
    ready_after_seconds: float
    starts: int
    """How many it took until it was ready."""


class Latency(_Part):
    """Seconds from when an order was due to its last effect; a broker that was away meanwhile counts."""

    p50: float
    p99: float
    longest: float

    @classmethod
    def of(cls, orders: Iterable[Order], found: dict[str, Entry]) -> Self:
        """Take the orders that had any effect."""
        last = ((order, found[order.order_id].last) for order in orders)
        times = [(end - order.due).total_seconds() for order, end in last if end is not None]
        percentiles = quantiles(times, n=100)
        return cls(p50=round(percentiles[49], 3), p99=round(percentiles[98], 3), longest=round(max(times), 3))


class Memory(_Part):
    """A process's resident size over one of its lives."""

    seconds: float
    first_mb: float
    last_mb: float
    slope_mb_per_hour: float
    mb_by_minute: list[float]

    @classmethod
    def of(cls, life: Life) -> Self:
        """Sum up a life."""
        settled = life.settled
        return cls(
            seconds=round(life.seconds),
            first_mb=round(settled[0][1], 1),
            last_mb=round(settled[-1][1], 1),
            slope_mb_per_hour=round(life.slope, 2),
            mb_by_minute=[round(each, 1) for each in life.by_minute],
        )


class Engine(_Part):
    """What the engine counted."""

    instances: int
    duplicates: int
    """Instances that found their order in another one's hands, after a creation without a reply."""
    jobs_timed_out: int
    """Leases that ended without an answer; each such job was given out again."""


class Result(_Part):
    """Everything that a soak has to tell."""

    date: str
    minutes: float
    per_second: float
    orders: dict[str, int]
    """By how they ended."""
    creations_refused: int
    creations_without_reply: int
    latency: Latency
    engine: Engine
    restarts: list[Restart]
    memory_method: str
    memory_limit_mb_per_hour: float
    memory_judged: bool
    memory: dict[str, list[Memory]]
    """By part, a process after the other."""
    disk_mb: dict[str, tuple[int, int]]
    """By part, at the beginning and at the end; nothing is ever deleted, for no retention is set."""
    violations: list[str]


def result(
    *,
    stream: Stream,
    faults: Faults,
    found: dict[str, Entry],
    engine: Engine,
    minutes: float,
    disk: dict[str, tuple[int, int]],
    violations: Sequence[str],
) -> Result:
    """Sum up a run."""
    longest = [lives.longest for lives in faults.lives.values()]
    return Result(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        minutes=minutes,
        per_second=stream.per_second,
        orders=dict(Counter(soak_audit.outcome(entry) for entry in found.values())),
        creations_refused=stream.refused,
        creations_without_reply=stream.ambiguous,
        latency=Latency.of(stream.orders, found),
        engine=engine,
        restarts=[
            Restart(
                part=each.part, at_seconds=round(each.at), ready_after_seconds=round(each.away, 1), starts=each.starts
            )
            for each in faults.restarts
        ],
        memory_method=soak_memory.METHOD,
        memory_limit_mb_per_hour=soak_memory.LIMIT,
        memory_judged=all(life.judged_seconds >= soak_memory.JUDGED_FROM for life in longest),
        memory={part: [Memory.of(life) for life in lives.all] for part, lives in faults.lives.items()},
        disk_mb=disk,
        violations=list(violations),
    )


def write(result: Result) -> None:
    """Replace the result of the soak before."""
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(result.model_dump_json(by_alias=True, indent=2) + "\n", encoding="utf-8")


def show(result: Result, console: Console) -> None:
    """Print a result."""
    table = Table.grid(padding=(0, 2))
    ends = ", ".join(f"{count} {outcome}" for outcome, count in sorted(result.orders.items()))
    table.add_row("Orders", f"{sum(result.orders.values())} at {result.per_second:g} per second: {ends}")
    latency = result.latency
    table.add_row("Latency", f"p50 {latency.p50:.2f} s, p99 {latency.p99:.2f} s, longest {latency.longest:.2f} s")
    for restart in result.restarts:
        at = f"at {restart.at_seconds / 60:.1f} min, ready after {restart.ready_after_seconds} s"
        table.add_row("Restarted", f"{restart.part} {at}")
    lost = f"{result.creations_without_reply} without a reply, {result.creations_refused} refused"
    table.add_row("Creations", f"{lost}; {result.engine.duplicates} orders came twice and had one effect")
    table.add_row("Leases", f"{result.engine.jobs_timed_out} jobs were given out again")
    for part, lives in result.memory.items():
        for life in lives:
            size = f"{life.first_mb:.1f} MB to {life.last_mb:.1f} MB in {life.seconds:.0f} s"
            table.add_row(part.capitalize(), f"{size}, {life.slope_mb_per_hour:+.2f} MB per hour")
    for part, (before, after) in result.disk_mb.items():
        table.add_row("Disk", f"{part}: {before} MB to {after} MB")
    table.add_row("Violations", "\n".join(result.violations) or "none")
    console.print(table)
