"""Timers that fire."""

from typing import Any

from .. import events, lifecycle, timers
from ..creation import create
from ..records import NONE_KEY, Command, not_found
from ..work import Work
from .registry import handles


@handles("TIMER", "TRIGGER")
def trigger(work: Work, command: Command) -> dict[str, Any]:
    """Let an event happen whose time has come, and start its timer again where it is a cycle."""
    timer = work.state.tables.timers.get(command.key)
    if timer is None:
        message = f"Expected to trigger a timer with key '{command.key}', but no such timer was found"
        raise not_found(message)
    value = timers.value(work, timer)
    work.event("TIMER", "TRIGGERED", command.key, value)
    if timer.element == NONE_KEY:
        timers.repeat(work, timer, value)
        lifecycle.activate(work, create(work, timer.definition, "{}", start_event=timer.event))
        return {}
    owner = work.state.tables.elements[timer.element]
    event = work.model(owner.definition).elements[timer.event]
    if not event.interrupting:
        timers.repeat(work, timer, value)
    events.trigger(work, owner, event, "{}")
    return {}
