"""Routes about what is deployed: process definitions, deployments, deletion."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from . import fields, search, things
from .call import Call, answer, body
from .fields import TENANT
from .kinds import BOOLEAN
from .problems import bad_request, invalid_argument, unreadable
from .queries import find

MAX_FILES = 1_000
"""Of a deployment."""


async def search_all(call: Call) -> Response:
    """Search process definitions; among the latest versions only, pages go forward."""
    given = await call.json(needed=False)
    query = search.read(things.PROCESS_DEFINITIONS, given)
    filtered = given.get("filter")
    latest = isinstance(filtered, dict) and filtered.get("isLatestVersion") is True
    if latest:
        _check_latest(query)

    def run(connection: sqlite3.Connection) -> dict[str, Any]:
        found = search.run(connection, query)
        if latest:
            found["page"]["startCursor"] = None
        return found

    return await call.ask(run)


def _check_latest(query: search.Query) -> None:
    if query.page.start or query.page.before is not None:
        message = "The latest versions can be paged by 'after' and 'limit' only."
        raise invalid_argument(message)
    if {each.column.name for each in query.sort[:-1]} - {"processDefinitionId", "tenantId"}:
        message = "The latest versions can be sorted by 'processDefinitionId' and 'tenantId' only."
        raise invalid_argument(message)


async def xml(call: Call) -> Response:
    """Return a diagram, the bytes as deployed."""
    key = call.key

    def run(connection: sqlite3.Connection) -> bytes:
        find(connection, things.PROCESS_DEFINITIONS, key)
        statement = "SELECT resource FROM process_definitions WHERE process_definition_key = ?"
        (resource,) = connection.execute(statement, [key]).fetchone()
        return bytes(resource)

    return Response(await call.engine.reader.read(run), media_type="text/xml")


DELETION = {"operationReference": fields.ignored, "deleteHistory": BOOLEAN.parse}


async def delete(call: Call) -> Response:
    """Delete a process definition or form; what happened in its instances stays."""
    key = call.key
    given = await call.fields(DELETION, needed=False)
    if given.get("deleteHistory"):
        message = "This engine does not delete the history of a resource."
        raise invalid_argument(message)
    await call.send("RESOURCE_DELETION", "DELETE", {"resourceKey": key})
    return answer({"resourceKey": str(key), "batchOperation": None})


async def deploy(call: Call) -> Response:
    """Deploy the files of a form, its parts named `resources`."""
    raw = await body(call.request)
    resources = []
    async with _form(call.request, raw) as form:
        for name, part in form.multi_items():
            if name == "resources" and isinstance(part, UploadFile):
                resources.append({"resourceName": part.filename or "", "resource": await part.read()})
            elif name == "tenantId" and isinstance(part, str):
                fields.tenant(part, name)
            else:
                raise unreadable(name)
    deployed = await call.send("DEPLOYMENT", "CREATE", {"resources": resources})
    processes = [_metadata("processDefinition", _process(each)) for each in deployed["processesMetadata"]]
    forms = [_metadata("form", _form_of(each)) for each in deployed["formMetadata"]]
    return answer(
        {"deploymentKey": str(deployed["deploymentKey"]), "tenantId": TENANT, "deployments": processes + forms}
    )


@asynccontextmanager
async def _form(request: Request, raw: bytes) -> AsyncIterator[FormData]:
    """Read a form from a body that was received whole, and so is bounded.

    Raises:
        Problem: It is no form.
    """

    async def receive() -> Message:
        return {"type": "http.request", "body": raw}

    try:
        form = await Request(request.scope, receive).form(max_files=MAX_FILES, max_fields=MAX_FILES)
    except HTTPException as refused:
        message = f"Request body cannot be parsed: {refused.detail}"
        raise bad_request(message) from None
    try:
        yield form
    finally:
        await form.close()


def _metadata(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    kinds = ("processDefinition", "decisionDefinition", "decisionRequirements", "form", "resource")
    return {name: value if name == kind else None for name in kinds}


def _process(deployed: dict[str, Any]) -> dict[str, Any]:
    return {
        "processDefinitionId": deployed["bpmnProcessId"],
        "processDefinitionVersion": deployed["version"],
        "processDefinitionKey": str(deployed["processDefinitionKey"]),
        "resourceName": deployed["resourceName"],
        "tenantId": TENANT,
    }


def _form_of(deployed: dict[str, Any]) -> dict[str, Any]:
    return {
        "formId": deployed["formId"],
        "version": deployed["version"],
        "formKey": str(deployed["formKey"]),
        "resourceName": deployed["resourceName"],
        "tenantId": TENANT,
    }
