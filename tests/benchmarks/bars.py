"""The bars: what the runtime must reach, as ratios of what was measured side by side in one run."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Sense(StrEnum):
    """On which side of the limit the median must be."""

    AT_LEAST = "≥"
    AT_MOST = "≤"


@dataclass(frozen=True, slots=True)
class Bar:
    """One limit."""

    name: str
    sense: Sense
    limit: float
    unit: str = ""
    """Of a limit that is an amount of its own and no ratio."""
    extra: str = ""
    """The peer that it is measured against, where a run may have to leave that peer out."""

    @property
    def wanted(self) -> str:
        """Say the limit."""
        return f"{self.sense} {self.limit:g} {self.unit}".rstrip()


DRAIN = "draining a backlog"
STEADY = "steady load"
LATENCY_P50 = "latency p50, against raw"
LATENCY_P99 = "latency p99, against raw"
THREE_TASKS_P50 = "three tasks in a row by raw streaming, p50"
THREE_TASKS_P99 = "three tasks in a row by raw streaming, p99, against a bare answer's and four fsyncs'"
RESTART = "first job after a restarted broker is ready"
IDLE_CPU = "500 idle task types, CPU"
IDLE_MEMORY = "500 idle task types, memory"
BACKLOG_COST = "cost per job at 100,000 waiting, against 1,000"
BACKLOG_ENGINE_COST = "CPU of the engine per job at 100,000 waiting, against 1,000"
TYPES_COST = "CPU of the engine per job beside 500 task types that are waited for, against none"
ECHO_RATE = "jobs/s, our runtime on the engine, against a bare gRPC echo"
ECHO_COST = "CPU of the engine per job, against that of the echo's server per call"
SEARCHES = "the slowest of five searches, p95, with very many instances alive"
INSTANCE_MEMORY = "memory of the engine for an instance that is alive"
RECOVERY = "start after a crash beyond that of an empty engine, against 0.3 s and 3 µs a record of the log"
ORDERS = "whole orders per second, against plain pyzeebe and httpx"


def throughput(load: str, other: str) -> str:
    """Name the bar of jobs per second under `load` against `other`."""
    return f"jobs/s, {load}, against {other}"


def cost(load: str, other: str) -> str:
    """Name the bar of CPU per job under `load` against `other`."""
    return f"CPU per job, {load}, against {other}"


RAW = "raw"
NODE = "Node"
JAVA = "Java"
PLAIN = "plain pyzeebe"

BARS = (
    *(Bar(throughput(load, RAW), Sense.AT_LEAST, 0.95) for load in (DRAIN, STEADY)),
    *(Bar(throughput(load, NODE), Sense.AT_LEAST, 1.5) for load in (DRAIN, STEADY)),
    *(Bar(throughput(load, JAVA), Sense.AT_LEAST, 1.5, extra=JAVA) for load in (DRAIN, STEADY)),
    *(Bar(throughput(load, PLAIN), Sense.AT_LEAST, 5.0) for load in (DRAIN, STEADY)),
    *(Bar(cost(load, RAW), Sense.AT_MOST, 1.5) for load in (DRAIN, STEADY)),
    *(Bar(cost(load, NODE), Sense.AT_MOST, 0.45) for load in (DRAIN, STEADY)),
    *(Bar(cost(load, JAVA), Sense.AT_MOST, 0.35, extra=JAVA) for load in (DRAIN, STEADY)),
    Bar(ECHO_RATE, Sense.AT_LEAST, 0.6),
    Bar(ECHO_COST, Sense.AT_MOST, 1.6),
    Bar(SEARCHES, Sense.AT_MOST, 20.0, "ms"),
    Bar(RECOVERY, Sense.AT_MOST, 1.0),
    Bar(INSTANCE_MEMORY, Sense.AT_MOST, 4.0, "KB"),
    Bar(LATENCY_P50, Sense.AT_MOST, 1.1),
    Bar(LATENCY_P99, Sense.AT_MOST, 1.25),
    Bar(THREE_TASKS_P50, Sense.AT_MOST, 7.0, "ms"),
    Bar(THREE_TASKS_P99, Sense.AT_MOST, 3.0),
    Bar(ORDERS, Sense.AT_LEAST, 2.0),
    Bar(RESTART, Sense.AT_MOST, 1.0, "s"),
    Bar(IDLE_CPU, Sense.AT_MOST, 1.0, "% of a core"),
    Bar(IDLE_MEMORY, Sense.AT_MOST, 100.0, "MB"),
    Bar(BACKLOG_COST, Sense.AT_MOST, 1.1),
    Bar(BACKLOG_ENGINE_COST, Sense.AT_MOST, 1.3),
    Bar(TYPES_COST, Sense.AT_MOST, 1.3),
)


@dataclass(frozen=True, slots=True)
class Spread:
    """What the repetitions gave."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, samples: Sequence[float]) -> "Spread":
        """Sum up samples, of which there is at least one."""
        return cls(min(samples), statistics.median(samples), max(samples))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bar and whether it holds."""

    bar: Bar
    ratio: Spread | None
    """None where nothing was measured: then it does not hold."""
    ceiling: Spread | None
    """The same ratio of the bare stubs; None for a bar that is not about what they can do as well."""
    left_out: bool = False
    """Whether its peer took no part in the run: then it is neither held nor missed."""

    @property
    def holds(self) -> bool:
        """Whether the median is on the right side of the limit."""
        if self.ratio is None:
            return False
        if self.bar.sense is Sense.AT_LEAST:
            return self.ratio.median >= self.bar.limit
        return self.ratio.median <= self.bar.limit

    @property
    def missed(self) -> bool:
        """Whether it fails the run."""
        return not (self.holds or self.left_out)

    def record(self) -> dict[str, object]:
        """Return the bar as latest.json has it."""
        return {
            "name": self.bar.name,
            "ratio": None if self.ratio is None else asdict(self.ratio),
            "sense": self.bar.sense.value,
            "limit": self.bar.limit,
            "unit": self.bar.unit,
            "holds": None if self.left_out else self.holds,
            "ceiling": None if self.ceiling is None else asdict(self.ceiling),
        }


class Samples:
    """What a run has measured so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.ratios: dict[str, list[float]] = defaultdict(list)
        """Of the bars, by name."""
        self.ceilings: dict[str, list[float]] = defaultdict(list)
        """What the bare stubs reach, by the bars' names."""
        self.figures: dict[tuple[str, str], list[float]] = defaultdict(list)
        """Absolute figures, by name and unit."""
        self.left_out: dict[str, str] = {}
        """The extra peers that took no part: the reason by name."""

    def ratio(self, bar: str, value: float) -> None:
        """Add a repetition's value of a bar."""
        self.ratios[bar].append(value)

    def ceiling(self, bar: str, value: float) -> None:
        """Add what a repetition's value of a bar would be if ours did as the bare stubs do: beyond it is the engine."""
        self.ceilings[bar].append(value)

    def figure(self, name: str, unit: str, value: float) -> None:
        """Add a repetition's absolute figure, for information."""
        self.figures[name, unit].append(value)


def judge(samples: Samples, bars: Sequence[Bar] = BARS) -> list[Verdict]:
    """Hold what was measured against every bar, in the bars' order."""
    return [
        Verdict(bar, _spread(samples.ratios, bar), _spread(samples.ceilings, bar), bar.extra in samples.left_out)
        for bar in bars
    ]


def _spread(measured: Mapping[str, Sequence[float]], bar: Bar) -> Spread | None:
    values = measured.get(bar.name)
    return Spread.of(values) if values else None
