"""Records as Zeebe writes them: what happened, in the order in which it happened."""

from typing import Any

import msgspec

COMMAND = "COMMAND"
EVENT = "EVENT"
REJECTION = "COMMAND_REJECTION"

NONE_KEY = -1
"""Stands for a key that there is not, as in Zeebe."""


class Command(msgspec.Struct, frozen=True, gc=False):
    """What somebody asks the engine to do."""

    value_type: str
    intent: str
    key: int = NONE_KEY
    """The entity that the command is about."""
    value: dict[str, Any] = {}


class Record(msgspec.Struct, array_like=True, gc=False):
    """One entry of the log."""

    position: int
    source: int
    """Position of the command that caused it; -1 for none."""
    key: int
    timestamp: int
    """Milliseconds since 1970, by the engine's clock."""
    record_type: str
    """COMMAND, EVENT or COMMAND_REJECTION."""
    value_type: str
    intent: str
    value: dict[str, Any]
    rejection_type: str = ""
    rejection_reason: str = ""


class Rejection(Exception):
    """A command that cannot be carried out; nothing of it took effect."""

    def __init__(self, code: str, reason: str, intent: str = "") -> None:
        """`code` is Zeebe's rejection type, such as NOT_FOUND; `intent` is filled in by the engine."""
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.intent = intent

    def __str__(self) -> str:
        """Say it as Zeebe does."""
        return f"Command '{self.intent}' rejected with code '{self.code}': {self.reason}"


class Fault(Exception):
    """A step of an element that cannot be carried out until a person has put something right: an incident."""

    def __init__(self, error_type: str, message: str, *, job: int = NONE_KEY) -> None:
        """`error_type` is Zeebe's, such as IO_MAPPING_ERROR; `job` is the key of the job that it is about."""
        super().__init__(error_type, message)
        self.error_type = error_type
        self.message = message
        self.job = job


class TooLarge(Fault):
    """A value that is larger than the engine keeps; the command that would create the instance is refused instead."""


def not_extracted(message: str) -> Fault:
    """Return the incident of a value that cannot be had, or is of the wrong type."""
    return Fault("EXTRACT_VALUE_ERROR", message)


def not_found(reason: str) -> Rejection:
    """Return the rejection of a command about something that is not there, or no longer."""
    return Rejection("NOT_FOUND", reason)


def invalid(reason: str) -> Rejection:
    """Return the rejection of a command that can never be right."""
    return Rejection("INVALID_ARGUMENT", reason)


def wrong_state(reason: str) -> Rejection:
    """Return the rejection of a command that is not possible now."""
    return Rejection("INVALID_STATE", reason)
