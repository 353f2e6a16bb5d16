"""The times of a subscription that no setting changes."""

from dataclasses import dataclass

from saga.kit.gateway.backoff import MAX_BACKOFF


@dataclass(frozen=True, slots=True)
class SubscriptionTiming:
    """Every time is in seconds; the defaults are what a worker uses."""

    in_flight_wait: float = 0.5
    """How long a stopping worker waits for what is on its way: polls, and jobs that were pushed already."""
    max_backoff: float = MAX_BACKOFF
    """The longest pause between two tries to reach the broker."""
    stream_drain: float = 0.5
    """How long a stream that gives way to polls is read empty."""
    stream_quiet: float = 0.05
    """How long a stream has to bring nothing to count as read empty."""
    busy_limit: float = 60.0
    """How long a broker may refuse polls for being busy before it counts as unreachable."""
