"""How often a part of the stack is probed, when it counts as hung, and how often it is started again."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSettings:
    """Bounds on probes and restarts of one part; all times are in seconds."""

    watch_interval: float = 2.0
    """Between two probes of a part that has been ready."""
    answer_timeout: float = 5.0
    """For the answer to a probe."""
    degraded_after: float = 6.0
    """Without a good answer for so long, a part is shown as degraded."""
    hung_after: float = 60.0
    """Without any answer for so long, a part is killed and started again."""
    hangs: int = 3
    hang_window: float = 900.0
    """A part that hangs so often within the window is given up."""
    first_delay: float = 0.2
    max_delay: float = 5.0
    """Before the first restart, and the most that doubling leads to."""
    crashes: int = 5
    crash_window: float = 60.0
    """A part that crashes so often within the window is given up, or so often in a row before it was ready."""


DEFAULTS = SupervisorSettings()
