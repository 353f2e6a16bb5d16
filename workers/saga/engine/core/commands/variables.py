"""Variables set from outside."""

from typing import Any

from ..records import Command, not_found
from ..variables import propagate, read_document, set_locals
from ..work import Work
from .registry import handles


@handles("VARIABLE_DOCUMENT", "UPDATE")
def update(work: Work, command: Command) -> dict[str, Any]:
    """Set variables of a scope: exactly there (LOCAL), or where each name is held (PROPAGATE)."""
    scope_key = command.value["scopeKey"]
    pairs = read_document(command.value["variables"])
    scope = work.state.tables.elements.get(scope_key)
    if scope is None or scope.state == "TERMINATING" or work.state.instance(scope_key).state == "TERMINATING":
        message = f"Expected to update variables for element with key '{scope_key}', but no such element was found"
        raise not_found(message)
    if command.value["updateSemantics"] == "LOCAL":
        set_locals(work, scope, pairs)
    else:
        propagate(work, scope, pairs)
    key = work.key()
    value = {name: command.value[name] for name in ("scopeKey", "updateSemantics", "variables")}
    work.event("VARIABLE_DOCUMENT", "UPDATED", key, value)
    return {"key": key}
