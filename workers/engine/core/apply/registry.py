"""Which function applies which record."""

from collections.abc import Callable

from ..entities import Pending
from ..records import COMMAND, EVENT, Record
from ..state import State

Applier = Callable[[State, Record], None]
_APPLIERS: dict[tuple[str, str], Applier] = {}


def applies(value_type: str, *intents: str) -> Callable[[Applier], Applier]:
    """Register a function for events of a value type."""

    def register(applier: Applier) -> Applier:
        for intent in intents:
            _APPLIERS[value_type, intent] = applier
        return applier

    return register


def apply(state: State, record: Record) -> None:
    """Change the state as a record says.

    A record that was caused by a follow-up command shows that this command is carried out. A follow-up command itself
    waits from here on, and its scope has a token more: so a scope never ends while something is on its way in it.
    """
    finish_pending(state, record.source)
    if record.record_type == EVENT:
        if record.key > state.tables.last_key:
            state.change(state.tables, "last_key", record.key)
        applier = _APPLIERS.get((record.value_type, record.intent))
        if applier is not None:
            applier(state, record)
    elif record.record_type == COMMAND and record.source != -1:
        pending = Pending(record.position, record.timestamp, record.intent, record.key, record.value)
        state.put(state.tables.pending, record.position, pending)
        if record.intent == "ACTIVATE_ELEMENT":
            scope = state.tables.elements[record.value["flowScopeKey"]]
            state.change(scope, "tokens", scope.tokens + 1)


def finish_pending(state: State, position: int) -> None:
    """Take a follow-up command off the list, if it is on it."""
    pending = state.drop(state.tables.pending, position) if position in state.tables.pending else None
    if pending is not None and pending.intent == "ACTIVATE_ELEMENT":
        scope = state.tables.elements.get(pending.value["flowScopeKey"])
        if scope is not None:
            state.change(scope, "tokens", scope.tokens - 1)
