"""What `saga doctor` looks at around the stack: state left behind, home, proxies, addresses, the user's database."""

import asyncio
import os
from collections.abc import Iterator

from filelock import FileLock, Timeout

from saga.clients.addresses import Addresses
from saga.clients.environment import read
from saga.clients.failure import Failure
from saga.common import project
from saga.common.http_clients import grpc_proxy_hint, is_this_machine, proxy_hint
from saga.kit.gateway.connection import host_of, plain_text
from saga.kit.settings import EngineSettings, WorkerSettings
from saga.stack.errors import StateFileError
from saga.stack.findings import Finding
from saga.stack.stack import Stack

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
    trouble = asyncio.run(project.participant_library("doctor").trouble(stack.database_url, project.ports()))
    if trouble:
        return Finding("Database", trouble, ok=False)
    also = f"; read: {', '.join(ambient)}" if ambient else ""
    return Finding("Database", f"answers{also}")
