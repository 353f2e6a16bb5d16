"""`POST /<things>/search`: filter, sort and page, and the answer with its cursors."""

import sqlite3
from dataclasses import dataclass
from typing import Any

from . import cursors
from .columns import Column, Thing
from .conditions import Conditions, is_absent, of_filter
from .kinds import one_of, parse_integer, parse_text
from .problems import invalid_argument, unreadable

_DEFAULT_LIMIT = 100
LARGEST_LIMIT = 10_000
MOST_COUNTED = 10_000
"""Items that are counted, as a cluster does: with more of them `hasMoreTotalItems` is true."""
_ORDER = one_of("ASC", "DESC")


@dataclass(frozen=True)
class Sort:
    """One criterion of the order."""

    column: Column
    descending: bool


@dataclass(frozen=True)
class Page:
    """Which part of what was found is wanted."""

    limit: int = _DEFAULT_LIMIT
    start: int = 0
    """How many to leave out."""
    after: list[Any] | None = None
    before: list[Any] | None = None
    """Positions in the order, from a cursor."""


@dataclass(frozen=True)
class Query:
    """A search, read and checked."""

    thing: Thing
    conditions: Conditions
    sort: tuple[Sort, ...]
    page: Page


def read(thing: Thing, body: dict[str, Any]) -> Query:
    """Read the body of a search.

    Raises:
        Problem: It has unknown properties or values.
    """
    for name, value in body.items():
        if name not in {"filter", "sort", "page"} and not is_absent(value):
            raise unreadable(name)
    conditions = of_filter(thing, body.get("filter"))
    sort = _sort(thing, body.get("sort"))
    return Query(thing, conditions, sort, _page(body.get("page"), [each.column.name for each in sort]))


def _sort(thing: Thing, value: Any) -> tuple[Sort, ...]:  # noqa: ANN401 - whatever JSON holds
    """Return the order; the thing's own key comes last, so no two are equal."""
    criteria: dict[str, Sort] = {}
    for number, each in enumerate([] if is_absent(value) else _list(value, "sort")):
        path = f"sort[{number}]"
        if not isinstance(each, dict):
            raise unreadable(path)
        for name, given in each.items():
            if name not in {"field", "order"} and not is_absent(given):
                raise unreadable(path, name)
        if is_absent(each.get("field")):
            message = "Sort field must not be null."
            raise invalid_argument(message)
        column = _sort_column(thing, each["field"], f"{path}.field")
        order = each.get("order")
        descending = order is not None and _ORDER.parse(order, f"{path}.order") == "DESC"
        criteria.setdefault(column.name, Sort(column, descending))
    criteria.setdefault(thing.key.name, Sort(thing.key, descending=False))
    return tuple(criteria.values())


def _sort_column(thing: Thing, value: Any, path: str) -> Column:  # noqa: ANN401 - whatever JSON holds
    column = thing.sorts.get(parse_text(value, path).lower())
    if column is None:
        one_of(*(each.name for each in thing.sorts.values())).parse(value, path)
        raise unreadable(path)
    return column


def _list(value: Any, path: str) -> list[Any]:  # noqa: ANN401 - whatever JSON holds
    if not isinstance(value, list):
        raise unreadable(path)
    return value


def _page(value: Any, order: list[str]) -> Page:  # noqa: ANN401 - whatever JSON holds
    if is_absent(value):
        return Page()
    path = "page"
    if not isinstance(value, dict):
        raise unreadable(path)
    given = {name: each for name, each in value.items() if each is not None}
    for name in given:
        if name not in {"limit", "from", "after", "before"}:
            raise unreadable(path, name)
    if len(given.keys() & {"from", "after", "before"}) > 1:
        message = "Both after and before cannot be set at the same time, nor either of them with from."
        raise invalid_argument(message)
    limit = parse_integer(given.get("limit", _DEFAULT_LIMIT), "page.limit")
    if not 1 <= limit <= LARGEST_LIMIT:
        message = f"The value for page.limit is '{limit}' but must be between 1 and {LARGEST_LIMIT}."
        raise invalid_argument(message)
    start = parse_integer(given.get("from", 0), "page.from")
    if start < 0:
        message = f"The value for page.from is '{start}' but must not be negative."
        raise invalid_argument(message)
    positions = {name: cursors.read(given[name], order, name) for name in ("after", "before") if name in given}
    return Page(limit, start, **positions)


def run(connection: sqlite3.Connection, query: Query, within: Conditions | None = None) -> dict[str, Any]:
    """Run a search and return its answer; `within` narrows what there is to be searched."""
    thing, page = query.thing, query.page
    found = Conditions()
    for conditions in (within, query.conditions):
        if conditions is not None and conditions.sql:
            found.add(conditions.where, *conditions.parameters)
    source = f"FROM {thing.table} t WHERE {found.where}"
    counted = f"SELECT count(*) FROM (SELECT 1 {source} LIMIT {MOST_COUNTED + 1})"  # noqa: S608 - texts of ours
    (total,) = connection.execute(counted, found.parameters).fetchone()
    backwards = page.before is not None
    terms = [term for each in query.sort for term in _terms(thing, each)]
    parameters = list(found.parameters)
    if (position := page.before if backwards else page.after) is not None:
        beyond, values = _beyond(terms, _expanded(thing, query.sort, position), backwards=backwards)
        source = f"{source} AND ({beyond})"
        parameters += values
    order = ", ".join(f"{sql} {'DESC' if descending != backwards else 'ASC'}" for sql, descending in terms)
    keys = ", ".join(each.column.expression for each in query.sort)
    statement = f"SELECT {thing.selected}, {keys} {source} ORDER BY {order} LIMIT ? OFFSET ?"
    rows = connection.execute(statement, [*parameters, page.limit, page.start]).fetchall()
    if backwards:
        rows.reverse()
    return {"items": [thing.item(row) for row in rows], "page": _page_of(query, rows, total)}


def _page_of(query: Query, rows: list[tuple[Any, ...]], total: int) -> dict[str, Any]:
    order = [each.column.name for each in query.sort]
    ends = [cursors.write(order, list(row[-len(order) :])) for row in (rows[0], rows[-1])] if rows else [None, None]
    return {
        "totalItems": min(total, MOST_COUNTED),
        "hasMoreTotalItems": total > MOST_COUNTED,
        "startCursor": ends[0],
        "endCursor": ends[1],
    }


def _terms(thing: Thing, sort: Sort) -> list[tuple[str, bool]]:
    """Return what SQL orders by, with its direction; nulls come last where the order is ascending."""
    sql = sort.column.expression
    value = (sql, sort.descending)
    return [value] if sort.column == thing.key else [(f"({sql} IS NULL)", sort.descending), value]


def _expanded(thing: Thing, sort: tuple[Sort, ...], position: list[Any]) -> list[Any]:
    """Return a position's values for the terms of the order."""
    values: list[Any] = []
    for each, value in zip(sort, position, strict=True):
        values += [value] if each.column == thing.key else [value is None, value]
    return values


def _beyond(terms: list[tuple[str, bool]], values: list[Any], *, backwards: bool) -> tuple[str, list[Any]]:
    """Return the condition of all that comes behind a position, with its parameters."""
    choices, parameters = [], []
    for depth, (sql, descending) in enumerate(terms):
        same = [f"{before} IS ?" for before, _ in terms[:depth]]
        choices.append(" AND ".join([*same, f"{sql} {'<' if descending != backwards else '>'} ?"]))
        parameters += values[: depth + 1]
    return " OR ".join(f"({choice})" for choice in choices), parameters
