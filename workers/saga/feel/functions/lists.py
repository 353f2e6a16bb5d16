"""Functions on lists."""

# ruff: noqa: TID252 - relative, so that one rename moves the package

from collections.abc import Iterator
from decimal import Decimal
from functools import cmp_to_key
from typing import Any

from ..numbers import to_int
from ..scope import Failure, Invalid, Run, invoke
from ..values import MAX_DEPTH, Function, Range, contains, equal
from .base import ANY, LIST, NUMBER, Builtin, builtin, variadic

List = list[Any]


def _begin(items: List, position: Decimal) -> int:
    number = to_int(position, len(items) + 1)
    return number - 1 if number > 0 else max(len(items) + number, 0)


def sublist(_run: Run, items: List, start: Decimal, length: Decimal | None = None) -> List:
    """Cut out a part; position 1 is the first item, -1 the last."""
    begin = _begin(items, start)
    return items[begin:] if length is None else items[begin : begin + max(to_int(length, len(items)), 0)]


def _lists(values: List) -> List:
    if not all(isinstance(value, list) for value in values):
        raise Invalid
    return values


def concatenate(run: Run, lists: List) -> List:
    """Put lists together."""
    result: List = []
    for items in _lists(lists):
        run.charge(items)
        result.extend(items)
    return result


def insert_before(_run: Run, items: List, position: Decimal, item: object) -> List:
    """Insert an item in front of a position."""
    begin = _begin(items, position)
    return [*items[:begin], item, *items[begin:]]


def remove(_run: Run, items: List, position: Decimal) -> List:
    """Leave out the item at a position."""
    begin = _begin(items, position)
    return [*items[:begin], *items[begin + 1 :]]


def index_of(run: Run, items: List, match: object) -> List:
    """Give the positions of all items that equal the match."""
    run.spend(len(items) >> 1)
    return [Decimal(position) for position, item in enumerate(items, 1) if equal(run, item, match)]


def _groups(run: Run, items: List) -> list[list[Any]]:
    """Give each value once, in the order of its first place, with the number of its places."""
    groups: list[list[Any]] = []
    scalars: dict[tuple[type, Any], list[Any]] = {}
    others: list[list[Any]] = []
    for item in items:
        scalar = not isinstance(item, list | dict | Range)
        key = (type(item), item if scalar else None)
        if scalar:
            found = scalars.get(key)
        else:
            run.spend(len(others) >> 1)
            found = next((group for group in others if equal(run, group[0], item)), None)
        if found is None:
            found = [item, 0]
            groups.append(found)
            if scalar:
                scalars[key] = found
            else:
                others.append(found)
        found[1] += 1
    run.spend(len(items) >> 1)
    return groups


def distinct_values(run: Run, items: List) -> List:
    """Leave out what was there before."""
    return [item for item, _ in _groups(run, items)]


def duplicate_values(run: Run, items: List) -> List:
    """Give what is there more than once, in the order of its first place."""
    return [item for item, count in _groups(run, items) if count > 1]


def union(run: Run, lists: List) -> List:
    """Put lists together and leave out duplicates."""
    return distinct_values(run, concatenate(run, lists))


def _flat(run: Run, items: List, depth: int) -> Iterator[Any]:
    if depth > MAX_DEPTH:
        message = "a list is nested too deeply"
        raise Failure(message)
    for item in items:
        run.spend(1)
        if isinstance(item, list):
            yield from _flat(run, item, depth + 1)
        else:
            yield item


def flatten(run: Run, items: List) -> List:
    """Resolve lists in lists."""
    return list(_flat(run, items, 0))


def sort(run: Run, items: List, precedes: Function) -> List:
    """Sort; items of which none precedes the other keep their order."""
    if len(precedes.parameters) != 2:  # noqa: PLR2004 - it compares two
        message = f"expected a function with two parameters but found '{run.quote(precedes)}'"
        raise Invalid(message)

    def order(left: object, right: object) -> int:
        first = invoke(run, precedes, left, right)
        if not isinstance(first, bool):
            message = f"expected boolean but found '{run.quote(first)}'"
            raise Invalid(message)
        return -1 if first else 0

    return sorted(items, key=cmp_to_key(order))


def partition(run: Run, items: List, size: Decimal) -> List:
    """Split into lists of one size; the last one may be shorter."""
    step = to_int(size, len(items) + 1)
    if step <= 0:
        message = f"'size' should be greater than zero but was '{run.quote(size)}'"
        raise Invalid(message)
    return [items[begin : begin + step] for begin in range(0, len(items), step)]


def _count(_run: Run, items: List) -> Decimal:
    return Decimal(len(items))


FUNCTIONS: tuple[Builtin, ...] = (
    builtin("list contains", contains, list=LIST, element=ANY),
    builtin("count", _count, list=LIST),
    builtin("sublist", sublist, list=LIST, start_position=NUMBER),
    builtin("sublist", sublist, list=LIST, start_position=NUMBER, length=NUMBER),
    variadic("append", lambda _run, items, more: [*items, *more], list=LIST, items=LIST),
    variadic("concatenate", concatenate, lists=LIST),
    builtin("insert before", insert_before, list=LIST, position=NUMBER, newItem=ANY),
    builtin("remove", remove, list=LIST, position=NUMBER),
    builtin("reverse", lambda _run, items: items[::-1], list=LIST),
    builtin("index of", index_of, list=LIST, match=ANY),
    variadic("union", union, lists=LIST),
    builtin("distinct values", distinct_values, list=LIST),
    builtin("duplicate values", duplicate_values, list=LIST),
    builtin("flatten", flatten, list=LIST),
    builtin("sort", sort, list=LIST, precedes=(Function,)),
    builtin("is empty", lambda _run, items: not items, list=LIST),
    builtin("partition", partition, list=LIST, size=NUMBER),
)
