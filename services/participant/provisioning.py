"""Give a service its schema, its tables and a role of its own that can do nothing else.

The role's password is derived from the administrator's, so that replicas agree on it and nobody stores it. All of it
is one transaction under one lock: any number of services may start at once, and a crash leaves nothing half made.
"""

import asyncio
import hashlib
import hmac
import secrets
import time
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio.engine import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from services.participant import schema
from services.participant.connect_failure import why_not_connected
from services.participant.database import connect, libpq_url

_LOCK = 0x5A6A
"""Our key among the database's advisory locks: one provisioning at a time, whichever service it is for."""
_LINGER = 1.0
"""Seconds for which sessions of a role may go on that is to get another password."""
_NAME_LIMIT = 63
"""Bytes of a PostgreSQL identifier."""
_NOT_CONNECTED = (OSError, asyncpg.ClientConfigurationError)
_NO_SUCH_LOGIN = (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError)


class StartError(Exception):
    """The service cannot start; the message says why and what to do, and holds no secret."""


@dataclass(frozen=True, slots=True)
class _Role:
    name: str
    password: str | None
    """None where the administrator has none either: then the server's own rules let both in, or neither."""
    url: str

    @classmethod
    def of(cls, service: str, admin_url: str) -> "_Role":
        # Roles belong to the whole server: the database's name keeps two stacks on one server apart.
        admin = make_url(admin_url)
        name = f"{admin.database or admin.username}_{service}"[-_NAME_LIMIT:]
        secret = admin.password and hmac.digest(admin.password.encode(), name.encode(), "sha256").hex()
        url = admin.set(username=name, password=secret or None)
        return cls(name, secret or None, libpq_url(url.render_as_string(hide_password=False)))


async def provision(service: str, admin_url: str) -> str:
    """Return the URL of the service's role; make what is missing with the administrator's.

    Raises:
        StartError: the database cannot be reached, or refuses, or is for newer code, or others use the role with
            another password.
    """
    role = _Role.of(service, admin_url)
    try:
        found = await _revisions(service, role.url)
        if found is None or _is_behind(service, found):
            await _make(service, admin_url, role, may_log_in=found is not None)
            await _revisions(service, role.url)
    except (*_NOT_CONNECTED, asyncpg.PostgresError, DBAPIError) as error:
        raise _start_error(admin_url, error) from error
    return role.url


async def require_current(service: str, url: str) -> None:
    """Check that the schema at a role's own `url` is what this code expects.

    Raises:
        StartError: it is not, or the database cannot be reached, or refuses.
    """
    try:
        found = await _revisions(service, url, log_in=True)
    except (*_NOT_CONNECTED, asyncpg.PostgresError) as error:
        raise _start_error(url, error) from error
    if _is_behind(service, found or ()):
        message = (
            f"{schema.mismatch(service, found or ())} Start the service once with an administrator's DATABASE_URL, "
            "which migrates it."
        )
        raise StartError(message)


def _is_behind(service: str, found: Iterable[str]) -> bool:
    """Tell whether migrations are missing.

    Raises:
        StartError: the schema is for newer code.
    """
    match schema.fit(service, found):
        case schema.Fit.AHEAD:
            message = f"{schema.mismatch(service, found)} Start newer code: it may be one revision older, and no more."
            raise StartError(message)
        case fit:
            return fit is schema.Fit.BEHIND


async def _revisions(service: str, url: str, *, log_in: bool = False) -> frozenset[str] | None:
    """Return what the schema is at; None where the role cannot log in, unless it has to: `log_in`."""
    try:
        connection = await connect(url, service)
    except _NO_SUCH_LOGIN:
        if log_in:
            raise
        return None
    try:
        return await schema.revisions(connection, service)
    finally:
        await connection.close()


async def _make(service: str, admin_url: str, role: _Role, *, may_log_in: bool) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: connect(admin_url, service, bounded=False), poolclass=NullPool
    )
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if not may_log_in:
            await _require_unused(connection, role)
        await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
        await connection.run_sync(schema.upgrade, service)
        await _make_role(connection, service, role, may_log_in=may_log_in)


async def _require_unused(connection: AsyncConnection, role: _Role) -> None:
    """Check that nobody uses the role, whose password is to be changed.

    Raises:
        StartError: somebody does, with a password that another administrator's gave it.
    """
    query = text("SELECT count(*) FROM pg_stat_activity WHERE usename = :name")
    until = time.monotonic() + _LINGER
    # A session that was just closed is shown for a moment, and the view does not change within a transaction.
    while (sessions := await connection.scalar(query, {"name": role.name})) and time.monotonic() < until:
        await asyncio.sleep(0.05)
        await connection.execute(text("SELECT pg_stat_clear_snapshot()"))
    # A start that was just before us, with our own password, has made the role meanwhile.
    if sessions and await _revisions("public", role.url) is None:
        message = (
            f"The role {role.name} is used by {sessions} sessions with another password: it follows from the "
            "administrator's in DATABASE_URL. Give all replicas the same one, or stop the others first."
        )
        raise StartError(message)


async def _make_role(connection: AsyncConnection, service: str, role: _Role, *, may_log_in: bool) -> None:
    found = await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": role.name})
    verb = "ALTER" if found else "CREATE"
    password = f"'{_verifier(role.password)}'" if role.password else "NULL"
    quoted = connection.dialect.identifier_preparer.quote_identifier(role.name)
    log_in = [] if may_log_in else [f"{verb} ROLE {quoted} WITH LOGIN PASSWORD {password}"]
    for statement in (
        *log_in,
        f'GRANT USAGE ON SCHEMA "{service}" TO {quoted}',
        f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "{service}" TO {quoted}',
        f'REVOKE INSERT, UPDATE, DELETE ON "{service}".alembic_version FROM {quoted}',
    ):
        await connection.execute(text(statement.replace(":", r"\:")))


def _verifier(password: str) -> str:
    """Return what PostgreSQL stores of a password (SCRAM-SHA-256, RFC 5803): its log never sees the password itself."""
    rounds, salt = 4096, secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${rounds}:{encoded[0]}${encoded[1]}:{encoded[2]}"


def _start_error(url: str, error: Exception) -> StartError:
    parts = make_url(url)
    where = f"{parts.host or 'the local socket'}:{parts.port or 5432}"
    cause = getattr(error, "orig", None) or error
    if isinstance(error, _NOT_CONNECTED):
        return StartError(why_not_connected(url, error))
    return StartError(f"The database at {where} refuses {parts.username}: {str(cause).splitlines()[0]}")
