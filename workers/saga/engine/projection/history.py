"""How ended process instances leave the search tables: each with all that belongs to it, a portion at a time."""

import sqlite3
import time

from . import tables

PORTION = 250
"""Rows that one call deletes at most."""
LONGEST = 0.01
"""Seconds after which one call deletes rows of no further instance: large values take longer than their number says."""
_OLDEST = (
    "SELECT process_instance_key, end_date FROM process_instances"
    " WHERE end_date IS NOT NULL AND parent_process_instance_key IS NULL ORDER BY end_date LIMIT 1"
)
_CALLED = "SELECT process_instance_key FROM process_instances WHERE parent_process_instance_key = ? LIMIT 1"
_KEYED = (
    tables.ELEMENTS,
    tables.VARIABLES,
    tables.INCIDENTS,
    tables.JOBS,
    tables.TASKS,
    tables.SUBSCRIPTIONS,
)
_BELONGING = (
    *(
        f"DELETE FROM {table.name} WHERE {table.fixed[0]} IN"  # noqa: S608 - names of ours
        f" (SELECT {table.fixed[0]} FROM {table.name} WHERE process_instance_key = ?1 LIMIT ?2)"
        for table in _KEYED
    ),
    (
        "DELETE FROM sequence_flows WHERE process_instance_key = ?1 AND element_id IN"
        " (SELECT element_id FROM sequence_flows WHERE process_instance_key = ?1 LIMIT ?2)"
    ),
)


def forget(connection: sqlite3.Connection, before: int) -> int | None:
    """Delete a portion of the rows of process instances that ended at `before` or earlier, in milliseconds since 1970.

    A called instance goes with its root, which ended last; the root's own row goes at the very end, so that the next
    call finds what is left of it. The caller's transaction is open.

    Returns:
        When the oldest root that is left ended; None where no root has ended.
    """
    left = PORTION
    end = time.monotonic() + LONGEST
    while (oldest := connection.execute(_OLDEST).fetchone()) is not None:
        root, ended = oldest
        if ended > before or left <= 0:
            return int(ended)
        left -= _delete(connection, _last_called(connection, root), left)
        if time.monotonic() >= end:
            left = 0
    return None


def _last_called(connection: sqlite3.Connection, root: int) -> int:
    """Return an instance that is called, by way of others, by `root`, and calls none; `root` where it calls none."""
    key = root
    while (called := connection.execute(_CALLED, (key,)).fetchone()) is not None:
        key = called[0]
    return key


def _delete(connection: sqlite3.Connection, instance: int, most: int) -> int:
    """Delete up to so many rows of one instance, its own one last; return how many it were."""
    deleted = 0
    for statement in _BELONGING:
        deleted += connection.execute(statement, (instance, most - deleted)).rowcount
    if deleted < most:
        connection.execute(tables.INSTANCES.delete, (instance,))
        deleted += 1
    return deleted
