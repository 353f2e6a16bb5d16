"""The way to PostgreSQL: short transactions with bounds on every wait, and answers that tell busy from away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Final

import asyncpg
import structlog
from fastapi import Depends, Request
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.ext.asyncio.engine import AsyncConnection, AsyncEngine, create_async_engine

from services.participant import outbox, schema
from services.participant.admission import WAIT, Admission, NoPlaceError, deadline
from services.participant.problems import DATABASE_UNAVAILABLE, IN_PROGRESS, OVERLOADED, Problem

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseTimeouts:
    """Seconds that each wait for the database takes at most."""

    connect: float = 2.0
    """To reach the server."""
    transaction: float = 4.0
    """For a whole transaction, once it has a connection."""
    lock: float = 2.0
    """A command waits so long for its twin, or for a row that another command changes."""
    statement: float = 5.0
    idle_in_transaction: float = 10.0
    """A process that was stopped in the middle of a transaction must not hold its locks for ever."""

    def server_settings(self) -> dict[str, str]:
        """Return those that the server itself watches, under its names and in milliseconds."""
        own = {
            "lock_timeout": self.lock,
            "statement_timeout": self.statement,
            "idle_in_transaction_session_timeout": self.idle_in_transaction,
        }
        return {name: f"{seconds * 1_000:.0f}" for name, seconds in own.items()}


TIMEOUTS: Final = DatabaseTimeouts()
_POOL_SIZE = 10
"""Connections per process: enough for one event loop, few enough for many replicas at one server."""
_LOCKED = frozenset({"55P03", "40P01"})
"""lock_not_available and deadlock_detected (PostgreSQL, appendix A): another command is in the way, ask again."""
_AWAY = frozenset({"08", "53", "57", "58"})
"""SQLSTATE classes of a server that cannot serve now: connection, resources, operator intervention, system."""
_CAUSES = {
    "25006": "The database takes no writes: it is a standby, or fails over.",
    "28": "The database does not let the service in: its role, its password or the server's rules have changed.",
    "3D": "The database is not there any more.",
    "0A000": "The database has changed its tables, and the statement was prepared for the old ones.",
    "42501": "The database has taken rights away from the service's role.",
}
"""SQLSTATEs, and classes of them, that pass once somebody has seen to it: neither a bug nor a word on the command."""
_STALE = asyncpg.exceptions.OutdatedSchemaCacheError
_ABOUT_SCHEMA = frozenset({"23", "42"})
"""SQLSTATE classes that are bugs, unless a migration came: a column or a table is not there, or wants more."""


def libpq_url(url: str) -> str:
    """Return `url` in the form that every PostgreSQL client understands, without a driver in its scheme."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


async def connect(
    url: str, schema: str, *, bounded: bool = True, timeouts: DatabaseTimeouts = TIMEOUTS
) -> "asyncpg.Connection[asyncpg.Record]":
    """Open one connection; its unqualified names mean `schema`. Its waits end soon where it is `bounded`.

    Raises:
        OSError: nobody answers there in time.
        asyncpg.PostgresError: the server refuses.
    """
    settings = {"search_path": schema} | (timeouts.server_settings() if bounded else {})
    return await asyncpg.connect(libpq_url(url), timeout=timeouts.connect, server_settings=settings)


