"""The OpenAPI document says what is served: each route, and each property that a command takes."""

from typing import Any

import pytest

from saga.engine.rest import cluster, commands, definitions, fields, jobs, tasks
from saga.engine.rest.application import ROUTES, UNSERVED
from saga.engine.rest.openapi import make_document
from tests.engine.rest.conftest import Service

PATHS: dict[str, dict[str, Any]] = make_document()["paths"]
BODIES: dict[str, fields.Fields] = {
    "/v2/process-instances": commands.CREATION,
    "/v2/process-instances/{processInstanceKey}/modification": commands.MODIFICATION,
    "/v2/process-instances/{processInstanceKey}/cancellation": commands.REFERENCE,
    "/v2/incidents/{incidentKey}/resolution": commands.REFERENCE,
    "/v2/element-instances/{elementInstanceKey}/variables": commands.SET_VARIABLES,
    "/v2/messages/publication": commands.PUBLICATION,
    "/v2/messages/correlation": commands.MESSAGE,
    "/v2/jobs/activation": jobs.ACTIVATION,
    "/v2/jobs/{jobKey}/completion": jobs.COMPLETION,
    "/v2/jobs/{jobKey}/failure": jobs.FAILURE,
    "/v2/jobs/{jobKey}/error": jobs.ERROR,
    "/v2/jobs/{jobKey}": jobs.UPDATE,
    "/v2/user-tasks/{userTaskKey}/assignment": tasks.ASSIGNMENT,
    "/v2/user-tasks/{userTaskKey}/completion": tasks.COMPLETION,
    "/v2/user-tasks/{userTaskKey}": tasks.UPDATE,
    "/v2/resources/{resourceKey}/deletion": definitions.DELETION,
    "/v2/clock": cluster.PIN,
}
"""What the routes read, by path."""
UNTOLD = {"operationReference", "tenantFilter", "withLease", "action"}
"""Properties without an effect: the document may have them or not."""


def test_it_has_each_route_that_is_served_and_no_other() -> None:
    served = {(path, method) for path, methods in {**ROUTES, **UNSERVED}.items() for method in methods}
    served -= {("/", "GET"), ("/openapi.json", "GET")}
    assert {(path, method.upper()) for path, methods in PATHS.items() for method in methods} == served


@pytest.mark.parametrize("path", BODIES)
def test_a_command_takes_what_its_route_reads(path: str) -> None:
    [operation] = [each for method, each in PATHS[path].items() if method != "get"]
    told = operation["requestBody"]["content"]["application/json"]["schema"]["properties"].keys()
    read = {name for name, parse in BODIES[path].items() if parse is not fields.unsupported}
    assert told - UNTOLD == read - UNTOLD


async def test_it_is_served(quiet_engine: Service) -> None:
    response = await quiet_engine.client.get("/openapi.json")
    document: dict[str, Any] = response.json()
    assert document["openapi"] == "3.1.0"
    assert document["paths"].keys() == PATHS.keys()
