"""Compaction of the log: batches whose records are in the snapshot and older than the retention are deleted."""

import sqlite3
from contextlib import closing

import msgspec

PORTION = 1 << 18
"""Bytes of batches that one call deletes, and one batch more at most."""
_END = "SELECT max(first_position) FROM batch WHERE first_position <= (SELECT max(position) FROM snapshot)"
"""The batch with the snapshot's last record, which stays: a log ends at its snapshot or behind it."""
_BATCHES = "SELECT first_position, records FROM batch WHERE first_position <= ? ORDER BY first_position"
_FIRST = "INSERT OR REPLACE INTO meta VALUES ('first_position', ?)"


class _Time(msgspec.Struct, array_like=True, gc=False):
    """The first fields of a record."""

    position: int
    source: int
    key: int
    timestamp: int


_DECODE = msgspec.msgpack.Decoder(list[_Time]).decode


def compact(connection: sqlite3.Connection, before: int) -> int | None:
    """Delete a portion of the batches that the snapshot covers wholly, from the log's first one on.

    It ends at the first batch with a record that is younger than `before`, in milliseconds since 1970. The position
    at which the log begins is kept beside it: a log that begins elsewhere is damaged. The caller's transaction is open.

    Returns:
        The time of the first batch that is left; None where there is nothing to delete until there is a new snapshot.
    """
    [[end]] = connection.execute(_END)
    size, first, newest = 0, end, None
    with closing(connection.execute(_BATCHES, (end,))) as batches:
        for first, blob in batches:
            newest = max(record.timestamp for record in _DECODE(blob)) if first < end else None
            if newest is None or newest > before or size >= PORTION:
                break
            size += len(blob)
    if size:
        connection.execute("DELETE FROM batch WHERE first_position < ?", (first,))
        connection.execute(_FIRST, (first,))
    return newest
