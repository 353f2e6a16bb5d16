"""How much of a long proof is done: all of it, or what fits into the seconds that `make proof ARGS=--ci` gives."""

import os
import time
from collections.abc import Iterator
from typing import TypeVar

SECONDS = "PROOF_SECONDS"
"""Names the environment variable that bounds a proof in time and not in number."""


_Amount = TypeVar("_Amount", int, str)


def bounded(all_of_it: _Amount, portion: _Amount) -> _Amount:
    """Return how much of a proof is done at once: a portion where the time is bounded."""
    return portion if SECONDS in os.environ else all_of_it


def portions(all_of_it: int, portion: int) -> Iterator[int]:
    """Yield portions of `all_of_it`; where the time is bounded, as many as begin in time, and one at least."""
    seconds = os.environ.get(SECONDS)
    if seconds is None:
        yield from (min(portion, all_of_it - done) for done in range(0, all_of_it, portion))
        return
    end = time.monotonic() + float(seconds)
    yield portion
    while time.monotonic() < end:
        yield portion
