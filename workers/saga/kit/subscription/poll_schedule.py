"""How often the idle task types of one worker poll: the more types there are, the less often each polls."""

from dataclasses import dataclass

_LONGEST = 90.0
"""Seconds that a poll waits at the broker at most; its response shows that its type is reachable."""
_AT_ONCE = 64
"""Polls of one worker that wait at the same time, about.

Every ten seconds the gateway asks the broker again for all polls that wait (longPolling.probeTimeout). Of hundreds in
one moment the broker refuses most, and each refusal is a poll in vain.
"""
_APART = 0.4
"""Seconds between two polls of one worker, about, at least: a call costs an idle process a millisecond of CPU."""


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """The times of one type's polls in seconds; all but `probe` are shortened by jitter, different for each type."""

    start: float
    """Until the first poll."""
    wait: float
    """How long an idle poll waits at the broker."""
    rest: float
    """Between two idle polls; the stream stays open meanwhile."""
    probe: float = 1.0
    """How long a poll waits at the start and after a failure, to find out soon whether the type is reachable.

    It also applies while nothing is streamed: a poll without jobs shows that polling is not needed any more.
    """

    @classmethod
    def of(cls, types: int) -> "PollSchedule":
        """Return the schedule of a worker for `types` task types: up to 64 of them poll all the time."""
        wait = _LONGEST * min(1.0, _AT_ONCE / types)
        return cls(start=max(0.0, types / _AT_ONCE - 1.0), wait=wait, rest=max(_LONGEST, types * _APART) - wait)
