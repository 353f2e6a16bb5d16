"""The relay: delivers a service's events from its outbox to their consumer, at least once and in order.

It runs in each process of the service, and one of them leads: that which holds an advisory lock in the session in which
it also reads and marks. Who loses the session has lost the lead, and can mark nothing any more.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final, TypeAlias

import asyncpg
import httpx
import structlog

from saga.common.backoff import EQUAL_JITTER, ExponentialBackoff
from saga.common.http_clients import open_client
from saga.common.responses import fetch, retry_after
from saga.common.tokens import TokenMissingError, Tokens
from services.participant.database import Database
from services.participant.events import BATCH, LIMIT

CALLER = "record-events"
"""The caller whose token the relay sends."""

_LOCK = 0x5E1A
"""Our key among the database's advisory locks; the second half of it is the schema's."""
_QUERY_TIMEOUT = 6.0
"""Seconds for one query: a little more than the server itself grants."""
_MAX_RETRY_AFTER = 60.0
"""Seconds that a consumer's Retry-After is followed at most."""
_REMIND = 60.0
"""Seconds after which a failure that lasts is logged again."""
_TIDY_EVERY = 3600.0
"""Seconds between two removals of what has been delivered or received long ago."""
_TIDY_ROWS = 5000
"""Rows that one statement removes: no transaction is long."""
_SESSION = {
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}
_CONTENT_REJECTED = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
)
"""Answers about what was sent. All others are about the way or the consumer, and no event is at fault."""

_UNDELIVERED = (
    "SELECT position, event FROM outbox WHERE delivered_at IS NULL AND rejected_with IS NULL ORDER BY position LIMIT $1"
)
_DELIVERED = "UPDATE outbox SET delivered_at = now() WHERE position = ANY($1::bigint[])"
_REJECTED = "UPDATE outbox SET rejected_with = $2 WHERE position = $1"
_TIDY = tuple(
    f"DELETE FROM {table} WHERE ctid = ANY(ARRAY(SELECT ctid FROM {table} WHERE {age} < now() - $1::interval LIMIT $2))"  # noqa: S608 - our own names
    for table, age in (("outbox", "delivered_at"), ("inbox", "received_at"))
)

_Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelayTimes:
    """All in seconds."""

    poll: float = 5.0
    """Between two looks at the outbox, or at the lock: what another process commits wakes nobody here."""
    post_timeout: float = 5.0
    """For one delivery: shorter than the drain, which the one in flight may use."""
    idle_session_timeout: float = 90.0
    """A leader whose machine is gone, or that was stopped (SIGSTOP), must not lead for ever."""


TIMES: Final = RelayTimes()


@dataclass(frozen=True, slots=True)
class _Failed:
    """The consumer did not take the events."""

    reason: str
    status: int = 0
    retry_after: float = 0.0
    is_slow: bool = False
    """Whether it was reached, and did not answer in time: fewer events take less."""

    @property
    def is_about_content(self) -> bool:
        return self.status in _CONTENT_REJECTED


