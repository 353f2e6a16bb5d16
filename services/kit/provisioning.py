"""Give a service its schema, its tables and a role of its own that can do nothing else.

The role's password is derived from the administrator's, so that replicas agree on it and nobody stores it. All of it
is one transaction under one lock: any number of services may start at once, and a crash leaves nothing half made.
"""

import hashlib
import hmac
import secrets
from base64 import b64encode
from dataclasses import dataclass

import asyncpg
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from services.kit import schema
from services.kit.database import connect, libpq_url

_LOCK = 0x5A6A
"""Our key among the database's advisory locks: one provisioning at a time, whichever service it is for."""
_NAME_LIMIT = 63
"""Bytes of a PostgreSQL identifier."""
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
        StartError: the database cannot be reached, or refuses.
    """
    role = _Role.of(service, admin_url)
    try:
        if not await _is_ready(service, role.url):
            await _make(service, admin_url, role)
            await _is_ready(service, role.url)
    except (OSError, asyncpg.PostgresError, DBAPIError) as error:
        raise _start_error(admin_url, error) from error
    return role.url


async def require_current(service: str, url: str) -> None:
    """Check that the schema at a role's own `url` is what this code expects.

    Raises:
        StartError: it is not, or the database cannot be reached, or refuses.
    """
    try:
        current = await _is_ready(service, url, log_in=True)
    except (OSError, asyncpg.PostgresError) as error:
        raise _start_error(url, error) from error
    if not current:
        message = (
            f"The schema {service!r} is not at {', '.join(sorted(schema.heads(service)))}. Start the service once "
            "with an administrator's DATABASE_URL, which migrates it."
        )
        raise StartError(message)


async def _is_ready(service: str, url: str, *, log_in: bool = False) -> bool:
    try:
        connection = await connect(url, service)
    except _NO_SUCH_LOGIN:
        if log_in:
            raise
        return False
    try:
        return await schema.is_current(connection, service)
    finally:
        await connection.close()


async def _make(service: str, admin_url: str, role: _Role) -> None:
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda: connect(admin_url, service, bounded=False), poolclass=NullPool
    )
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.execute(text(f'CREATE SCHEMA IF NOT EXISTS "{service}"'))
        await connection.run_sync(schema.upgrade, service)
        await _make_role(connection, service, role)


async def _make_role(connection: AsyncConnection, service: str, role: _Role) -> None:
    found = await connection.scalar(text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": role.name})
    verb = "ALTER" if found else "CREATE"
    password = f"'{_verifier(role.password)}'" if role.password else "NULL"
    quoted = connection.dialect.identifier_preparer.quote_identifier(role.name)
    for statement in (
        f"{verb} ROLE {quoted} WITH LOGIN PASSWORD {password}",
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
    if isinstance(error, OSError):
        return StartError(f"No database answers at {where}. Start PostgreSQL there, or set DATABASE_URL.")
    return StartError(f"The database at {where} refuses {parts.username}: {str(cause).splitlines()[0]}")
