"""The tables of a service: which migrations it needs, which its database has, and running the missing ones.

Two histories meet in each schema: this library's own (`kit_0001`, …, by its old name) and the service's
(`inventory_0001`, …). A file `v0001_stock.py` holds the revision `inventory_0001`, so that a start can compare names
without loading alembic.
"""

import sys
from collections.abc import Iterable
from enum import Enum
from importlib import import_module
from importlib.resources import files

import asyncpg
from sqlalchemy import Connection

_KIT = "services.participant.migrations.versions"


def heads(service: str) -> frozenset[str]:
    """Return the newest revision of each history."""
    return frozenset({f"kit_{_newest(_KIT)}", f"{service}_{_newest(_package(service))}"})


class Fit(Enum):
    """Whether code and schema fit together."""

    CURRENT = "current"
    """The schema is what this code expects, or one revision newer: each migration keeps the code before it working."""
    BEHIND = "behind"
    """Migrations are missing."""
    AHEAD = "ahead"
    """The schema is more than one revision newer than this code, or of another code altogether."""


async def revisions(connection: "asyncpg.Connection[asyncpg.Record]", service: str) -> frozenset[str]:
    """Return the revisions that the schema of `service` is at: none where there is no such schema.

    Raises:
        asyncpg.PostgresError: the server refuses the question.
    """
    try:
        rows = await connection.fetch(f'SELECT version_num FROM "{service}".alembic_version')  # noqa: S608 - our name
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError):
        return frozenset()
    return frozenset(row["version_num"] for row in rows)


def fit(service: str, found: Iterable[str]) -> Fit:
    """Tell whether a schema at the revisions `found` is one for this code."""
    there, ours = _numbers(found), _numbers(heads(service))
    if any(there.get(history, 0) > number + 1 for history, number in ours.items()) or there.keys() - ours.keys():
        return Fit.AHEAD
    if all(there.get(history, 0) >= number for history, number in ours.items()):
        return Fit.CURRENT
    # One history ahead and the other behind: nobody's release, and alembic cannot go on from it.
    is_mixed = any(there.get(history, 0) > number for history, number in ours.items())
    return Fit.AHEAD if is_mixed else Fit.BEHIND


def mismatch(service: str, found: Iterable[str]) -> str:
    """Say at which revisions the schema is, and for which this code is."""
    at = ", ".join(sorted(found)) or "none"
    return f"The schema {service!r} is at {at}, and this code is for {', '.join(sorted(heads(service)))}."


def upgrade(connection: Connection, service: str) -> None:
    """Run the missing migrations in the connection's transaction; unqualified names must mean the schema."""
    # Only here: alembic costs half a second, and at most starts there is nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    for option, value in options(service).items():
        config.set_main_option(option, value)
    config.attributes["connection"] = connection
    command.upgrade(config, "heads")


def options(service: str) -> dict[str, str]:
    """Return alembic's options: one environment for all services, two histories for each."""
    # Not importlib.resources: of a folder without an __init__.py it gives no path.
    locations = (next(iter(import_module(package).__path__)) for package in (_KIT, _package(service)))
    return {
        "script_location": str(files("services.participant.migrations")),
        "version_locations": "\n".join(locations),
        "path_separator": "newline",
    }


def _numbers(names: Iterable[str]) -> dict[str, int]:
    """Return how far each history is, by its name: `inventory_0003` is 3 of `inventory`."""
    split = (name.rpartition("_") for name in names)
    return {history: int(number) if number.isdecimal() else sys.maxsize for history, _, number in split}


def _package(service: str) -> str:
    return f"services.{service}.migrations"


def _newest(package: str) -> str:
    names = (entry.name for entry in files(package).iterdir() if entry.name.startswith("v"))
    return max(names).split("_")[0].removeprefix("v")
