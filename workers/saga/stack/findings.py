"""What `saga doctor` says of one thing that it looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    detail: str
    """What was found, and what to do where that is not enough."""
    ok: bool = True
