"""What `saga doctor` looks at around the stack: state left behind, home, proxies, addresses, the user's database."""

import asyncio
import os
from collections.abc import Iterator

import asyncpg
from filelock import FileLock, Timeout
from sqlalchemy.exc import ArgumentError

import services
from services.kit import schema
from services.kit.clients import grpc_proxy_hint, is_this_machine, proxy_hint
from services.kit.connect_failure import why_not_connected
from services.kit.database import connect
from workers.addresses import Addresses
from workers.cluster.errors import StateFileError
from workers.cluster.findings import Finding
from workers.cluster.stack import Stack
from workers.environment import read
from workers.failure import Failure
from workers.kit.connection import host_of, plain_text
from workers.kit.settings import EngineSettings, WorkerSettings

_PROXIES = ("GRPC_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def surroundings(stack: Stack) -> Iterator[Finding]:
    """Look at what surrounds `stack`; a database that the user names is connected to, and nothing is changed in it."""
    yield _state(stack)
    yield _home()
    yield from _engine(stack)
    yield _database(stack)


def _state(stack: Stack) -> Finding:
    layout = stack.layout
    try:
        if stack.running() is not None:
            return Finding("State", "a stack runs here")
    except StateFileError as error:
        return Finding("State", str(error), ok=False)
    if not layout.lock.exists():
        return Finding("State", "no stack runs here")
    lock = FileLock(layout.lock)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        detail = f"a process holds {layout.lock}, and {layout.state} does not name it: it starts, or end it"
        return Finding("State", detail, ok=False)
    except OSError as error:
        return Finding("State", f"{layout.lock}: {error.strerror}", ok=False)
    lock.release()
    return Finding("State", "no stack runs here")


def _home() -> Finding:
    try:
        folder = read(WorkerSettings).state.expanduser()
    except RuntimeError:
        detail = "none: workers outside of the stack keep no journal; set WORKER_STATE to a folder"
        return Finding("Home", detail)
    except Failure as error:
        return Finding("Environment", str(error), ok=False)
    there = next(each for each in (folder, *folder.parents) if each.exists())
    ok = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    return Finding("Home", str(folder) if ok else f"{there} cannot be written; set WORKER_STATE", ok=ok)


def _engine(stack: Stack) -> Iterator[Finding]:
    settings = read(EngineSettings)
    try:
        is_plain, target = plain_text(settings)
        addresses = Addresses.of(stack.port_offset)
    except (ValueError, Failure) as error:
        yield Finding("Addresses", str(error), ok=False)
        return
    if stack.has_own_engine:
        yield Finding("Engine", "embedded")
    else:
        yield Finding("Engine", f"{target}, {'plain text' if is_plain else 'TLS'}")
    named = [name for each in _PROXIES for name in (each.lower(), each) if os.environ.get(name)]
    if not named:
        yield Finding("Proxies", "none")
        return
    host = host_of(target)
    hints = [] if is_this_machine(host) else [grpc_proxy_hint(host)]
    hints += [proxy_hint(url) for url in (addresses.rest, *addresses.services.values()) if url]
    used = " ".join(dict.fromkeys(hint.strip() for hint in hints if hint))
    yield Finding("Proxies", used or f"{', '.join(named)}: this machine is asked without them")


def _database(stack: Stack) -> Finding:
    ambient = sorted(name for name in os.environ if name.startswith("PG"))
    if stack.has_own_database:
        ignored = f"; ignored: {', '.join(ambient)}" if ambient else ""
        return Finding("Database", f"embedded{ignored}")
    url = stack.database_url
    try:
        found = asyncio.run(_revisions(url))
    except (OSError, asyncpg.ClientConfigurationError) as error:
        return Finding("Database", why_not_connected(url, error), ok=False)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return Finding("Database", f"It refuses: {str(error).splitlines()[0]}", ok=False)
    except (ValueError, ArgumentError):
        return Finding("Database", "DATABASE_URL is not a PostgreSQL URL", ok=False)
    ahead = [name for name, at in found.items() if at and schema.fit(name, at) is schema.Fit.AHEAD]
    if ahead:
        return Finding("Database", " ".join(schema.mismatch(name, found[name]) for name in ahead), ok=False)
    also = f"; read: {', '.join(ambient)}" if ambient else ""
    return Finding("Database", f"answers{also}")


async def _revisions(url: str) -> dict[str, frozenset[str]]:
    connection = await connect(url, "public")
    try:
        return {name: await schema.revisions(connection, name) for name in services.PORTS}
    finally:
        await connection.close()
