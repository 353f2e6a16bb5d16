"""How often the idle task types of one worker poll: as polls cost, the more types there are, the more rarely each."""

from dataclasses import dataclass

_LONGEST = 90.0
"""Seconds that a poll waits at the broker at most; then it has shown that its type is reachable."""
_AT_ONCE = 64
"""Polls of one worker that wait at once, about.

Every ten seconds the gateway asks the broker again for all polls that wait (longPolling.probeTimeout). Of hundreds in
one moment the broker refuses most, and each refusal is a poll that cost and found nothing.
"""
_APART = 0.4
"""Seconds between two polls of one worker, about, at least: a call costs an idle process a millisecond of CPU."""


@dataclass(frozen=True, slots=True)
class PollSchedule:
    """The times of one type's polls in seconds; all but `probe` are shortened by a jitter of the type's own."""

    begin: float
    """Until the first poll."""
    wait: float
    """That an idle poll waits at the broker."""
    rest: float
    """Between two of them; the stream is open all the while."""
    probe: float = 1.0
    """That a poll waits at the beginning and after a failure: whether the type is reachable is wanted soon.

    So long, too, where nothing is pushed: a poll in vain says that there is nothing to poll for.
    """

    @classmethod
    def of(cls, types: int) -> "PollSchedule":
        """Return the pace of a worker on `types` task types: up to 64 of them poll all the time."""
        wait = _LONGEST * min(1.0, _AT_ONCE / types)
        return cls(begin=max(0.0, types / _AT_ONCE - 1.0), wait=wait, rest=max(_LONGEST, types * _APART) - wait)
