"""The append-only log in one SQLite file, with the tables for searches and a snapshot in the same file.

The log is the truth: a batch of records is one row, committed together with what the projection makes of it. One
connection writes and checkpoints, in one thread; whoever else reads opens `reader_uri` read-only.
"""

import itertools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from .core import Record
from .errors import CannotStart

FORMAT = 1
"""The format of the file that this release writes; it reads no other."""
_SQLITE = (3, 34, 0)
_SQLITE_IN_MEMORY = (3, 36, 0)
_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE batch (first_position INTEGER PRIMARY KEY, records BLOB NOT NULL)",
    "CREATE TABLE snapshot (position INTEGER PRIMARY KEY, state BLOB NOT NULL)",
)
_PRAGMAS = (
    "journal_mode = WAL",
    "synchronous = FULL",
    # On macOS only this reaches the disk; elsewhere it does nothing.
    "fullfsync = 1",
    "checkpoint_fullfsync = 1",
    "busy_timeout = 10000",
    # A reader that took long lets the write-ahead log grow; give the space back.
    "journal_size_limit = 67108864",
)
_DECODE = msgspec.msgpack.Decoder(list[Record])
_memory = itertools.count(1)


class LogError(CannotStart):
    """The log cannot be used; the message says which, why, and what to do."""


class Projection(Protocol):
    """What makes tables for searches of the records."""

    @property
    def SCHEMA(self) -> Sequence[str]:  # noqa: N802 - a module's constant
        """The statements that create its tables."""

    def write(self, connection: sqlite3.Connection, records: Sequence[Record]) -> None:
        """Write the rows of these records; the caller's transaction is open."""


class Log:
    """An open log. Every method belongs to one thread at a time; none may be called after one has failed."""

    def __init__(self, path: Path | None, projection: Projection) -> None:
        """Open the log at `path`, or an empty one in memory; a new file is made where there is none.

        Raises:
            LogError: SQLite is too old, or the file is not a log, or is of another format. Nothing was written.
        """
        _check_sqlite(_SQLITE if path else _SQLITE_IN_MEMORY)
        uri = path.absolute().as_uri() if path else f"file:/saga-engine-{next(_memory)}"
        query = "" if path else "?vfs=memdb"
        self.reader_uri = uri + (query or "?mode=ro")
        """For `sqlite3.connect(..., uri=True)`: reads what is committed, also while the log is being written."""
        self._projection = projection
        self._encode = msgspec.msgpack.Encoder().encode
        if path and path.exists():
            _check_format(path, self.reader_uri)
        self._connection = sqlite3.connect(uri + query, uri=True, isolation_level=None, check_same_thread=False)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        self.is_new = not _tables(self._connection)
        """Whether it holds no record yet."""

    def create(self, first: Sequence[Record]) -> None:
        """Make a new log with its first records."""
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in (*_TABLES, *self._projection.SCHEMA):
            self._connection.execute(statement)
        meta = {"format": FORMAT, "created": int(time.time() * 1000), "sqlite": sqlite3.sqlite_version}
        self._connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        self._insert(first)
        self._connection.execute("COMMIT")
        self.is_new = False

    def append(self, records: Sequence[Record]) -> None:
        """Commit a batch of records and their rows; they are on the disk when it returns.

        Raises:
            sqlite3.Error: They are not, or nobody knows: end the process.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        self._insert(records)
        self._connection.execute("COMMIT")

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot: the position of the last record in it, and the state."""
        found = self._connection.execute("SELECT position, state FROM snapshot ORDER BY position DESC LIMIT 1")
        row: tuple[int, bytes] | None = found.fetchone()
        return row

    def save_snapshot(self, state: bytes, position: int) -> None:
        """Store a snapshot of the state after the record at `position`, in place of older ones."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM snapshot")
        self._connection.execute("INSERT INTO snapshot VALUES (?, ?)", (position, state))
        self._connection.execute("COMMIT")

    def records(self, after: int = 0) -> Iterator[Record]:
        """Yield the records behind position `after`, in order.

        Raises:
            LogError: A position is missing.
        """
        expected = after + 1
        # The batch that holds `after` may begin before it.
        rows = self._connection.execute(
            "SELECT first_position, records FROM batch WHERE first_position >="
            " coalesce((SELECT max(first_position) FROM batch WHERE first_position <= ?), 0) ORDER BY first_position",
            (expected,),
        )
        for _, blob in rows:
            for record in _DECODE.decode(blob):
                if record.position < expected:
                    continue
                if record.position > expected:
                    message = f"The log lacks the records {expected} to {record.position - 1}; restore a backup of it."
                    raise LogError(message)
                expected += 1
                yield record

    def close(self) -> None:
        """Close the file; its write-ahead log is merged into it."""
        self._connection.close()

    def _insert(self, records: Sequence[Record]) -> None:
        self._connection.execute("INSERT INTO batch VALUES (?, ?)", (records[0].position, self._encode(records)))
        self._projection.write(self._connection, records)


def _check_sqlite(needed: tuple[int, int, int]) -> None:
    if sqlite3.sqlite_version_info < needed:
        text = ".".join(map(str, needed))
        message = f"SQLite {sqlite3.sqlite_version} is too old: {text} or newer is needed. Use a newer Python."
        raise LogError(message)


def _check_format(path: Path, reader_uri: str) -> None:
    """Refuse what this release cannot read, by reading only."""
    try:
        connection = sqlite3.connect(reader_uri, uri=True)
        try:
            tables = _tables(connection)
            if not tables:
                return
            found = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        message = f"{path} is not a log of `saga engine` ({error}). Name another folder with --data."
        raise LogError(message) from None
    if found is None or found[0] != FORMAT:
        name = found[0] if found else "none"
        message = f"{path} has the format {name}, and this release reads {FORMAT}. Use the release that wrote it."
        raise LogError(message)


def _tables(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])
