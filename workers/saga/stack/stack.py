"""The embedded stack as one thing: up, down, status."""

import asyncio
import os
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from saga.clients.environment import read
from saga.clients.failure import bad_input
from saga.clients.ports import HOST, Ports, service_urls
from saga.clients.tokens import are_named
from saga.common import project
from saga.kit.settings import EngineSettings
from saga.stack import apps, state
from saga.stack.disk_space import require_room
from saga.stack.engine_log import is_new, require_settled
from saga.stack.errors import AlreadyRunningError, StackError
from saga.stack.layout import Layout
from saga.stack.logs import tail
from saga.stack.parts import Part
from saga.stack.ports import require_free
from saga.stack.postgres import database_url, forget_ambient_settings, is_initialized, postgres
from saga.stack.shutdown import end, terminate
from saga.stack.state import ProcessId, StackState, State
from saga.stack.supervisor import Supervisor
from saga.stack.tokens import tokens_of

PARTS = ("postgres", "engine", *project.ports(), "workers", "reconciler")
_NEEDS = {
    **dict.fromkeys(project.ports(), ("postgres",)),
    "workers": ("engine", *project.ports()),
    "reconciler": ("engine", *project.ports()),
}
_POLL = 0.1

Watch = Callable[[StackState], None]
"""Called with the state at every change of it."""


