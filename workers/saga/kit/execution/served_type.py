"""One task type of a worker: how its jobs come, and how they are run."""

from dataclasses import dataclass

from saga.kit.definition.handler import Handler
from saga.kit.execution.runner import Runner
from saga.kit.subscription.job_subscription import JobSubscription
from saga.kit.subscription.window import Window


@dataclass(frozen=True, slots=True)
class ServedType:
    """What a worker has for one task type."""

    handler: Handler
    """Says what to run."""
    runner: Runner
    """Runs it."""
    window: Window
    """The slots for its jobs."""
    intake: JobSubscription
    """Brings them."""
