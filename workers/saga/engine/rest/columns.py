"""What a thing that can be searched is made of: a table, and columns that filter it, sort it and are shown."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .kinds import BOOLEAN, JSON, KEY, TEXT, Kind

_CAPITAL = re.compile(r"(?=[A-Z])")

ROOT = (
    "(SELECT p.root_process_instance_key FROM process_instances p"
    " WHERE p.process_instance_key = t.process_instance_key)"
)
"""SQL of the instance at the root of the calls."""
DEFINITION_NAME = "(SELECT d.name FROM process_definitions d WHERE d.process_definition_key = t.process_definition_key)"
"""SQL of the name that a process has in its diagram."""


@dataclass(frozen=True)
class Column:
    """A property of a thing. In SQL the thing's table is `t`."""

    name: str
    kind: Kind
    sql: str = ""
    """Its value; by default the column of the same name in snake case."""
    shown: bool = True
    filters: bool = True
    sorts: bool = False
    shows: str = ""
    """SQL of what is shown, where that differs from what is filtered and sorted by."""
    within: str = ""
    """For a filter on rows of another table: SQL around all conditions of that kind, which go where `{}` stands."""
    by_prefix: bool = False
    """Whether an index has the first 64 characters of it."""

    @cached_property
    def expression(self) -> str:
        """SQL of its value."""
        return self.sql or f"t.{_CAPITAL.sub('_', self.name).lower()}"


Special = Callable[[Any, str], tuple[str, list[Any]]]
"""Makes a condition in SQL, with its parameters, from a filter's value and path."""


@dataclass(frozen=True)
class Thing:
    """A kind of thing that can be searched."""

    label: str
    """What a message calls one."""
    table: str
    columns: tuple[Column, ...]
    """The thing's own key is the first one."""
    special: Mapping[str, Special] = field(default_factory=dict)
    """Filters that are no single column."""
    alternatives: bool = False
    """Whether a filter may have `$or`."""

    @property
    def key(self) -> Column:
        """The column with the thing's own key."""
        return self.columns[0]

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        """The columns of an item."""
        return tuple(column for column in self.columns if column.shown)

    @cached_property
    def selected(self) -> str:
        """SQL of an item's columns."""
        return ", ".join(column.shows or column.expression for column in self.shown)

    @cached_property
    def filters(self) -> Mapping[str, Column]:
        """The columns that a filter may name."""
        return {column.name: column for column in self.columns if column.filters}

    @cached_property
    def sorts(self) -> Mapping[str, Column]:
        """The columns that a search may sort by, by their names in lower case."""
        return {column.name.lower(): column for column in self.columns if column.sorts}

    def item(self, row: tuple[Any, ...]) -> dict[str, Any]:
        """Return a row of the selected columns as an item."""
        return {
            column.name: None if value is None else column.kind.show(value)
            for column, value in zip(self.shown, row, strict=False)  # what it was sorted by comes behind
        }


def absent(name: str, kind: Kind = TEXT, *, shown: bool = True, sorts: bool = False) -> Column:
    """Return a column of Camunda's API that our engine never has a value for."""
    return Column(name, kind, "NULL", shown=shown, sorts=sorts)


def constant(name: str, kind: Kind, sql: str, *, filters: bool = True, sorts: bool = False) -> Column:
    """Return a column that is the same in all rows."""
    return Column(name, kind, sql, filters=filters, sorts=sorts)


def tenant(*, sorts: bool = True) -> Column:
    """Return the column of the one tenant."""
    return constant("tenantId", TEXT, "'<default>'", sorts=sorts)


def tags() -> Column:
    """Return the column of the tags that nothing has."""
    return constant("tags", JSON, "'[]'", filters=False)


def definition(*, sorts: bool = True) -> tuple[Column, Column]:
    """Return the columns of the process definition."""
    return Column("processDefinitionId", TEXT, sorts=sorts), Column("processDefinitionKey", KEY, sorts=sorts)


def instance(*, sorts: bool = True) -> tuple[Column, Column]:
    """Return the columns of the process instance that something belongs to."""
    return (
        Column("processInstanceKey", KEY, sorts=sorts),
        Column("rootProcessInstanceKey", KEY, ROOT, filters=False),
    )


def has_incident(*, sorts: bool = False) -> Column:
    """Return the column that says whether an incident is open in it or below it."""
    return Column("hasIncident", BOOLEAN, "t.incidents > 0", sorts=sorts)
