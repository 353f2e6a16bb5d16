"""The append-only log in one SQLite file, with the tables for searches and a snapshot in the same file.

The log is the truth: a batch of records is one row, committed together with what the projection makes of it. One
connection writes and checkpoints, in one thread; whoever else reads opens `reader_uri` read-only.
"""

import itertools
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Protocol

import msgspec

from .compaction import compact
from .core import Record
from .folder import sync_folder
from .log_check import FORMAT, LogError, check_damage, check_format, check_sqlite, checksum, damaged

__all__ = ["FORMAT", "Log", "LogError", "Projection"]

_TABLES = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID",
    "CREATE TABLE batch (first_position INTEGER PRIMARY KEY, records BLOB NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE snapshot (position INTEGER PRIMARY KEY, state BLOB NOT NULL, checksum INTEGER NOT NULL)",
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
_BATCHES = (
    "SELECT records FROM batch WHERE first_position >="
    # The batch that holds a position may begin before it.
    " coalesce((SELECT max(first_position) FROM batch WHERE first_position <= ?), 0) ORDER BY first_position"
)
_DECODE = msgspec.msgpack.Decoder(list[Record])
_memory = itertools.count(1)


class Projection(Protocol):
    """What makes tables for searches of the records."""

    @property
    def SCHEMA(self) -> Sequence[str]:  # noqa: N802 - a module's constant
        """The statements that create its tables."""

    def write(self, connection: sqlite3.Connection, records: Sequence[Record]) -> None:
        """Write the rows of these records; the caller's transaction is open."""

    def forget(self, connection: sqlite3.Connection, before: int) -> int | None:
        """Delete a portion of the rows of instances that ended at `before` or earlier, as `projection.history` does."""


class Log:
    """An open log. Every method belongs to one thread at a time; none may be called after one has failed."""

    def __init__(self, path: Path | None, projection: Projection) -> None:
        """Open the log at `path` to be read, or an empty one in memory; where there is no file, `create` makes it.

        Raises:
            LogError: SQLite is too old, or the file is not a log, of another format or damaged.
        """
        check_sqlite(in_memory=path is None)
        self._path = path
        self._uri = path.absolute().as_uri() if path else f"file:/saga-engine-{next(_memory)}?vfs=memdb"
        self.reader_uri = f"{self._uri}?mode=ro" if path else self._uri
        """For `sqlite3.connect(..., uri=True)`: reads what is committed, also while the log is being written."""
        self._projection = projection
        self._encode = msgspec.msgpack.Encoder().encode
        self.is_new = path is None or not path.exists()
        """Whether it holds no record yet."""
        if path and self.is_new and Path(f"{path}-wal").exists():
            message = f"{path} is missing, but its write-ahead log is there"
            raise damaged(path, message)
        if path and not self.is_new:
            check_format(path)
            check_damage(path, [*_TABLES, *projection.SCHEMA])
            self._connection = sqlite3.connect(self.reader_uri, uri=True)

    def begin_writing(self) -> None:
        """Let the log be written, once it is recovered: until then nothing of it changes.

        Raises:
            LogError: It cannot be written.
        """
        self._connection.close()
        self._connection = self._open()

    def create(self, first: Sequence[Record]) -> None:
        """Make a new log with its first records.

        Raises:
            LogError: It cannot be written.
        """
        try:
            if self._path:
                self._make_file(self._path, first)
            self._connection = self._open()
            if not self._path:
                self._begin(self._connection, first)
        except (sqlite3.Error, OSError) as error:
            raise self._unwritable(error) from None
        self.is_new = False

    def append(self, records: Sequence[Record]) -> None:
        """Commit a batch of records and their rows; they are on the disk when it returns.

        Raises:
            sqlite3.Error: They are not, or nobody knows: end the process.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        self._insert(self._connection, records)
        self._connection.execute("COMMIT")

    def snapshot(self) -> tuple[int, bytes] | None:
        """Return the newest snapshot: the position of the last record in it, and the state."""
        found = self._connection.execute("SELECT position, state FROM snapshot ORDER BY position DESC LIMIT 1")
        row: tuple[int, bytes] | None = found.fetchone()
        return row

    def snapshot_position(self) -> int:
        """Return the position of the last record in the newest snapshot; 0 where there is none."""
        (position,) = self._connection.execute("SELECT max(position) FROM snapshot").fetchone()
        return position or 0

    def save_snapshot(self, state: bytes, position: int) -> None:
        """Store a snapshot of the state after the record at `position`, in place of older ones.

        Raises:
            sqlite3.Error: It is not stored.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.execute("DELETE FROM snapshot")
        self._connection.execute("INSERT INTO snapshot VALUES (?, ?, ?)", (position, state, checksum(position, state)))
        self._connection.execute("COMMIT")

    def remove_older(self, before: int) -> int | None:
        """Remove a portion of what is older than `before`, in milliseconds since 1970, in one transaction.

        That is ended instances from the search tables, and batches that the snapshot covers from the log.

        Returns:
            The time of the oldest that is left and can be removed once it is older; None where there is nothing.

        Raises:
            sqlite3.Error: It cannot be removed, or nobody knows: end the process.
        """
        self._connection.execute("BEGIN IMMEDIATE")
        found = (self._projection.forget(self._connection, before), compact(self._connection, before))
        self._connection.execute("COMMIT")
        return min((each for each in found if each is not None), default=None)

    def records(self, after: int = 0) -> Iterator[Record]:
        """Yield the records behind position `after`, in order.

        Raises:
            LogError: The log is damaged, or a position is missing.
        """
        expected = after + 1
        last = 0
        for (blob,) in self._connection.execute(_BATCHES, (expected,)):
            for record in _DECODE.decode(blob):
                last = record.position
                if last < expected:
                    continue
                if last > expected:
                    message = f"The log lacks the records {expected} to {last - 1}; restore a backup of it."
                    raise LogError(message)
                expected += 1
                yield record
        if last < max(1, after):
            message = f"it ends at position {last}, before its snapshot at {after}"
            raise damaged(self._path, message)

    def close(self) -> None:
        """Close the file; its write-ahead log is merged into it."""
        if not self.is_new:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        """Open the connection that writes.

        Raises:
            LogError: The file cannot be written.
        """
        connection = sqlite3.connect(self._uri, uri=True, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
        except sqlite3.Error as error:
            connection.close()
            raise self._unwritable(error) from None
        return connection

    def _make_file(self, path: Path, first: Sequence[Record]) -> None:
        """Make the file of a new log; it has its name once it is whole, so one that is empty is damaged."""
        part = path.with_name(f"{path.name}.part")
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(part, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA fullfsync = 1")
            self._begin(connection, first)
        part.replace(path)
        sync_folder(path.parent)

    def _begin(self, connection: sqlite3.Connection, first: Sequence[Record]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        for statement in (*_TABLES, *self._projection.SCHEMA):
            connection.execute(statement)
        meta = {"format": FORMAT, "created": int(time.time() * 1000), "sqlite": sqlite3.sqlite_version}
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        self._insert(connection, first)
        connection.execute("COMMIT")

    def _insert(self, connection: sqlite3.Connection, records: Sequence[Record]) -> None:
        first, blob = records[0].position, self._encode(records)
        connection.execute("INSERT INTO batch VALUES (?, ?, ?)", (first, blob, checksum(first, blob)))
        self._projection.write(connection, records)

    def _unwritable(self, error: sqlite3.Error | OSError) -> LogError:
        return LogError(
            f"{self._path} cannot be written: {error}. Make room for it, or name another folder with --data."
        )
