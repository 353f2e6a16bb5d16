"""FEEL's values: their types, texts, equality and order, and the way from and to JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from .numbers import from_float, number_text, to_variable
from .temporal import Date, DateTime, DayTimeDuration, Time, YearMonthDuration

MAX_DEPTH = 200
"""Levels of lists and contexts that are written as text or compared."""
MAX_LEVELS = 1000
"""Levels of lists and contexts in a variable and in a result."""


@dataclass(frozen=True, slots=True)
class Range:
    """An interval, as the range functions take it."""

    start: Any
    end: Any
    start_closed: bool
    end_closed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function that the expression defines."""

    parameters: tuple[str, ...]
    call: Callable[[Sequence[Any]], Any]
    """Evaluates its body with values for the parameters; it keeps the names that were visible there."""
    size: int
    """Steps that one invocation costs."""


class Budget(Protocol):
    """The steps that an evaluation may take."""

    def spend(self, steps: int) -> None:
        """Count steps."""


class TooLarge(ValueError):
    """A value is nested too deeply or has too many parts."""


_NAMES: dict[type, str] = {
    type(None): "NULL",
    bool: "BOOLEAN",
    Decimal: "NUMBER",
    str: "STRING",
    list: "ARRAY",
    dict: "OBJECT",
    Date: "DATE",
    Time: "TIME",
    DateTime: "DATE_TIME",
    DayTimeDuration: "DURATION",
    YearMonthDuration: "PERIOD",
    Range: "RANGE",
    Function: "FUNCTION",
}


def type_name(value: object) -> str:
    """Name the type as Zeebe's incidents do: NULL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT, DATE, ..."""
    return _NAMES[type(value)]


def from_json(value: object) -> Any:  # noqa: ANN401 - any FEEL value
    """Turn a value as json.loads gives it into a FEEL value.

    Raises:
        TooLarge: It is nested too deeply.

    """
    return _each(value, _leaf_from_json) if isinstance(value, list | dict) else _leaf_from_json(value)


def _leaf_from_json(value: object) -> object:
    kind = type(value)
    if kind is int:
        return Decimal(value)  # type: ignore[arg-type]  # mypy does not narrow by `kind`
    if kind is float:
        return from_float(value)  # type: ignore[arg-type]  # the same
    return value


def to_json(value: object) -> Any:  # noqa: ANN401 - any JSON value
    """Turn a FEEL value into what Zeebe stores as variable; functions and ranges become null."""
    return _each(value, _leaf_to_json) if isinstance(value, list | dict) else _leaf_to_json(value)


def _leaf_to_json(value: object) -> object:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if isinstance(value, Decimal):
        return to_variable(value)
    if isinstance(value, DateTime):
        return value.iso()
    return None if isinstance(value, Range | Function) else str(value)


def _each(value: list[Any] | dict[str, Any], turn: Callable[[object], object]) -> Any:  # noqa: ANN401 - any value
    """Turn what is inside lists and contexts, without recursion: there may be more levels than in Python's stack."""
    root: list[Any] = [None]
    todo: list[tuple[Any, Any, Any, int]] = [(value, root, 0, 0)]
    while todo:
        part, holder, place, depth = todo.pop()
        if depth > MAX_LEVELS:
            message = "a variable is nested too deeply"
            raise TooLarge(message)
        made: Any = [None] * len(part) if isinstance(part, list) else dict.fromkeys(part)
        holder[place] = made
        for key, item in enumerate(part) if isinstance(part, list) else part.items():
            if isinstance(item, list | dict):
                todo.append((item, made, key, depth + 1))
            else:
                made[key] = turn(item)
    return root[0]


def check_size(value: object, limit: int) -> None:
    """Refuse a value with more than `limit` parts or too many levels, before somebody walks through it.

    Raises:
        TooLarge: It is one.

    """
    todo = [(value, 0)]
    count = 0
    while todo:
        part, depth = todo.pop()
        if isinstance(part, list | dict):
            count += len(part) + 1
            if count > limit or depth > MAX_LEVELS:
                message = "the result is too large" if count > limit else "the result is nested too deeply"
                raise TooLarge(message)
            items = part.values() if isinstance(part, dict) else part
            todo.extend((item, depth + 1) for item in items if isinstance(item, list | dict))


def text_of(value: object, limit: int) -> str:
    """Write any value as FEEL does, strings in quotes.

    Raises:
        TooLarge: The text would be longer than about `limit` characters.

    """
    parts: list[str] = []
    _write(value, parts, [limit], 0)
    return "".join(parts)


def _write(value: object, parts: list[str], left: list[int], depth: int) -> None:
    if isinstance(value, list | dict):
        if depth > MAX_DEPTH:
            message = "a value is nested too deeply"
            raise TooLarge(message)
        opening, closing = "[]" if isinstance(value, list) else "{}"
        parts.append(opening)
        separator = ""
        items = value.items() if isinstance(value, dict) else ((None, item) for item in value)
        for key, item in items:
            parts.append(separator if key is None else f"{separator}{key}:")
            _write(item, parts, left, depth + 1)
            separator = ", "
        piece = closing
    else:
        piece = _scalar_text(value)
    parts.append(piece)
    left[0] -= len(piece) + 10  # so that a tree with shared parts ends soon, too
    if left[0] < 0:
        message = "a text is too long"
        raise TooLarge(message)


def _range_text(value: Range) -> str:
    opening, closing = "[" if value.start_closed else "(", "]" if value.end_closed else ")"
    return f"{opening}{_scalar_text(value.start)}..{_scalar_text(value.end)}{closing}"


_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _null: "null",
    bool: lambda value: "true" if value else "false",
    str: lambda value: f'"{value}"',
    Decimal: number_text,
    Function: lambda value: f"function({', '.join(value.parameters)})",
    Range: _range_text,
}


def _scalar_text(value: object) -> str:
    return _WRITERS.get(type(value), str)(value)


def equal(budget: Budget, left: Any, right: Any) -> bool | None:  # noqa: ANN401 - any FEEL value
    """Compare by `=`; None where the two cannot be compared."""
    kind = type(left)
    if kind is not type(right):
        return False if left is None or right is None else None
    if kind is list:
        budget.spend(len(left) + 8)
        return len(left) == len(right) and all(equal(budget, a, b) for a, b in zip(left, right, strict=True))
    if kind is dict:
        budget.spend(len(left) + 8)
        return left.keys() == right.keys() and all(equal(budget, value, right[key]) for key, value in left.items())
    mixed = (kind is DateTime or kind is Time) and (left.offset is None) != (right.offset is None)
    return None if mixed or kind is Function else bool(left == right)


def contains(budget: Budget, items: list[Any], value: object) -> bool:
    """Tell whether one item equals the value."""
    budget.spend(len(items) >> 1)
    return any(equal(budget, item, value) for item in items)


def compare(left: Any, right: Any) -> int | None:  # noqa: ANN401 - any FEEL value
    """Order two values: negative, 0 or positive; None where they have no order."""
    kind = type(left)
    if kind is not type(right):
        return None
    if kind is Decimal or kind is str:
        a, b = left, right
    elif kind is Date:
        a, b = left.day, right.day
    elif kind is DateTime or kind is Time:
        if (left.offset is None) != (right.offset is None):
            return None
        a, b = (left.instant(), right.instant()) if kind is DateTime else (left.microseconds(), right.microseconds())
    elif kind is DayTimeDuration:
        a, b = left.microseconds, right.microseconds
    elif kind is YearMonthDuration:
        a, b = left.months, right.months
    else:
        return None
    return int(a > b) - int(a < b)
