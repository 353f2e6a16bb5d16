"""Says the same thing no more than once a minute, however often it happens."""

import time
from collections.abc import Hashable

_APART = 60.0
"""Seconds between two lines about the same subject."""
_MOST = 1_000
"""Subjects that are remembered; with more, all are forgotten, which costs a few lines."""


class OncePerMinute:
    """Remembers what was said, and when."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said: dict[Hashable, float] = {}

    def __call__(self, subject: Hashable) -> bool:
        """Tell whether `subject` is to be spoken of now; then it counts as said."""
        now = time.monotonic()
        if now < self._said.get(subject, now - _APART) + _APART:
            return False
        if len(self._said) >= _MOST:
            self._said.clear()
        self._said[subject] = now
        return True
