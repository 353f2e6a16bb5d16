"""Routes that ask: search and get of each thing."""

import sqlite3
from typing import Any

from starlette.responses import Response

from . import search, things
from .call import Call, Endpoint
from .columns import Thing
from .conditions import Conditions
from .problems import bad_request, not_found


def find(connection: sqlite3.Connection, thing: Thing, key: int) -> dict[str, Any]:
    """Return the item with that key.

    Raises:
        Problem: There is none.
    """
    statement = f"SELECT {thing.selected} FROM {thing.table} t WHERE {thing.key.expression} = ?"  # noqa: S608 - texts of ours
    row = connection.execute(statement, [key]).fetchone()
    if row is None:
        message = f"{thing.label} with key '{key}' not found"
        raise not_found(message)
    return thing.item(row)


def get(thing: Thing, *, without: frozenset[str] = frozenset()) -> Endpoint:
    """Return the route that shows one."""

    async def endpoint(call: Call) -> Response:
        key = call.key

        def run(connection: sqlite3.Connection) -> dict[str, Any]:
            item = find(connection, thing, key)
            return {name: value for name, value in item.items() if name not in without}

        return await call.ask(run)

    return endpoint


def search_all(thing: Thing) -> Endpoint:
    """Return the route that searches all of them."""

    async def endpoint(call: Call) -> Response:
        query = search.read(thing, await call.json(needed=False))
        return await call.ask(lambda connection: search.run(connection, query))

    return endpoint


async def search_variables(call: Call) -> Response:
    """Search variables; with `truncateValues=false` their values are whole."""
    query = search.read(variables_of(call), await call.json(needed=False))
    return await call.ask(lambda connection: search.run(connection, query))


def variables_of(call: Call) -> Thing:
    """Return variables as `truncateValues` wants them: whole, or cut (the default)."""
    match call.request.query_params.get("truncateValues", "true").lower():
        case "true":
            return things.VARIABLES
        case "false":
            return things.WHOLE_VARIABLES
        case other:
            message = f"Failed to convert 'truncateValues' with value: '{other}'"
            raise bad_request(message)


def of_one(owner: Thing, thing: Thing, within: str) -> Endpoint:
    """Return the route that searches what belongs to one other thing; `within` is SQL with the owner's key as ?."""

    async def endpoint(call: Call) -> Response:
        key = call.key
        query = search.read(thing, await call.json(needed=False))
        belonging = Conditions()
        belonging.add(within, *[key] * within.count("?"))

        def run(connection: sqlite3.Connection) -> dict[str, Any]:
            find(connection, owner, key)
            return search.run(connection, query, belonging)

        return await call.ask(run)

    return endpoint


INCIDENTS_OF_INSTANCE = """t.process_instance_key IN (
    WITH RECURSIVE called (key) AS (
        VALUES (?)
        UNION
        SELECT p.process_instance_key FROM called JOIN process_instances p
        ON p.parent_process_instance_key = called.key
    ) SELECT key FROM called)"""
"""Incidents of an instance and of those that it called."""

INCIDENTS_OF_ELEMENT = """t.element_instance_key IN (
    WITH RECURSIVE inside (key) AS (
        VALUES (?)
        UNION
        SELECT x.element_instance_key FROM inside JOIN element_instances x
        ON x.process_instance_key =
            (SELECT o.process_instance_key FROM element_instances o WHERE o.element_instance_key = ?)
        AND x.scope_key = inside.key
    ) SELECT key FROM inside)"""
"""Incidents of an element and of what is inside of it."""
