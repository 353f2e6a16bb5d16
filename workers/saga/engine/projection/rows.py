"""How the rows of a batch reach their tables: new ones, changed ones, and those that go."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Table:
    """A table, by its columns; the first one is the key."""

    name: str
    fixed: tuple[str, ...]
    """Columns that are written once."""
    changing: tuple[str, ...] = ()
    """Columns that later records write anew, all of them at once."""
    computed: Mapping[str, str] = field(default_factory=dict)
    """Columns that SQL makes from the others, which it calls ?1, ?2, ..."""

    @cached_property
    def insert(self) -> str:
        """The statement for a new row."""
        columns = (*self.fixed, *self.changing)
        values = [f"?{position}" for position in range(1, len(columns) + 1)]
        names = ", ".join((*columns, *self.computed))
        return f"INSERT OR REPLACE INTO {self.name} ({names}) VALUES ({', '.join((*values, *self.computed.values()))})"  # noqa: S608 - names of ours

    @cached_property
    def update(self) -> str:
        """The statement for a row that is there: values of the changing columns, then the key."""
        return f"UPDATE {self.name} SET {', '.join(f'{name} = ?' for name in self.changing)} WHERE {self.fixed[0]} = ?"  # noqa: S608 - as above

    @cached_property
    def delete(self) -> str:
        """The statement for a row that goes."""
        return f"DELETE FROM {self.name} WHERE {self.fixed[0]} = ?"  # noqa: S608 - as above


class Rows:
    """What a batch of records does to one table; several changes of one row become one."""

    def __init__(self, table: Table) -> None:
        """Begin with nothing."""
        self._statements = table.insert, table.update, table.delete
        self._first = len(table.fixed)
        self._created: dict[int, list[Any]] = {}
        self._changed: dict[int, Sequence[Any]] = {}
        self._deleted: dict[int, None] = {}

    def create(self, row: list[Any]) -> None:
        """Add a row: the fixed columns, then the changing ones."""
        self._created[row[0]] = row

    def change(self, key: int, values: Sequence[Any]) -> None:
        """Write all changing columns of a row."""
        row = self._created.get(key)
        if row is None:
            self._changed[key] = values
        else:
            row[self._first :] = values

    def delete(self, key: int) -> None:
        """Take a row away."""
        self._changed.pop(key, None)
        if self._created.pop(key, None) is None:
            self._deleted[key] = None

    def write(self, connection: sqlite3.Connection) -> None:
        """Carry it all out, and begin anew."""
        insert, update, delete = self._statements
        if self._created:
            connection.executemany(insert, self._created.values())
            self._created.clear()
        if self._changed:
            connection.executemany(update, [(*values, key) for key, values in self._changed.items()])
            self._changed.clear()
        if self._deleted:
            connection.executemany(delete, [(key,) for key in self._deleted])
            self._deleted.clear()
