"""Questions to the search tables, asked in threads: a slow search never stalls the loop."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Answer = TypeVar("_Answer")

_THREADS = 2
_BUSY = 5.0
"""Seconds to wait for a lock that a writer holds in memory; in a file readers need none."""


class Reader:
    """Runs queries, each in a read transaction of its own: a query sees one state of the tables, committed."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        """Take connections from `connect`, one for each thread, and close them at the end.

        An engine in memory (`--memory`) has its tables in a database of SQLite's own in-memory file system, which
        connections of the same process share by its name; so this is the same for both.
        """
        self._connect = connect
        self._executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="search")
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    @classmethod
    def of_uri(cls, uri: str) -> "Reader":
        """Read the tables in a log, by the URI that the log names for its readers."""

        def connect() -> sqlite3.Connection:
            # `close` closes them all, in the loop's thread.
            return sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None, check_same_thread=False)

        return cls(connect)

    async def read(self, query: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        """Run a query and return its answer."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._read, query)

    def _read(self, query: Callable[[sqlite3.Connection], _Answer]) -> _Answer:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self._connect()
            self._connections.append(connection)
        connection.execute("BEGIN")
        try:
            return query(connection)
        finally:
            connection.execute("ROLLBACK")

    def close(self) -> None:
        """Wait for the queries that run, and close the connections."""
        self._executor.shutdown()
        for connection in self._connections:
            connection.close()
