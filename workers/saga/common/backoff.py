"""Exponential backoff: how long to wait between tries, with jitter.

A loop that retries on an exception and gives up at some time uses `stamina.retry_context` instead.
"""

from collections.abc import Iterator
from random import Random, SystemRandom
from typing import Final, Self

EQUAL_JITTER: Final = (0.5, 1.0)
"""Half of each delay is certain, half is random (AWS Architecture Blog, "Exponential Backoff And Jitter")."""
NO_JITTER: Final = (1.0, 1.0)
_RISING = 64
"""Failures after which no delay is longer than the one before: so many doublings take any base past any cap."""


def exponential_delay(failures: int, *, base: float, cap: float, factor: float = 2.0) -> float:
    """Return the seconds to wait after `failures` earlier failures: `base` at first, never more than `cap`."""
    return min(cap, base * factor ** min(failures, _RISING))


class ExponentialBackoff(Iterator[float]):
    """Yields the seconds before each next try, without end: `base`, twice that, and so on up to `cap`."""

    def __init__(
        self, *, base: float, cap: float, jitter: tuple[float, float] = NO_JITTER, random: Random | None = None
    ) -> None:
        """Multiply each delay by a factor that `random` draws from the range `jitter`."""
        self._base = base
        self._cap = cap
        self._jitter = jitter
        self._random = random or SystemRandom()
        self.failures = 0
        """How many delays were given since the start or the last reset."""

    def __iter__(self) -> Self:
        """Return the backoff itself: a loop over it goes on where it stands."""
        return self

    def __next__(self) -> float:
        """Count one more failure and return the seconds to wait after it."""
        return self.next_delay()

    def next_delay(self, cap: float | None = None) -> float:
        """Do the same with another `cap`, this once."""
        delay = exponential_delay(self.failures, base=self._base, cap=self._cap if cap is None else cap)
        self.failures += 1
        return delay * self._random.uniform(*self._jitter)

    def reset(self) -> None:
        """Forget the failures: a try has succeeded."""
        self.failures = 0
