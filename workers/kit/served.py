"""One task type of a worker: how its jobs come, and how they are run."""

from dataclasses import dataclass

from workers.kit.handler import Handler
from workers.kit.intake import Intake
from workers.kit.runner import Runner
from workers.kit.window import Window


@dataclass(frozen=True, slots=True)
class Served:
    """What a worker has for one task type."""

    handler: Handler
    """Says what to run."""
    runner: Runner
    """Runs it."""
    window: Window
    """The slots for its jobs."""
    intake: Intake
    """Brings them."""
