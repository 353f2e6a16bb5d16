"""From a filter to a condition in SQL."""

from collections.abc import Iterator
from typing import Any

from .columns import Column, Thing
from .encoding import encode
from .kinds import BOOLEAN, TEXT, Kind
from .problems import bad_request, invalid_argument, unreadable

MAX_CONDITIONS = 200
"""Conditions of one object in a filter; SQLite bounds how deep an expression may be."""
MAX_PARAMETERS = 5000
_PREFIX = 64
MAX_PATTERN = 1000
_ONE_OF = " IN (SELECT value FROM json_each(?))"
_COMPARE = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}


class Conditions:
    """Conditions that all have to hold, with their parameters."""

    def __init__(self) -> None:
        """Begin with none."""
        self.sql: list[str] = []
        self.parameters: list[Any] = []

    def add(self, sql: str, *parameters: object) -> None:
        """Add one."""
        self.sql.append(sql)
        self.parameters.extend(parameters)
        if len(self.sql) > MAX_CONDITIONS or len(self.parameters) > MAX_PARAMETERS:
            message = "The filter has too many conditions"
            raise bad_request(message)

    @property
    def where(self) -> str:
        """SQL of them all."""
        return " AND ".join(self.sql) or "1"


def is_absent(value: Any) -> bool:  # noqa: ANN401 - whatever JSON holds
    """Tell whether a value means that there is none: null, [] and {} (clients write empty lists for it)."""
    return value is None or value in ([], {})


def of_filter(thing: Thing, value: Any, path: str = "filter") -> Conditions:  # noqa: ANN401 - whatever JSON holds
    """Return the conditions of a filter; there is no `$or` within `$or`.

    Raises:
        Problem: It has unknown fields, operators or values.
    """
    conditions = Conditions()
    if is_absent(value):
        return conditions
    if not isinstance(value, dict):
        raise unreadable(path)
    within: dict[str, Conditions] = {}
    for name, operand in value.items():
        here = f"{path}.{name}"
        if is_absent(operand):
            continue
        if name == "$or" and thing.alternatives and path == "filter":
            _alternatives(thing, operand, here, conditions)
        elif name in thing.special:
            sql, parameters = thing.special[name](operand, here)
            conditions.add(sql, *parameters)
        elif (column := thing.filters.get(name)) is not None:
            target = within.setdefault(column.within, Conditions()) if column.within else conditions
            compare(target, column, operand, here)
        else:
            raise unreadable(here)
    for template, inner in within.items():
        if inner.sql:
            conditions.add(template.format(inner.where), *inner.parameters)
    return conditions


def _alternatives(thing: Thing, operand: Any, path: str, conditions: Conditions) -> None:  # noqa: ANN401 - JSON
    if not isinstance(operand, list):
        raise unreadable(path)
    found = [of_filter(thing, each, f"{path}[{number}]") for number, each in enumerate(operand)]
    if sum(len(each.sql) + 1 for each in found) > MAX_CONDITIONS:
        message = "The filter has too many conditions"
        raise bad_request(message)
    parameters = [parameter for each in found for parameter in each.parameters]
    conditions.add(f"({' OR '.join(f'({each.where})' for each in found)})", *parameters)


def compare(conditions: Conditions, column: Column, operand: Any, path: str) -> None:  # noqa: ANN401 - JSON
    """Add what one filter property asks of a column: a plain value, or an object of operators."""
    expression, kind = column.expression, column.kind
    operators = operand if isinstance(operand, dict) else {"$eq": operand}
    for operator, value in operators.items():
        here = f"{path}.{operator}" if isinstance(operand, dict) else path
        if is_absent(value):
            continue
        if operator not in kind.operators:
            raise unreadable(here)
        match operator:
            case "$eq":
                _equal(conditions, column, kind.parse(value, here))
            case "$neq":
                conditions.add(f"{expression} IS NOT ?", kind.parse(value, here))
            case "$exists":
                known = BOOLEAN.parse(value, here)
                conditions.add(f"{expression} IS {'NOT ' if known else ''}NULL")
            case "$in":
                conditions.add(expression + _ONE_OF, _list(kind, value, here))
            case "$notIn":
                conditions.add(f"({expression}{_ONE_OF}) IS NOT 1", _list(kind, value, here))
            case "$like":
                conditions.add(f"{expression} GLOB ?", _glob(TEXT.parse(value, here), here))
            case _:
                conditions.add(f"{expression} {_COMPARE[operator]} ?", kind.parse(value, here))


def _equal(conditions: Conditions, column: Column, value: Any) -> None:  # noqa: ANN401 - of any kind
    if column.by_prefix:
        # The plus keeps SQLite from putting the value's text into `substr`, after which it would not use the index.
        prefix = f"substr({column.expression}, 1, {_PREFIX}) = ?"
        conditions.add(f"{prefix} AND +{column.expression} = ?", value[:_PREFIX], value)
    elif column.kind is BOOLEAN:
        # As a condition and not compared with 1, so that an index on just these rows is used.
        conditions.add(f"({column.expression})" if value else f"NOT ({column.expression})")
    else:
        conditions.add(f"{column.expression} = ?", value)


def _list(kind: Kind, value: Any, path: str) -> str:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, list):
        raise unreadable(path)
    return encode([kind.parse(each, f"{path}[{number}]") for number, each in enumerate(value)]).decode()


def _glob(pattern: str, path: str) -> str:
    r"""Return a `$like` pattern for SQLite: `*` any text, `?` one character, a backslash takes their meaning away."""
    if len(pattern) > MAX_PATTERN:
        message = f"The pattern of {path} is longer than {MAX_PATTERN} characters"
        raise invalid_argument(message)
    return "".join(_globs(pattern))


def _globs(pattern: str) -> Iterator[str]:
    characters = iter(pattern)
    for character in characters:
        if character == "\\":
            literal = next(characters, "\\")
            yield f"[{literal}]" if literal in "*?[" else literal
        else:
            yield "[[]" if character == "[" else character
