"""Search tables of a log as they were at an earlier position, or with some kinds of records lagging."""

import itertools
import sqlite3
from collections.abc import Iterator, Mapping

import msgspec

from ..core import Record
from .project import write
from .reader import Reader
from .schema import SCHEMA

_DECODE = msgspec.msgpack.Decoder(list[Record])
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_names = itertools.count(1)


class Replica:
    """Tables of its own, in memory, made from the records of a log that somebody else may be writing.

    A real cluster's searches lag, each index by itself. Tests of what that means give REST this reader.
    """

    def __init__(self, log_uri: str) -> None:
        """Begin empty; `log_uri` is the one that the log names for its readers."""
        uri = f"file:/saga-replica-{next(_names)}?vfs=memdb"
        self._log_uri = log_uri
        self._tables = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5)
        for statement in SCHEMA:
            self._tables.execute(statement)
        self.reader = Reader.of_uri(uri)
        """Reads these tables."""

    def show(self, until: int | None = None, by_type: Mapping[str, int] | None = None) -> None:
        """Show the records up to position `until`, by default all of them.

        Args:
            until: The last position that is shown.
            by_type: The last position of each value type that has one of its own, such as `{"INCIDENT": 0}`.
        """
        limits = by_type or {}
        self._tables.execute("BEGIN IMMEDIATE")
        for (table,) in self._tables.execute(_TABLES).fetchall():
            self._tables.execute(f"DELETE FROM {table}")  # noqa: S608 - the names of our tables
        write(self._tables, (each for each in self._records() if _is_shown(each, limits.get(each.value_type, until))))
        self._tables.execute("COMMIT")

    def close(self) -> None:
        """Give the memory back."""
        self.reader.close()
        self._tables.close()

    def _records(self) -> Iterator[Record]:
        log = sqlite3.connect(self._log_uri, uri=True, timeout=5)
        try:
            for (blob,) in log.execute("SELECT records FROM batch ORDER BY first_position"):
                yield from _DECODE.decode(blob)
        finally:
            log.close()


def _is_shown(record: Record, until: int | None) -> bool:
    return until is None or record.position <= until
