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
    tables = state.tables
    if record.source in tables.pending:
        finished: Pending = state.drop(tables.pending, record.source)
        state.count_token(finished.intent, finished.value, -1)
    if record.record_type == EVENT:
        if record.key > tables.last_key:
            state.change(tables, "last_key", record.key)
        applier = _APPLIERS.get((record.value_type, record.intent))
        if applier is not None:
            applier(state, record)
    elif record.record_type == COMMAND and record.source != -1:
        pending = Pending(record.position, record.timestamp, record.intent, record.key, record.value)
        state.put(tables.pending, record.position, pending)
        state.count_token(record.intent, record.value, 1)
        for flow in record.value.get("joined", ()):
            state.leave_join(record.value["flowScopeKey"], flow)
