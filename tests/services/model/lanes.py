"""Commands that run at the same time, statement by statement, in the order that a scheduler says.

A lane stands for one process of a service: it has a connection of its own, and each of its statements, its COMMIT
among them, waits at a gate. A statement that PostgreSQL lets wait for another lane's lock is seen as such, and the
others go on.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg
from sqlalchemy import Connection, event, util

from services.participant.database import Database, DatabaseTimeouts

_SOON = 0.002
"""Seconds in which a statement ends, as a rule; after them it is asked for what it waits."""
_BOUND = 20.0
"""Seconds after which a lane that neither ends nor waits for another is stuck."""
UNHURRIED = DatabaseTimeouts(connect=60.0, transaction=60.0, lock=60.0, statement=60.0, idle_in_transaction=60.0)
"""Nothing is answered 503 because a loaded machine is slow: time is no part of the model."""


class Killed(BaseException):
    """The process is gone, in the middle of something that is no statement; nothing in it can see to that."""


class Lane(Database):
    """One process of a service, at most one command in it."""

    def __init__(self, url: str, schema: str) -> None:
        super().__init__(url, schema, UNHURRIED)
        self.pid = 0
        self.blocked = False
        self.crashed = False
        self.at_commit = False
        self.committed = False
        self._gated = False
        self._gate: asyncio.Future[bool] | None = None
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[Any] | None = None
        engine = self._engine.sync_engine
        event.listen(engine, "before_cursor_execute", lambda connection, *_: self._wait(connection, commit=False))
        event.listen(engine, "commit", lambda connection: self._wait(connection, commit=True))

    def start(self, command: Coroutine[Any, Any, None]) -> None:
        """Begin the command; it waits before its first statement."""
        self.pid = 0  # The backend of a command that was cut off may still be there: it is none of ours.
        self.blocked = self.crashed = self.at_commit = self.committed = False
        self._gated = True
        self._stopped.clear()
        self._task = asyncio.get_running_loop().create_task(command)
        self._task.add_done_callback(lambda _: self._stopped.set())

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def waits_for_us(self) -> bool:
        return self._gate is not None

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()

    def go_on(self, *, crash: bool = False) -> None:
        """Send what waits, or cut the connection in its place, as a process does that is killed."""
        assert self._gate
        gate, self._gate = self._gate, None
        self._stopped.clear()
        self.crashed = crash
        self.committed = self.at_commit and not crash
        gate.set_result(crash)

    async def soon(self) -> None:
        """Wait a moment for the command to come to its next statement, or to its end."""
        try:
            async with asyncio.timeout(_SOON):
                await self._stopped.wait()
        except TimeoutError:
            return

    def raise_bug(self) -> None:
        """Raise what the ended command raised instead of answering."""
        assert self._task
        self._task.result()

    async def abandon(self) -> None:
        """Cut the command off, if one is still there."""
        while self.busy:
            if self._gate:
                self.go_on(crash=True)
            await self.soon()

    def _wait(self, connection: Connection, *, commit: bool) -> None:
        driver = connection.connection.driver_connection
        assert driver
        self.pid = driver.get_server_pid()
        if self._gated and util.await_only(self._stop(commit=commit)):
            driver.terminate()

    def _stop(self, *, commit: bool = False) -> asyncio.Future[bool]:
        """Wait at the gate; what comes of it is whether the process is killed there."""
        self.at_commit = commit
        self._gate = asyncio.get_running_loop().create_future()
        self._stopped.set()
        return self._gate


class Scheduler:
    """Knows which lanes can go on."""

    def __init__(self, lanes: list[Lane], watcher: "asyncpg.Connection[asyncpg.Record]") -> None:
        self.lanes = lanes
        self._watcher = watcher

    async def settle(self) -> None:
        """Return when each lane has ended, waits at its gate, or waits for the lock of another one."""
        async with asyncio.timeout(_BOUND):
            while True:
                before = [lane for lane in self.lanes if lane.busy]
                # Those that have just been let go first: they may end, and so let others go.
                for lane in sorted(before, key=lambda lane: lane.blocked):
                    await self._settle(lane)
                if all(lane.busy for lane in before):
                    return

    async def _settle(self, lane: Lane) -> None:
        if not lane.blocked:
            await lane.soon()
        while not lane.stopped:
            others = {each.pid for each in self.lanes if each.busy and not each.crashed} - {lane.pid}
            blockers = await self._watcher.fetchval("SELECT pg_blocking_pids($1)", lane.pid)
            if others & set(blockers):
                lane.blocked = True
                return
            await lane.soon()
        lane.blocked = False

    @property
    def free(self) -> list[Lane]:
        return [lane for lane in self.lanes if not lane.busy]

    @property
    def runnable(self) -> list[Lane]:
        return [lane for lane in self.lanes if lane.waits_for_us]

    async def clear(self) -> None:
        """Cut off whatever still runs, so that it holds no lock."""
        for lane in self.runnable:
            await lane.abandon()
        for lane in self.lanes:
            await lane.abandon()
