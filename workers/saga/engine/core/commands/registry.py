"""Which function carries out which command."""

from collections.abc import Callable
from typing import Any

from ..records import Command
from ..work import Work

Handler = Callable[[Work, Command], dict[str, Any]]
_HANDLERS: dict[tuple[str, str], Handler] = {}


def handles(value_type: str, *intents: str) -> Callable[[Handler], Handler]:
    """Register a function for commands; it returns the response or raises a `Rejection`."""

    def register(handler: Handler) -> Handler:
        for intent in intents:
            _HANDLERS[value_type, intent] = handler
        return handler

    return register


def handler_of(command: Command) -> Handler | None:
    """Return the function that carries out a command."""
    return _HANDLERS.get((command.value_type, command.intent))
