"""Questions to the search tables, asked in threads: a slow search never stalls the loop."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

_Answer = TypeVar("_Answer")

_THREADS = 2
_BUSY_SECONDS = 5.0


class Reader:
    """Runs queries, each in a read transaction of its own: a query sees one state of the tables, committed."""

    def __init__(self, connect: Callable[[], sqlite3.Connection], executor: Executor | None = None) -> None:
        """Take connections from `connect`, one for each thread, and close them at the end.

        `executor` is where the queries run, by default two threads of its own. An engine in memory (`--memory`) gives
        the writer's executor of one thread and, as `connect`, the writer's own connection: its tables are nowhere else.
        """
        self._connect = connect
        self._own = None if executor else ThreadPoolExecutor(_THREADS, thread_name_prefix="search")
        self._executor = executor or self._own
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []

    @classmethod
    def of_file(cls, path: Path) -> "Reader":
        """Read the tables in a log file, which another connection may be writing."""

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(
                f"file:{quote(str(path))}?mode=ro",
                uri=True,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,  # `close` closes them all, in the loop's thread
            )

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
        """Wait for the queries that run, and close the connections (not those of a shared executor)."""
        if self._own is not None:
            self._own.shutdown()
            for connection in self._connections:
                connection.close()
            self._connections.clear()
