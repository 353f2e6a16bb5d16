"""JSON, dates and keys as they go over the wire."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
"""Milliseconds of the years 1 and 9999, the first and the last that a date can say."""

encode = msgspec.json.encode

decode = msgspec.json.decode


def text_of(variables: dict[str, Any] | None) -> str:
    """Return variables as the JSON text that commands carry; `{}` for none."""
    return msgspec.json.encode(variables or {}).decode()


def embedded(text: str) -> msgspec.Raw:
    """Return JSON text as a value to be encoded as it is."""
    return msgspec.Raw(text.encode())


def date(milliseconds: int) -> str:
    """Return a time as text, such as `2024-05-23T23:05:00.000Z`; of one beyond what a date can say, the nearest."""
    milliseconds = max(_FIRST, min(milliseconds, _LAST))
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def milliseconds(text: str) -> int:
    """Return the time that a text gives, in milliseconds since 1970; UTC where it names no zone.

    Raises:
        ValueError: The text is no date and time of ISO 8601, or one out of bounds.
    """
    moment = datetime.fromisoformat(text)
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH) // timedelta(milliseconds=1)
