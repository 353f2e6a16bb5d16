"""Routes about one instance: what it is made of, and what happened in it."""

import sqlite3
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from . import things
from .call import Call, Endpoint
from .conditions import is_absent, of_filter
from .fields import TENANT
from .problems import unreadable
from .queries import find


def of_instance(query: Callable[[sqlite3.Connection, int], Any]) -> Endpoint:
    """Return the route that tells something of one instance, which has to be known."""

    async def endpoint(call: Call) -> Response:
        key = call.key

        def run(connection: sqlite3.Connection) -> Any:  # noqa: ANN401 - whatever is JSON
            find(connection, things.PROCESS_INSTANCES, key)
            return query(connection, key)

        return await call.ask(run)

    return endpoint


def sequence_flows(connection: sqlite3.Connection, key: int) -> dict[str, Any]:
    """Return the flows that an instance has taken, each once."""
    rows = connection.execute(
        "SELECT f.element_id, p.root_process_instance_key, p.process_definition_key, p.process_definition_id"
        " FROM sequence_flows f JOIN process_instances p USING (process_instance_key) WHERE f.process_instance_key = ?",
        [key],
    )
    items = [
        {
            "sequenceFlowId": f"{key}_{flow}",
            "processInstanceKey": str(key),
            "rootProcessInstanceKey": str(root),
            "processDefinitionKey": str(definition),
            "processDefinitionId": process_id,
            "elementId": flow,
            "tenantId": TENANT,
        }
        for flow, root, definition, process_id in rows
    ]
    return {"items": items}


_STATISTICS = (
    "SELECT t.element_id, sum(t.state = 'ACTIVE' AND t.incident_key IS NULL), sum(t.state = 'TERMINATED'),"
    " sum(t.incident_key IS NOT NULL), sum(t.state = 'COMPLETED') FROM element_instances t"
    " WHERE t.process_instance_key IN ({}) GROUP BY t.element_id ORDER BY min(t.element_instance_key)"
)


def _statistics(connection: sqlite3.Connection, instances: str, parameters: list[Any]) -> dict[str, Any]:
    names = ("elementId", "active", "canceled", "incidents", "completed")
    rows = connection.execute(_STATISTICS.format(instances), parameters)
    return {"items": [dict(zip(names, row, strict=True)) for row in rows]}


def statistics(connection: sqlite3.Connection, key: int) -> dict[str, Any]:
    """Count the element instances of an instance, by element; one that stands at an incident is not active."""
    return _statistics(connection, "?", [key])


def call_hierarchy(connection: sqlite3.Connection, key: int) -> list[dict[str, Any]]:
    """Return an instance and those that called it, the root first."""
    rows = connection.execute(
        "WITH RECURSIVE calling (key, depth) AS (VALUES (?, 0) UNION ALL"
        " SELECT p.parent_process_instance_key, depth + 1 FROM calling JOIN process_instances p"
        " ON p.process_instance_key = calling.key WHERE p.parent_process_instance_key IS NOT NULL)"
        " SELECT p.process_instance_key, p.process_definition_key, coalesce(d.name, p.process_definition_id)"
        " FROM calling JOIN process_instances p ON p.process_instance_key = calling.key"
        " LEFT JOIN process_definitions d USING (process_definition_key) ORDER BY depth DESC",
        [key],
    )
    names = ("processInstanceKey", "processDefinitionKey", "processDefinitionName")
    return [dict(zip(names, (str(row[0]), str(row[1]), row[2]), strict=True)) for row in rows]


async def statistics_of_definition(call: Call) -> Response:
    """Count the element instances of a definition's instances, those that have ended included."""
    key = call.key
    body = await call.json(needed=False)
    for name, value in body.items():
        if name != "filter" and not is_absent(value):
            raise unreadable(name)
    found = of_filter(things.PROCESS_INSTANCES, body.get("filter"))
    found.add("t.process_definition_key = ?", key)
    instances = f"SELECT t.process_instance_key FROM process_instances t WHERE {found.where}"  # noqa: S608 - texts of ours
    return await call.ask(lambda connection: _statistics(connection, instances, found.parameters))
