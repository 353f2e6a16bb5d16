"""The tables of a service: which migrations it needs, which its database has, and running the missing ones.

Two histories meet in each schema: the kit's own (`kit_0001`, …) and the service's (`inventory_0001`, …). A file
`v0001_stock.py` holds the revision `inventory_0001`, so that a start can compare names without loading alembic.
"""

from importlib import import_module
from importlib.resources import files

import asyncpg
from sqlalchemy import Connection

_KIT = "services.kit.migrations.versions"


def heads(service: str) -> frozenset[str]:
    """Return the newest revision of each history."""
    return frozenset({f"kit_{_newest(_KIT)}", f"{service}_{_newest(_package(service))}"})


async def is_current(connection: "asyncpg.Connection[asyncpg.Record]", service: str) -> bool:
    """Tell whether the schema of `service` is what this code expects.

    Raises:
        asyncpg.PostgresError: the server refuses the question.
    """
    try:
        rows = await connection.fetch(f'SELECT version_num FROM "{service}".alembic_version')  # noqa: S608 - our name
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError, asyncpg.InsufficientPrivilegeError):
        return False
    return {row["version_num"] for row in rows} == heads(service)


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
        "script_location": str(files("services.kit.migrations")),
        "version_locations": "\n".join(locations),
        "path_separator": "newline",
    }


def _package(service: str) -> str:
    return f"services.{service}.migrations"


def _newest(package: str) -> str:
    names = (entry.name for entry in files(package).iterdir() if entry.name.startswith("v"))
    return max(names).split("_")[0].removeprefix("v")
