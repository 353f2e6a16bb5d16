"""Cursors: the position of an item in an order, as an opaque text."""

import base64
import binascii
from typing import Any

import msgspec

from .encoding import encode
from .kinds import parse_text
from .problems import invalid_argument


class _Cursor(msgspec.Struct, array_like=True):
    order: list[str]
    values: list[int | str | None]


def write(order: list[str], values: list[Any]) -> str:
    """Return the cursor of an item: the names that it was sorted by, and its values of them."""
    return base64.urlsafe_b64encode(encode(_Cursor(order, values))).decode().rstrip("=")


def read(value: Any, order: list[str], name: str) -> list[Any]:  # noqa: ANN401 - whatever JSON holds
    """Return the values of a cursor.

    Raises:
        Problem: It is no cursor, or one of a search with another order.
    """
    text = parse_text(value, f"page.{name}")
    try:
        cursor = msgspec.json.decode(
            base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True), type=_Cursor
        )
    except (ValueError, binascii.Error, msgspec.DecodeError):
        cursor = None
    if cursor is None or cursor.order != order or len(cursor.values) != len(order) or not _storable(cursor.values):
        message = f"The cursor in page.{name} is not one of this search: '{text[:100]}'"
        raise invalid_argument(message)
    return cursor.values


def _storable(values: list[int | str | None]) -> bool:
    """Tell whether SQLite takes all of the values."""
    return all(not isinstance(value, int) or -(1 << 63) <= value < 1 << 63 for value in values)
