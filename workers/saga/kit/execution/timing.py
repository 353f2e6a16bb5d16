"""The times and bounds of a worker that no setting changes."""

from dataclasses import dataclass

from saga.kit.execution import admission, retry_backlog, watchdog
from saga.kit.subscription.timing import SubscriptionTiming


@dataclass(frozen=True, slots=True)
class WorkerTiming(SubscriptionTiming):
    """Every time is in seconds; the defaults are what a worker uses."""

    quarantine_timeout: float = admission.QUARANTINE_TIMEOUT
    """How long a quarantined job waits for another one before it is put off."""
    backlog_places: int = retry_backlog.PLACES
    """How many jobs of one task type wait for their next try at most."""
    watchdog_interval: float = watchdog.INTERVAL
    """Between two checks of the event loop."""
    blocked_after: float = watchdog.BLOCKED_AFTER
    """Without a turn of the event loop; then it counts as blocked."""
