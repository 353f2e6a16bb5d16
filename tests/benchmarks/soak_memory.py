"""Whether a process's memory is flat: its resident size over each of its lives, and the slope of the longest one."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from saga.stack.state import ProcessId

METHOD = "Theil-Sen slope of the resident size over the longest life of the process, without its first quarter"
LIMIT = 2.0
"""MB per hour."""
JUDGED_FROM = 1700.0
"""Seconds that the slope is taken over at least, a little less than the engine lives undisturbed of an hour; over a few
minutes the allocator's steps are all that it shows."""
_WARM_UP = 0.25
"""The share of a life that does not count: buffers and pools reach their size at the first outages."""


@dataclass(slots=True)
class Life:
    """One process, from its start to its end."""

    process: ProcessId
    samples: list[tuple[float, float]] = field(default_factory=list)
    """Seconds since the beginning of the run, and resident MB."""

    @property
    def seconds(self) -> float:
        """How long it was looked at."""
        return self.samples[-1][0] - self.samples[0][0]

    @property
    def settled(self) -> list[tuple[float, float]]:
        """The samples after the warm-up."""
        begin = self.samples[0][0] + _WARM_UP * self.seconds
        return [sample for sample in self.samples if sample[0] >= begin]

    @property
    def by_minute(self) -> list[float]:
        """The median of each minute in MB: whether it rose in steps, and with what."""
        minutes = itertools.groupby(self.samples, key=lambda sample: sample[0] // 60)
        return [median(megabytes for _, megabytes in samples) for _, samples in minutes]

    @property
    def slope(self) -> float:
        """MB per hour: half of all pairs of settled samples rise faster, half slower; single peaks do not count."""
        return slope(self.settled) * 3600

    @property
    def judged_seconds(self) -> float:
        """How long the settled part is."""
        return self.settled[-1][0] - self.settled[0][0]


class Lives:
    """The lives of one part of the stack."""

    def __init__(self) -> None:
        self.all: list[Life] = []

    def note(self, process: ProcessId, seconds: float, megabytes: float) -> None:
        """Add a sample; a process that was not seen before begins a new life."""
        if not self.all or self.all[-1].process != process:
            self.all.append(Life(process))
        self.all[-1].samples.append((seconds, megabytes))

    @property
    def longest(self) -> Life:
        """The one that was looked at for the longest time."""
        return max(self.all, key=lambda life: life.seconds)


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Return the Theil-Sen slope: the median over all pairs; 0 for a single sample."""
    pairs = itertools.combinations(samples, 2)
    return median([(later[1] - earlier[1]) / (later[0] - earlier[0]) for earlier, later in pairs] or [0.0])


def violations(part: str, lives: Lives) -> list[str]:
    """Say whether a part's memory grows; nothing where it is flat, or the longest life is too short to tell."""
    life = lives.longest
    if life.judged_seconds < JUDGED_FROM or life.slope <= LIMIT:
        return []
    return [f"the memory of {part} grows by {life.slope:.1f} MB per hour; {LIMIT:g} are allowed"]
