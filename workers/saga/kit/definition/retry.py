"""When to try again: exponential backoff with jitter, as a pure function of how many tries are left."""

from dataclasses import dataclass
from random import Random

from saga.common.backoff import exponential_delay

_RISING = 64
"""Waits after which none is longer than the one before: so many doublings take any base past any cap."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a step is tried, and how long it waits in between.

    `retries` repeats the diagram's task definition (a test compares the two): the engine counts down from it, so
    the retries that are left give the number of the attempt.
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
    """The random share of each wait, from 0 to 1."""

    def backoff(self, retries_left: int, random: Random) -> float:
        """Return the seconds to wait after a try that had `retries_left` (itself included)."""
        return self._delay(max(0, self.retries - retries_left)) * (1.0 - self.jitter * random.random())

    @property
    def span(self) -> float:
        """Seconds that all waits between the tries take together, on average."""
        waits = self.retries - 1
        rising = sum(map(self._delay, range(min(waits, _RISING))))
        return (rising + max(0, waits - _RISING) * self._delay(_RISING)) * (1.0 - self.jitter / 2)

    def __str__(self) -> str:
        """Describe the policy for people."""
        tries = "1 try" if self.retries == 1 else f"{self.retries} tries"
        return f"{tries} with waits of about {_in_words(self.span)} in all"

    def _delay(self, attempt: int) -> float:
        return exponential_delay(attempt, base=self.base, cap=self.cap, factor=self.factor)


def _in_words(seconds: float) -> str:
    for unit, length in (("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} seconds"


DO = Retry()
"""A do is retried for about a minute and a half, longer than a participant's restart; then a person has to look."""

UNDO = Retry(retries=25, base=1.0, cap=300.0)
"""An undo is retried for about an hour: nothing else can undo the effect."""
