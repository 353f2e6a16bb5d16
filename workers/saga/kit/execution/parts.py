"""The parts of a worker; wiring.py connects them."""

from collections.abc import Callable
from dataclasses import dataclass

from saga.kit.definition.handler import Handler
from saga.kit.execution.active_job import ActiveJob
from saga.kit.execution.admission import Admission
from saga.kit.execution.crash_guard import CrashGuard
from saga.kit.execution.job_release import JobRelease
from saga.kit.execution.lease import Leases
from saga.kit.execution.middleware import JobOutcome
from saga.kit.execution.replies import JobReplies
from saga.kit.execution.retry_backlog import RetryBacklog
from saga.kit.execution.runner import Runner
from saga.kit.execution.threads import Threads
from saga.kit.execution.watchdog import Watchdog
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.settings import WorkerSettings
from saga.kit.subscription.job_subscription import JobSubscription
from saga.kit.subscription.window import Window


@dataclass(frozen=True, slots=True)
class ServedType:
    """What a worker has for one task type."""

    handler: Handler
    runner: Runner
    window: Window
    """The slots for its jobs."""
    subscription: JobSubscription


@dataclass(frozen=True, slots=True)
class WorkerParts:
    """What a worker is made of."""

    settings: WorkerSettings
    active: dict[int, ActiveJob]
    """The active jobs by key."""
    served: dict[str, ServedType]
    """By task type."""
    window: Window
    """The slots of the process, which all task types share."""
    channel_watch: ChannelWatch
    watchdog: Watchdog
    leases: Leases
    threads: Threads
    crash_guard: CrashGuard
    admission: Admission
    replies: JobReplies
    backlog: RetryBacklog
    releases: JobRelease
    report: Callable[[JobOutcome], None]
    """Reports a job's outcome to the middleware."""