class Database:
    """One service's schema, seen through its own role."""

    def __init__(self, url: str, schema: str, timeouts: DatabaseTimeouts = TIMEOUTS) -> None:
        """Open nothing yet; unqualified names mean `schema`."""
        self.schema = schema
        self._url = url
        self._timeouts = timeouts
        self.event_committed = asyncio.Event()
        """Set by each commit that wrote an event; who waits for it clears it."""
        self._admission = Admission(_POOL_SIZE)
        self._answered = 0
        """How often the server has ended a transaction, well or not."""
        self._is_away = False
        """Whether the server was away when it was asked last."""
        self._engine: AsyncEngine = create_async_engine(
            "postgresql+asyncpg://",
            async_creator=lambda: connect(url, schema, timeouts=timeouts),
            pool_size=_POOL_SIZE,
            max_overflow=0,
            hide_parameters=True,  # They are customers' data, and an error's text ends in logs.
        )

    @asynccontextmanager
    async def transaction(self, *, first: bool = False) -> AsyncIterator[AsyncConnection]:
        """Run the body in one transaction: committed when it ends, rolled back when it raises.

        `first` goes before all others that wait for a connection: a probe, and a command that has begun already.

        Raises:
            Problem: OVERLOADED where others use all connections for too long: it was not begun, or ended half-way.
                DATABASE_UNAVAILABLE where the database cannot serve now, COMMAND_IN_PROGRESS where another transaction
                held what this one needs for too long. Whether a commit that was cut off took effect is not known; the
                same command may be sent again.
        """
        answered = self._answered
        until = asyncio.get_running_loop().time() + WAIT if first else deadline()
        try:
            async with (
                self._admission.place(until, first=first),
                asyncio.timeout(self._timeouts.transaction),
                self._engine.begin() as connection,
            ):
                outbox.recorded(connection)  # Forget what a transaction that failed has left there.
                yield connection
                wrote_event = outbox.recorded(connection)
        except NoPlaceError as error:
            raise self.busy_or_away() from error
        except TimeoutError as error:
            # Where others were answered meanwhile, this one was too slow, and not the server.
            self._is_away = answered == self._answered
            raise self.busy_or_away() from error
        except (OSError, InterfaceError, asyncpg.InterfaceError, _STALE) as error:
            raise self._away() from error
        except (DBAPIError, asyncpg.PostgresError) as error:
            state = _sqlstate(error)
            if state in _LOCKED:
                self._was_answered()
                detail = "Another command holds what this one needs. Send this one again."
                raise Problem(IN_PROGRESS, detail) from error
            if state[:2] in _AWAY or _is_cut_off(error):
                raise self._away() from error
            if why := _CAUSES.get(state) or _CAUSES.get(state[:2]):
                raise _unusable(why, state) from error
            if state[:2] in _ABOUT_SCHEMA and (drift := await self.drift()):
                raise _unusable(drift, state) from error
            raise
        self._was_answered()
        if wrote_event:
            self.event_committed.set()

    def busy_or_away(self) -> Problem:
        """Return what a request is told that has waited in vain: which of both the last one before it has met."""
        return _unavailable() if self._is_away else _overloaded()

    def _away(self) -> Problem:
        self._is_away = True
        return _unavailable()

    def _was_answered(self) -> None:
        self._answered += 1
        self._is_away = False

    async def drift(self) -> str | None:
        """Return how far code and schema are apart, where a migration came while this process runs; else None."""
        try:
            connection = await connect(self._url, self.schema, timeouts=self._timeouts)
            try:
                found = await schema.revisions(connection, self.schema)
            finally:
                await connection.close()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None
        if not found:
            return "The service's role does not see its schema any more: rights were taken away, or it was removed."
        return None if found == schema.heads(self.schema) else schema.mismatch(self.schema, found)

    async def session(self) -> "asyncpg.Connection[asyncpg.Record]":
        """Open a connection beside the pool, for what belongs to a session; its statements have bounds as well.

        Raises:
            OSError: nobody answers there in time.
            asyncpg.PostgresError: the server refuses.
        """
        return await connect(self._url, self.schema, timeouts=self._timeouts)

    async def close(self) -> None:
        """Close the pool's connections."""
        await self._engine.dispose()


def _unavailable() -> Problem:
    return Problem(DATABASE_UNAVAILABLE, "The service cannot reach its database. Send the same command again.")


def _overloaded() -> Problem:
    return Problem(OVERLOADED, "The service is busy with other commands. Send the same command again.")


def _unusable(why: str, state: str) -> Problem:
    _log.warning("database unusable", why=why, sqlstate=state)
    return Problem(DATABASE_UNAVAILABLE, f"{why} Send the same command again once that is over.")


def _sqlstate(error: DBAPIError | asyncpg.PostgresError) -> str:
    cause = error.orig if isinstance(error, DBAPIError) else error
    if cause is None:
        return ""
    # SQLAlchemy makes an error of its own of some, as of a stale statement, and the SQLSTATE stays with the first one.
    return getattr(cause, "sqlstate", None) or getattr(cause.__cause__, "sqlstate", None) or ""


def _is_cut_off(error: DBAPIError | asyncpg.PostgresError) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def database_of(request: Request) -> Database:
    """Return the database of the service that answers `request`."""
    database: Database = request.app.state.database
    return database


async def _connection(request: Request) -> AsyncIterator[AsyncConnection]:
    async with database_of(request).transaction() as connection:
        yield connection


Reading = Annotated[AsyncConnection, Depends(_connection)]
"""A route's parameter: a transaction for the length of a query."""