class Relay:
    """Delivers the events of one schema to one consumer."""

    def __init__(
        self, database: Database, events_url: str, *, tokens: Tokens, retention: timedelta, times: RelayTimes = TIMES
    ) -> None:
        """Remove what was delivered or received longer ago than `retention`."""
        self._database = database
        self._events_url = events_url
        self._tokens = tokens
        self._retention = retention
        self._times = times
        self._stopping = asyncio.Event()
        self._backoff = ExponentialBackoff(base=0.1, cap=5.0, jitter=EQUAL_JITTER)
        self._reported = ("", 0.0)
        self._batch = LIMIT

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while the body runs; the delivery in flight is ended and marked before this returns."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self.stop()
            await task

    def stop(self) -> None:
        """Begin no more deliveries."""
        self._stopping.set()
        self._database.event_committed.set()

    async def _run(self) -> None:
        async with open_client(self._events_url, timeout=self._times.post_timeout) as http:
            while not self._stopping.is_set():
                try:
                    await self._take_turns(http)
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                    await self._back_off(_Failed(f"database: {type(error).__name__}"))
                except Exception:  # noqa: BLE001 - whatever it is, it is logged with its place
                    # A bug here must not end the deliveries of a process that goes on serving.
                    _log.exception("relay failed")
                    await self._back_off(_Failed("bug"))

    async def _take_turns(self, http: httpx.AsyncClient) -> None:
        """Hold one session: wait for the lead in it, and lead."""
        connection: _Connection = await self._database.session()
        try:
            own = {"idle_session_timeout": f"{self._times.idle_session_timeout * 1_000:.0f}ms"}
            for name, value in (_SESSION | own).items():
                await connection.execute(f"SET {name} = '{value}'", timeout=_QUERY_TIMEOUT)
            lock = "SELECT pg_try_advisory_lock($1, hashtext($2))"
            while not await connection.fetchval(lock, _LOCK, self._database.schema, timeout=_QUERY_TIMEOUT):
                if await self._stopped_within(self._times.poll):
                    return
            _log.info("relay leads")
            await self._lead(connection, http)
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await connection.close(timeout=1.0)

    async def _lead(self, connection: _Connection, http: httpx.AsyncClient) -> None:
        tidy_at = time.monotonic()
        while not self._stopping.is_set():
            if time.monotonic() >= tidy_at:
                await self._tidy(connection)
                tidy_at = time.monotonic() + _TIDY_EVERY
            # Cleared before the look: what is committed after it wakes us again.
            self._database.event_committed.clear()
            rows = await connection.fetch(_UNDELIVERED, self._batch, timeout=_QUERY_TIMEOUT)
            if rows:
                await self._deliver(connection, http, rows)
            elif not self._stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._database.event_committed.wait(), self._times.poll)

    async def _deliver(self, connection: _Connection, http: httpx.AsyncClient, rows: list[asyncpg.Record]) -> None:
        """Send the rows and mark them, or make the next batch smaller, or wait."""
        begun = time.monotonic()
        failed = await self._post(http, [row["event"] for row in rows])
        took = time.monotonic() - begun
        if failed is None:
            await connection.execute(_DELIVERED, [row["position"] for row in rows], timeout=_QUERY_TIMEOUT)
            self._recover()
            if took * 2 < self._times.post_timeout / 2:  # twice as many take twice as long, and have to fit
                self._batch = min(self._batch * 2, LIMIT)
        elif failed.is_slow:
            self._batch = max(1, len(rows) // 2)
            await self._back_off(failed)
        elif not failed.is_about_content:
            await self._back_off(failed)
        elif len(rows) > 1:
            # One of them is at fault. The consumer takes a batch wholly or not at all: halves lead to that one.
            self._batch = len(rows) // 2
        else:
            position = rows[0]["position"]
            await connection.execute(_REJECTED, position, failed.status, timeout=_QUERY_TIMEOUT)
            _log.error("event rejected", position=position, status=failed.status)
            self._batch = min(self._batch * 2, LIMIT)

    async def _post(self, http: httpx.AsyncClient, events: list[str]) -> _Failed | None:
        """Send events as they are in the outbox."""
        try:
            headers = {**self._tokens.authorization(CALLER), "Content-Type": BATCH}
            async with asyncio.timeout(self._times.post_timeout):  # httpx bounds each read, and not their sum
                answer = await fetch(http, "POST", self._events_url, content=f"[{','.join(events)}]", headers=headers)
        except TokenMissingError:
            return _Failed(f"no token for {CALLER}")
        except (httpx.HTTPError, TimeoutError) as error:
            is_slow = isinstance(error, TimeoutError | httpx.ReadTimeout | httpx.WriteTimeout)
            return _Failed(f"consumer: {type(error).__name__}", is_slow=is_slow)
        if answer.is_success:
            return None
        return _Failed(
            f"consumer: {answer.status_code}", answer.status_code, retry_after(answer, _MAX_RETRY_AFTER) or 0.0
        )

    async def _tidy(self, connection: _Connection) -> None:
        for statement in _TIDY:
            removed = _TIDY_ROWS
            while removed == _TIDY_ROWS and not self._stopping.is_set():
                done = await connection.execute(statement, self._retention, _TIDY_ROWS, timeout=_QUERY_TIMEOUT)
                removed = int(done.rpartition(" ")[2])

    async def _back_off(self, failed: _Failed) -> None:
        self._report(failed.reason)
        await self._stopped_within(max(next(self._backoff), failed.retry_after))

    def _report(self, reason: str) -> None:
        """Log a failure when it is new, and from time to time while it lasts."""
        last, at = self._reported
        if reason != last or time.monotonic() >= at + _REMIND:
            _log.warning("events wait", reason=reason)
            self._reported = reason, time.monotonic()

    def _recover(self) -> None:
        if self._backoff.failures:
            _log.info("events are delivered again")
        self._backoff.reset()
        self._reported = "", 0.0

    async def _stopped_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()
