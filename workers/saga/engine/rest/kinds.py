"""Kinds of values: how each is read from a request, which operators filter it, and how it is shown."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .encoding import date, embedded, milliseconds
from .problems import bad_request, unreadable

_KEY = re.compile(r"-?[0-9]{1,19}")
_INDEX = re.compile(r"\[[0-9]+\]")
_SIGNED_64 = range(-(1 << 63), 1 << 63)
_SIGNED_32 = range(-(1 << 31), 1 << 31)

Parse = Callable[[Any, str], Any]
"""Reads a value; the second argument is the path of its property. Raises Problem."""

_SAME = frozenset({"$eq"})
_EQUAL = frozenset({"$eq", "$neq", "$exists", "$in", "$notIn"})
_ORDERED = frozenset({"$eq", "$neq", "$exists", "$in", "$gt", "$gte", "$lt", "$lte"})
_LIKE = _EQUAL | {"$like"}


@dataclass(frozen=True)
class Kind:
    """What a property holds."""

    parse: Parse
    show: Callable[[Any], Any]
    """From what SQL gives (never None) to JSON."""
    operators: frozenset[str] = frozenset()
    """What may filter it."""
    schema: dict[str, Any] = field(default_factory=dict)
    """Its JSON schema."""


def as_is(value: Any) -> Any:  # noqa: ANN401 - whatever SQL gives
    """Show a value as SQL gives it."""
    return value


def parse_text(value: Any, path: str) -> str:  # noqa: ANN401 - whatever JSON holds
    """Read a text."""
    if not isinstance(value, str):
        raise unreadable(path)
    return value


def parse_integer(value: Any, path: str, bounds: range = _SIGNED_64) -> int:  # noqa: ANN401 - whatever JSON holds
    """Read an integer, given as a number or as its digits."""
    if isinstance(value, str) and _KEY.fullmatch(value):
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value not in bounds:
        raise unreadable(path)
    return value


def parse_small(value: Any, path: str) -> int:  # noqa: ANN401 - whatever JSON holds
    """Read an integer of 32 bits."""
    return parse_integer(value, path, _SIGNED_32)


def parse_boolean(value: Any, path: str) -> bool:  # noqa: ANN401 - whatever JSON holds
    """Read true or false."""
    if not isinstance(value, bool):
        raise unreadable(path)
    return value


def parse_date(value: Any, path: str) -> int:  # noqa: ANN401 - whatever JSON holds
    """Read a date and time; milliseconds since 1970."""
    try:
        return milliseconds(parse_text(value, path))
    except (ValueError, OverflowError):
        raise unreadable(path) from None


def key_in_path(text: str, name: str) -> int:
    """Read the key in a request's path."""
    if not _KEY.fullmatch(text) or int(text) not in _SIGNED_64:
        message = f"Failed to convert '{name}' with value: '{text}'"
        raise bad_request(message)
    return int(text)


def one_of(*values: str) -> Kind:
    """Return the kind of an enum; any case is read, `values` are what is shown."""

    def parse(value: Any, path: str) -> str:  # noqa: ANN401 - whatever JSON holds
        text = parse_text(value, path)
        if text.upper() not in values:
            name = next(part for part in reversed(_INDEX.sub("", path).split(".")) if not part.startswith("$"))
            known = ", ".join(values)
            message = f"Unexpected value '{text}' for enum field '{name}'. Use any of the following values: [{known}]"
            raise bad_request(message)
        return text.upper()

    return Kind(parse, as_is, _LIKE, {"type": "string", "enum": list(values)})


KEY = Kind(parse_integer, str, _EQUAL, {"type": "string", "pattern": f"^{_KEY.pattern}$"})
TEXT = Kind(parse_text, as_is, _LIKE, {"type": "string"})
INTEGER = Kind(parse_integer, as_is, _ORDERED, {"type": "integer", "format": "int64"})
DATE = Kind(parse_date, date, _ORDERED, {"type": "string", "format": "date-time"})
BOOLEAN = Kind(parse_boolean, bool, _SAME, {"type": "boolean"})
JSON = Kind(parse_text, embedded)
