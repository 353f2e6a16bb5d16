"""Routes about user tasks: their forms, what they see, and who does them."""

import sqlite3
from typing import Any

from starlette.responses import Response

from . import fields, search, things
from .call import Call, Endpoint, answer, empty
from .conditions import Conditions, is_absent
from .encoding import text_of
from .fields import TENANT
from .kinds import BOOLEAN, INTEGER, TEXT
from .problems import invalid_argument, unreadable
from .queries import find, variables_of


async def form(call: Call) -> Response:
    """Return the form of a user task; 204 where it has none."""
    key = call.key

    def run(connection: sqlite3.Connection) -> dict[str, Any] | None:
        form_key = find(connection, things.USER_TASKS, key)["formKey"]
        statement = "SELECT form_key, form_id, version, resource FROM forms WHERE form_key = ?"
        row = connection.execute(statement, [form_key and int(form_key)]).fetchone()
        if row is None:
            return None
        schema = bytes(row[3]).decode()
        return {"formKey": str(row[0]), "formId": row[1], "version": row[2], "schema": schema, "tenantId": TENANT}

    found = await call.engine.reader.read(run)
    return empty() if found is None else answer(found)


_SCOPES = """
WITH RECURSIVE scopes (key, depth) AS (
    VALUES (?, 0)
    UNION ALL
    SELECT e.scope_key, depth + 1 FROM scopes JOIN element_instances e ON e.element_instance_key = scopes.key
) SELECT key FROM scopes ORDER BY depth
"""


def search_variables(*, nearest: bool) -> Endpoint:
    """Return the route that searches what a user task sees: all scopes, or of each name the nearest one."""

    async def endpoint(call: Call) -> Response:
        key = call.key
        body = await call.json(needed=False)
        _only_names(body)
        query = search.read(variables_of(call), body)

        def run(connection: sqlite3.Connection) -> dict[str, Any]:
            element = int(find(connection, things.USER_TASKS, key)["elementInstanceKey"])
            scopes = [scope for (scope,) in connection.execute(_SCOPES, [element])]
            marks = ", ".join("?" * len(scopes))
            seen = Conditions()
            seen.add(f"t.scope_key IN ({marks})", *scopes)
            seen.add("t.process_instance_key = ?", scopes[-1])
            if nearest:
                depth = " ".join(f"WHEN {scope} THEN {depth}" for depth, scope in enumerate(scopes))
                nearer = f"CASE o.scope_key {depth} ELSE {len(scopes)} END < CASE t.scope_key {depth} END"
                hidden = f"SELECT 1 FROM variables o WHERE o.process_instance_key = ? AND o.name = t.name AND {nearer}"  # noqa: S608 - texts of ours
                seen.add(f"NOT EXISTS ({hidden})", scopes[-1])
            return search.run(connection, query, seen)

        return await call.ask(run)

    return endpoint


def _only_names(body: dict[str, Any]) -> None:
    """Check that a task's variables are filtered by name only, as the API has it."""
    filtered = body.get("filter")
    for name, value in filtered.items() if isinstance(filtered, dict) else ():
        if name != "name" and not is_absent(value):
            path = "filter"
            raise unreadable(path, name)


ASSIGNMENT = {"assignee": TEXT.parse, "allowOverride": BOOLEAN.parse, "action": TEXT.parse}
COMPLETION = {"variables": fields.of_object, "action": TEXT.parse}
UPDATE = {"changeset": fields.of_object, "action": fields.ignored}
_CHANGES = {
    "dueDate": fields.date_text,
    "followUpDate": fields.date_text,
    "candidateGroups": fields.texts,
    "candidateUsers": fields.texts,
    "priority": INTEGER.parse,
}
_PRIORITIES = range(101)


async def assign(call: Call) -> Response:
    """Assign a task."""
    given = await call.fields(ASSIGNMENT)
    fields.required(given, "assignee")
    assigned = {"assignee": given["assignee"], "allowOverride": given.get("allowOverride", True)}
    return await call.command("USER_TASK", "ASSIGN", {**assigned, "action": given.get("action", "assign")})


async def unassign(call: Call) -> Response:
    """Take a task from whom it is assigned to."""
    return await call.command("USER_TASK", "UNASSIGN")


async def complete(call: Call) -> Response:
    """Complete a task, with variables."""
    given = await call.fields(COMPLETION, needed=False)
    completed = {"variables": text_of(given.get("variables")), "action": given.get("action", "complete")}
    return await call.command("USER_TASK", "COMPLETE", completed)


async def update(call: Call) -> Response:
    """Change a task's dates, candidates or priority; an empty value takes one away."""
    given = await call.fields(UPDATE, needed=False)
    changes = fields.read(_CHANGES, given.get("changeset", {}), "changeset", empties=True)
    priority = changes.get("priority", 0)
    if priority not in _PRIORITIES:
        message = f"Expected field 'priority' to be between 0 and 100, but it was '{priority}'."
        raise invalid_argument(message)
    return await call.command("USER_TASK", "UPDATE", {"changeset": changes})
