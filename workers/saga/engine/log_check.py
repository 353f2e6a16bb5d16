"""What is looked at before a log is opened, by reading only: SQLite's version, the log's format, and damage."""

import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from .errors import CannotStart
from .log_wal import frames_behind_damage

FORMAT = 1
"""The format of the file that this release writes; it reads no other."""
UNREADABLE = (sqlite3.DatabaseError, UnicodeDecodeError)
"""What reading a damaged file raises: SQLite's message may quote damaged text."""
_SQLITE = (3, 34, 0)
_SQLITE_IN_MEMORY = (3, 36, 0)
_SCHEMA = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY sql"
_FIRST = """
SELECT min(first_position), coalesce((SELECT value FROM meta WHERE name = 'first_position'), 1) FROM batch
"""
"""Where the log begins, and where it should: behind what was compacted."""
_CONTENT = "SELECT first_position, records, checksum FROM batch UNION ALL SELECT * FROM snapshot"


class LogError(CannotStart):
    """The log cannot be used; the message says which, why, and what to do."""


def damaged(path: Path | None, what: object) -> LogError:
    """Return the error of a log that is damaged."""
    return LogError(f"{path or 'The log'} is damaged: {_in_a_line(what)}. Restore a backup of it.")


def checksum(position: int, data: bytes) -> int:
    """Return the CRC-32 of what stands at a position."""
    return zlib.crc32(data, position & 0xFFFFFFFF)


def check_sqlite(*, in_memory: bool) -> None:
    """Refuse a SQLite that is too old for a log in a file, or in memory.

    Raises:
        LogError: It is too old.
    """
    needed = _SQLITE_IN_MEMORY if in_memory else _SQLITE
    if sqlite3.sqlite_version_info < needed:
        text = ".".join(map(str, needed))
        message = f"SQLite {sqlite3.sqlite_version} is too old: {text} or newer is needed. Use a newer Python."
        raise LogError(message)


def check_format(path: Path) -> None:
    """Refuse a file that this release cannot read.

    Raises:
        LogError: It is not a log, or of another format.
    """
    try:
        with closing(open_read_only(path)) as connection:
            found = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    except UNREADABLE as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_CANTOPEN:
            message = f"{path} cannot be opened. SQLite needs a folder that it can read and write."
            raise LogError(message) from None
        message = f"{path} is not a log of `saga engine` ({_in_a_line(error)}). Name another folder with --data."
        raise LogError(message) from None
    if found is None or found[0] != FORMAT:
        name = found[0] if found else "none"
        message = f"{path} has the format {name}, and this release reads {FORMAT}. Use the release that wrote it."
        raise LogError(message)


def check_damage(path: Path, schema: Sequence[str]) -> None:
    """Refuse a log that is damaged, or has other tables than `schema`. Nobody else may be writing it.

    Raises:
        LogError: It is.
    """
    with closing(sqlite3.connect(":memory:")) as memory:
        for statement in schema:
            memory.execute(statement)
        expected = memory.execute(_SCHEMA).fetchall()
    try:
        with closing(open_read_only(path)) as connection:
            if connection.execute(_SCHEMA).fetchall() != expected:
                message = f"its tables are not those of format {FORMAT}"
                raise damaged(path, message)
            # Both together take 0.2 s for 100 MB.
            found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            if found != "ok":
                raise damaged(path, found)
            for position, data, written in connection.execute(_CONTENT):
                if written != checksum(position, data):
                    message = f"what was written at position {position} has changed"
                    raise damaged(path, message)
            [[first, written]] = connection.execute(_FIRST)
            # A log without any record is refused when its records are read.
            if first is not None and first != written:
                message = f"it begins at position {first}, and should begin at {written}"
                raise damaged(path, message)
    except UNREADABLE as error:
        raise damaged(path, error) from None
    check_wal(path)


def check_wal(path: Path) -> None:
    """Refuse a log whose write-ahead log has commits behind a damaged one: SQLite would drop them without a word.

    Nobody else may have the log open, in this process neither: what is read of it would take their locks away.

    Raises:
        LogError: There are such commits.
    """
    try:
        with closing(open_read_only(path)) as connection:
            # SQLite finds out, and notes in the -shm file, how much of the write-ahead log it can read.
            connection.execute(_SCHEMA).fetchall()
    except UNREADABLE as error:
        raise damaged(path, error) from None
    if lost := frames_behind_damage(path):
        message = f"a commit in {path.name}-wal cannot be read, and {lost} behind it would be lost"
        raise damaged(path, message)


def open_read_only(path: Path, timeout: float = 5.0) -> sqlite3.Connection:
    """Open the database of a log to read it; `timeout` is in seconds, for a lock of somebody else's."""
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout)


def _in_a_line(text: object) -> str:
    """Return what SQLite says, which may quote a damaged statement, as one line."""
    return " ".join(str(text).split())[:300]