class Stack:
    """The stack of one data directory and port offset.

    What the environment names is not embedded: a cluster (`ZEEBE_ADDRESS` and the other names that Camunda's clients
    read) replaces the engine, `DATABASE_URL` replaces PostgreSQL, `TOKENS` or `TOKEN_...` the tokens.
    """

    def __init__(self, port_offset: int = 0, parts: Collection[str] = PARTS) -> None:
        """Describe the stack of `parts` and of everything that they need."""
        self.port_offset = port_offset
        self.layout = Layout.of(port_offset)
        self.ports = Ports.of(port_offset)
        self.has_own_engine = not read(EngineSettings).names_a_cluster
        self.has_own_database = not os.environ.get("DATABASE_URL")
        self.parts = self._closed(parts)

    # Before it runs

    def needed_ports(self) -> list[int]:
        """Return every port that a part listens on."""
        return [port for name in self.parts for port in self.ports.of_part(name)]

    # While it runs

    async def run(self, stop: asyncio.Event, watch: Watch, on_ready: Callable[[], bool] = lambda: True) -> None:
        """Be the supervisor until `stop` is set or `on_ready` says that it is enough.

        Args:
            stop: ends the run in order.
            watch: is called with the state at every change of it.
            on_ready: is called once, off the loop, when every part is ready; returns whether to stay up.

        Raises:
            AlreadyRunningError: another supervisor holds the data directory.
            PortTakenError: a port belongs to another process.
            PartFailedError: a part crashed too often; everything is stopped.
        """
        self.layout.data.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.layout.lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            message = f"A stack already runs in {self.layout.data}: see `saga status`, stop it with `saga down`."
            raise AlreadyRunningError(message) from None
        try:
            await self._supervise(stop, watch, on_ready)
        finally:
            lock.release()

    async def _supervise(self, stop: asyncio.Event, watch: Watch, on_ready: Callable[[], bool]) -> None:
        before = state.read(self.layout.state)
        if before is not None:
            state.sweep(before)
        if self.has_own_database:
            forget_ambient_settings()
        require_room(self.layout.data)
        require_free(self.needed_ports())

        def publish(now: StackState) -> None:
            state.write(self.layout.state, now)
            watch(now)

        parts = [self._part(name) for name in self.parts]
        supervisor = Supervisor(parts, self.layout.logs, publish)
        running = asyncio.create_task(supervisor.run(stop))
        ready = asyncio.create_task(supervisor.until_ready())
        try:
            await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
            if ready.done() and not stop.is_set() and not await _stay(on_ready, stop, running):
                stop.set()
            await running
        finally:
            ready.cancel()
            stop.set()
            await asyncio.wait([running])

    def start_detached(self) -> ProcessId:
        """Start a supervisor in the background, in a session of its own; `wait_ready` tells what comes of it."""
        self.layout.logs.mkdir(parents=True, exist_ok=True)
        log = self.layout.log("supervisor")
        pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "saga.stack", str(self.port_offset), *self.parts],
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
        return ProcessId.of(pid)

    def wait_ready(self, watch: Watch, supervisor: ProcessId | None = None, timeout: float = 300.0) -> None:
        """Wait until every part of the running stack is ready.

        Args:
            watch: is called with the state at every change of it.
            supervisor: the one that was just started, and has perhaps not written its state yet.
            timeout: in seconds.

        Raises:
            StackError: the supervisor gave up, ended, or took longer than `timeout`; then the one that was just started
                is stopped again.
        """
        deadline = time.monotonic() + timeout
        seen: StackState | None = None
        while time.monotonic() < deadline:
            now = self.running()
            if now is None and (supervisor is None or supervisor.find() is None):
                raise StackError(self._why_it_ended(supervisor))
            if now is not None and now != seen:
                watch(now)
                seen = now
            if now is not None and now.state is State.READY:
                return
            time.sleep(_POLL)
        awaited = [part.name for part in seen.parts if part.state is not State.READY] if seen is not None else []
        last = [line for name in (*awaited, "supervisor") for line in tail(self.layout.log(name), 15)]
        process = supervisor.find() if supervisor is not None else None
        if process is not None:
            terminate(process)
        which = f" ({', '.join(awaited)})" if awaited else ""
        message = "\n".join(
            (f"The stack was not ready after {timeout:.0f} s{which}. The last lines of its logs:", *last)
        )
        raise StackError(message)

    def _why_it_ended(self, supervisor: ProcessId | None) -> str:
        last = state.read(self.layout.state)
        if last is not None and last.failure and supervisor in {None, last.supervisor}:
            return last.failure
        log = self.layout.log("supervisor")
        said = "\n".join(tail(log, 15)).strip() if supervisor is not None else ""
        return said or f"The supervisor ended without a word: see {log}."

    def running(self) -> StackState | None:
        """Return the state while a supervisor lives, else None."""
        now = state.read(self.layout.state)
        return now if now is not None and now.supervisor.find() is not None else None

    def down(self, *, delete_data: bool = False) -> bool:
        """Stop the stack, wait until nothing of it is left, and forget its data if asked to.

        Returns:
            Whether anything ran.

        Raises:
            StackError: it cannot be stopped from here, or data could not be deleted.
        """
        return end(self.layout, delete_data=delete_data)

    # How to reach it

    @property
    def addresses(self) -> dict[str, str | None]:
        """Return every address by name; None for what the environment replaces and does not name."""
        ports = self.ports
        engine = read(EngineSettings)
        return {
            "zeebe": f"{HOST}:{ports.zeebe}" if self.has_own_engine else engine.address,
            "rest": self.rest_address,
            "management": f"http://{HOST}:{ports.management}" if self.has_own_engine else None,
            "postgres": f"postgresql://postgres@{HOST}:{ports.postgres}/postgres" if self.has_own_database else None,
            **{name: f"http://{HOST}:{port}" for name, port in ports.services.items()},
        }

    @property
    def rest_address(self) -> str | None:
        """Return the base URL of the engine's REST API; None where the environment names a cluster and no such URL."""
        if self.has_own_engine:
            return f"http://{HOST}:{self.ports.rest}"
        return os.environ.get("CAMUNDA_REST_ADDRESS") or None

    @property
    def database_url(self) -> str:
        """Return the administrator's URL of the database, password included: the environment's, or our server's."""
        return os.environ.get("DATABASE_URL") or database_url(self.layout, self.ports)

    @cached_property
    def tokens(self) -> Path:
        """Return the folder of the stack's own tokens, made where it is not there yet."""
        return tokens_of(self.layout)

    def _closed(self, parts: Collection[str]) -> tuple[str, ...]:
        """Add what `parts` need; drop what the environment replaces."""
        unknown = sorted(set(parts) - set(PARTS))
        if unknown:
            message = f"There is no part {', '.join(unknown)}; the parts are {', '.join(PARTS)}."
            raise bad_input(message)
        wanted: set[str] = set()
        queue = list(parts)
        while queue:
            name = queue.pop()
            wanted.add(name)
            queue.extend(_NEEDS.get(name, ()))
        replaced = (set() if self.has_own_engine else {"engine"}) | (set() if self.has_own_database else {"postgres"})
        if self.rest_address is None:
            replaced.add("reconciler")  # Nobody could tell it what became of an instance.
        return tuple(name for name in PARTS if name in wanted - replaced)

    def _part(self, name: str) -> Part:
        match name:
            case "postgres":
                return postgres(self.layout, self.ports)
            case "engine":
                return self._engine()
            case "workers":
                return apps.workers(self.layout, self.ports, self.application_environment())
            case "reconciler":
                return apps.reconciler(self.ports, self.application_environment())
            case _:
                return apps.service(name, self.ports, self.application_environment())

    def _engine(self) -> Part:
        part = apps.engine(self.layout, self.ports)
        has_data = not self.has_own_database or ("postgres" in self.parts and is_initialized(self.layout))
        if not (has_data and is_new(self.layout)):
            return part
        return replace(
            part, needs=frozenset({"postgres"}), prepare=lambda: require_settled(self.layout, self.database_url)
        )

    def application_environment(self) -> dict[str, str]:
        """Return what the services and the workers find everything by."""
        participants = service_urls(self.ports)
        own_engine = {
            "ZEEBE_ADDRESS": f"{HOST}:{self.ports.zeebe}",
            "CAMUNDA_REST_ADDRESS": f"http://{HOST}:{self.ports.rest}",
        }
        return {
            "DATABASE_URL": self.database_url,
            "SAGA_PORT_OFFSET": str(self.port_offset),
            **({} if are_named() else {"TOKENS": str(self.tokens)}),
            "RECONCILER_URL": os.environ.get("RECONCILER_URL") or f"http://{HOST}:{self.ports.reconciler}",
            **apps.events_url(participants),
            **participants,
            **(own_engine if self.has_own_engine else {}),
        }


async def _stay(on_ready: Callable[[], bool], stop: asyncio.Event, running: asyncio.Task[None]) -> bool:
    """Call `on_ready` on a thread; what fails there because the stack is being stopped is no failure."""
    try:
        return await asyncio.to_thread(on_ready)
    except Exception:
        if stop.is_set():
            return False
        stop.set()
        # Why the stack itself ended, should it have, says more than what that led to.
        await running
        raise
