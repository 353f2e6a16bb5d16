"""JSON schemas of what can be searched, made from the same columns that searches read, and pieces for the others."""

from typing import Any

from .columns import Column, Thing
from .conditions import MAX_CONDITIONS, MAX_PATTERN
from .kinds import BOOLEAN, DATE, INTEGER, KEY, TEXT
from .search import LARGEST_LIMIT

Schema = dict[str, Any]

ANYTHING: Schema = {}
STRING = TEXT.schema
"""Any text."""
LONG = INTEGER.schema
"""A whole number of 64 bits."""
INT: Schema = {"type": "integer", "format": "int32", "minimum": -(1 << 31), "maximum": (1 << 31) - 1}
"""A whole number of 32 bits."""
VARIABLES: Schema = {"type": "object"}
"""Variables by name; each is any JSON."""
_FILTERED: dict[str, Schema] = {
    "tags": {"type": "array", "items": STRING},
    "elementInstanceScopeKey": KEY.schema,
}


def record(*required: str, **properties: Schema) -> Schema:
    """Return the schema of an object with these properties and no others, of which some are required."""
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**found, "required": list(required)} if required else found


def answer(**properties: Schema) -> Schema:
    """Return the schema of an object that has exactly these properties."""
    return record(*properties, **properties)


def listed(items: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": items}


def nullable(schema: Schema) -> Schema:
    """Return the schema of a value that may be absent."""
    return {"anyOf": [schema, {"type": "null"}]}


def item(thing: Thing, *, without: frozenset[str] = frozenset()) -> Schema:
    """Return the schema of a thing as searches show it."""
    shown = {column.name: nullable(column.kind.schema) for column in thing.shown if column.name not in without}
    return answer(**shown)


def found(thing: Thing) -> Schema:
    """Return the schema of a search's answer."""
    cursor = nullable(STRING)
    page = answer(totalItems=LONG, hasMoreTotalItems=BOOLEAN.schema, startCursor=cursor, endCursor=cursor)
    return answer(items=listed(item(thing)), page=page)


def search(thing: Thing) -> Schema:
    """Return the schema of a search's body."""
    fields = {"type": "string", "enum": [column.name for column in thing.sorts.values()]}
    order = {"type": "string", "enum": ["ASC", "DESC"]}
    properties = {"filter": filters(thing), "page": _PAGE}
    if thing.sorts:
        properties["sort"] = listed(record("field", field=fields, order=order))
    return record(**properties)


def filters(thing: Thing) -> Schema:
    """Return the schema of a filter."""
    properties = {name: _filter(column) for name, column in thing.filters.items()}
    properties |= {name: _FILTERED.get(name, _BY_VARIABLES) for name in thing.special}
    if not thing.alternatives:
        return record(**properties)
    alternatives = {"type": "array", "maxItems": MAX_CONDITIONS, "items": record(**properties)}
    return record(**properties, **{"$or": alternatives})


def _filter(column: Column) -> Schema:
    kind = column.kind
    operators: dict[str, Schema] = {}
    for operator in sorted(kind.operators):
        match operator:
            case "$exists":
                operators[operator] = BOOLEAN.schema
            case "$in" | "$notIn":
                operators[operator] = listed(kind.schema)
            case "$like":
                operators[operator] = {"type": "string", "maxLength": MAX_PATTERN}
            case _:
                operators[operator] = kind.schema
    return {"anyOf": [kind.schema, record(**operators)]}


_PAGE = record(
    limit={"type": "integer", "minimum": 1, "maximum": LARGEST_LIMIT, "default": 100},
    **{"from": {"type": "integer", "minimum": 0}, "after": STRING, "before": STRING},
)
_BY_VARIABLES: Schema = {
    "type": "array",
    "maxItems": MAX_CONDITIONS,
    "items": record(
        "name",
        "value",
        name=STRING,
        value={"anyOf": [STRING, {"type": "object"}]},
    ),
}
PROBLEM = record(
    *("type", "title", "status", "detail", "instance"),
    type=STRING,
    title=STRING,
    status={"type": "integer"},
    detail=STRING,
    instance=STRING,
)
"""What a refusal is (RFC 9457)."""
TIMESTAMP = DATE.schema
"""A date and time."""
