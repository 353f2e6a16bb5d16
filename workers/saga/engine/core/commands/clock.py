"""The engine's clock, set by hand."""

from typing import Any

from ..records import Command, invalid
from ..times import FAR
from ..work import Work
from .registry import handles


@handles("CLOCK", "PIN")
def pin(work: Work, command: Command) -> dict[str, Any]:
    """Let the clock stand at a time in milliseconds since 1970."""
    time = command.value["time"]
    if time < 0:
        message = f"Expected pin time to be not negative but it was {time}"
        raise invalid(message)
    if time > FAR:
        message = f"Expected pin time to be at most {FAR}, the end of the year 9999, but it was {time}"
        raise invalid(message)
    work.event("CLOCK", "PINNED", work.key(), {"time": time})
    return {}


@handles("CLOCK", "RESET")
def reset(work: Work, command: Command) -> dict[str, Any]:
    """Let the clock run again with the machine's."""
    del command
    work.event("CLOCK", "RESETTED", work.key(), {"time": -1})
    return {}
