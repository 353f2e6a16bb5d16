"""Look at the participants' database without changing anything in it."""

from collections.abc import Iterable

import asyncpg
from sqlalchemy.exc import ArgumentError

from services.participant import schema
from services.participant.connect_failure import why_not_connected
from services.participant.database import connect


async def trouble(url: str, services: Iterable[str]) -> str | None:
    """Return what keeps `services` from their schemas in the database at `url`, and what to do; None for nothing."""
    try:
        found = await _revisions(url, services)
    except (OSError, asyncpg.ClientConfigurationError) as error:
        return why_not_connected(url, error)
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"It refuses: {str(error).splitlines()[0]}"
    except (ValueError, ArgumentError):
        return "DATABASE_URL is not a PostgreSQL URL"
    ahead = [name for name, at in found.items() if at and schema.fit(name, at) is schema.Fit.AHEAD]
    return " ".join(schema.mismatch(name, found[name]) for name in ahead) or None


async def _revisions(url: str, services: Iterable[str]) -> dict[str, frozenset[str]]:
    connection = await connect(url, "public")
    try:
        return {name: await schema.revisions(connection, name) for name in services}
    finally:
        await connection.close()
