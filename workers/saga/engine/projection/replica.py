"""Search tables of a log as they were at an earlier position, or with some kinds of records lagging."""

import itertools
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from ..core import Record
from .project import write
from .reader import Reader
from .schema import SCHEMA

_DECODE = msgspec.msgpack.Decoder(list[Record])
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_LAST = "SELECT records FROM batch ORDER BY first_position DESC LIMIT 1"
_BATCHES = (
    "SELECT records FROM batch WHERE first_position >="
    " coalesce((SELECT max(first_position) FROM batch WHERE first_position <= ?), 0) ORDER BY first_position"
)
_names = itertools.count(1)


@dataclass(frozen=True)
class _Limits:
    """The last position that is shown of each value type."""

    others: int = 0
    by_type: Mapping[str, int] = field(default_factory=dict)

    def of(self, value_type: str) -> int:
        return self.by_type.get(value_type, self.others)

    def show(self, record: Record) -> bool:
        return record.position <= self.of(record.value_type)

    def least(self) -> int:
        return min([self.others, *self.by_type.values()])

    def reach(self, earlier: "_Limits") -> bool:
        """Tell whether everything is shown that `earlier` shows."""
        types = self.by_type.keys() | earlier.by_type.keys()
        return self.others >= earlier.others and all(self.of(each) >= earlier.of(each) for each in types)


class Replica:
    """Tables of its own, in memory, made from the records of a log that somebody else may be writing.

    A real cluster's searches lag, each index by itself. Tests of what that means give REST this reader.
    """

    def __init__(self, log_uri: str) -> None:
        """Begin empty; `log_uri` is the one that the log names for its readers."""
        uri = f"file:/saga-replica-{next(_names)}?vfs=memdb"
        self._log = sqlite3.connect(log_uri, uri=True, timeout=5)
        self._tables = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
        for statement in SCHEMA:
            self._tables.execute(statement)
        self._limits = _Limits()
        self._is_ahead = False
        """Whether an incident is shown whose element may not be: the element's row will not tell of it later."""
        self.reader = Reader.of_uri(uri)
        """Reads these tables."""

    def position(self) -> int:
        """Return the position of the log's last record; 0 where there is none."""
        row = self._log.execute(_LAST).fetchone()
        return _DECODE.decode(row[0])[-1].position if row else 0

    def show(self, until: int | None = None, by_type: Mapping[str, int] | None = None) -> None:
        """Show the records up to position `until`, by default all that there are.

        Args:
            until: The last position that is shown.
            by_type: The last position of each value type that has one of its own, such as `{"INCIDENT": 0}`.
        """
        limits = _Limits(self.position() if until is None else until, dict(by_type or {}))
        if limits == self._limits:
            return
        self._tables.execute("BEGIN IMMEDIATE")
        if self._is_ahead or not limits.reach(self._limits):
            for (table,) in self._tables.execute(_TABLES).fetchall():
                self._tables.execute(f"DELETE FROM {table}")  # noqa: S608 - the names of our tables
            self._limits = _Limits()
        added = [each for each in self._records(self._limits.least() + 1) if self._is_new(each, limits)]
        write(self._tables, added)
        self._tables.execute("COMMIT")
        self._limits = limits
        elements = limits.of("PROCESS_INSTANCE")
        self._is_ahead = any(each.value_type == "INCIDENT" and each.position > elements for each in added)

    def close(self) -> None:
        """Give the memory back."""
        self.reader.close()
        self._tables.close()
        self._log.close()

    def _is_new(self, record: Record, limits: _Limits) -> bool:
        return limits.show(record) and not self._limits.show(record)

    def _records(self, first: int) -> Iterator[Record]:
        for (blob,) in self._log.execute(_BATCHES, (first,)):
            yield from _DECODE.decode(blob)
