"""When to try again: exponential backoff with jitter, as a pure function of how many tries are left."""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried, and how long the engine waits in between.

    `retries` repeats what the diagram's task definition says (a test holds the two together): the engine
    counts down from it, so the number of the attempt can be told from what is left.
    Jitter is "equal" by default: half of the delay is certain, half is random, so that jobs which failed together
    do not come back together (AWS Architecture Blog, "Exponential Backoff And Jitter").
    """

    retries: int = 10
    """Tries in all."""
    base: float = 0.5
    """Seconds before the second try."""
    factor: float = 2.0
    cap: float = 30.0
    """Seconds; no wait is longer."""
    jitter: float = 0.5
    """Which share of each wait is left to chance, from 0 to 1."""

    def backoff(self, retries_left: int, random: Random) -> float:
        """Return the seconds to wait after a try that had `retries_left` (itself included)."""
        attempt = max(0, self.retries - retries_left)
        # Beyond 64 doublings any base is past any cap; the bound keeps the power finite.
        delay = min(self.cap, self.base * self.factor ** min(attempt, 64))
        return delay * (1.0 - self.jitter * random.random())


DO = Retry()
"""A do goes on for about a minute and a half, longer than a restart of its participant takes; then a person looks."""

UNDO = Retry(retries=25, base=1.0, cap=300.0)
"""An undo goes on for about an hour and a half: nothing else can put the world right."""
