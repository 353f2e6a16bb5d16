"""The application: routes, and what becomes of a request that fails."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from ..access import Access, AccessMiddleware
from ..core import Rejection
from ..errors import Busy, Overdue, Stopping
from ..projection import Reader
from ..writer import Writer
from . import cluster, commands, definitions, instances, jobs, openapi, problems, queries, tasks, things
from .call import Call, Endpoint, Engine
from .problems import Problem

_VARIABLE = queries.get(things.WHOLE_VARIABLES, without=frozenset({"isTruncated"}))
_INCIDENTS_OF_INSTANCE = queries.of_one(things.PROCESS_INSTANCES, things.INCIDENTS, queries.INCIDENTS_OF_INSTANCE)
_INCIDENTS_OF_ELEMENT = queries.of_one(things.ELEMENT_INSTANCES, things.INCIDENTS, queries.INCIDENTS_OF_ELEMENT)

ROUTES: Mapping[str, Mapping[str, Endpoint]] = {
    "/": {"GET": cluster.page},
    "/openapi.json": {"GET": openapi.document},
    "/v2/topology": {"GET": cluster.topology},
    "/v2/status": {"GET": cluster.status},
    "/v2/clock": {"PUT": cluster.pin_clock},
    "/v2/clock/reset": {"POST": cluster.reset_clock},
    "/v2/deployments": {"POST": definitions.deploy},
    "/v2/resources/{resourceKey}/deletion": {"POST": definitions.delete},
    "/v2/process-definitions/search": {"POST": definitions.search_all},
    "/v2/process-definitions/{processDefinitionKey}": {"GET": queries.get(things.PROCESS_DEFINITIONS)},
    "/v2/process-definitions/{processDefinitionKey}/xml": {"GET": definitions.xml},
    "/v2/process-definitions/{processDefinitionKey}/statistics/element-instances": {
        "POST": instances.statistics_of_definition
    },
    "/v2/process-instances": {"POST": commands.create_instance},
    "/v2/process-instances/search": {"POST": queries.search_all(things.PROCESS_INSTANCES)},
    "/v2/process-instances/{processInstanceKey}": {"GET": queries.get(things.PROCESS_INSTANCES)},
    "/v2/process-instances/{processInstanceKey}/cancellation": {"POST": commands.cancel_instance},
    "/v2/process-instances/{processInstanceKey}/modification": {"POST": commands.modify_instance},
    "/v2/process-instances/{processInstanceKey}/call-hierarchy": {
        "GET": instances.of_instance(instances.call_hierarchy)
    },
    "/v2/process-instances/{processInstanceKey}/sequence-flows": {
        "GET": instances.of_instance(instances.sequence_flows)
    },
    "/v2/process-instances/{processInstanceKey}/statistics/element-instances": {
        "GET": instances.of_instance(instances.statistics)
    },
    "/v2/process-instances/{processInstanceKey}/incidents/search": {"POST": _INCIDENTS_OF_INSTANCE},
    "/v2/element-instances/search": {"POST": queries.search_all(things.ELEMENT_INSTANCES)},
    "/v2/element-instances/{elementInstanceKey}": {"GET": queries.get(things.ELEMENT_INSTANCES)},
    "/v2/element-instances/{elementInstanceKey}/variables": {"PUT": commands.set_variables},
    "/v2/element-instances/{elementInstanceKey}/incidents/search": {"POST": _INCIDENTS_OF_ELEMENT},
    "/v2/variables/search": {"POST": queries.search_variables},
    "/v2/variables/{variableKey}": {"GET": _VARIABLE},
    "/v2/incidents/search": {"POST": queries.search_all(things.INCIDENTS)},
    "/v2/incidents/{incidentKey}": {"GET": queries.get(things.INCIDENTS)},
    "/v2/incidents/{incidentKey}/resolution": {"POST": commands.resolve_incident},
    "/v2/jobs/search": {"POST": queries.search_all(things.JOBS)},
    "/v2/jobs/activation": {"POST": jobs.activate},
    "/v2/jobs/{jobKey}": {"PATCH": jobs.update},
    "/v2/jobs/{jobKey}/completion": {"POST": jobs.complete},
    "/v2/jobs/{jobKey}/failure": {"POST": jobs.fail},
    "/v2/jobs/{jobKey}/error": {"POST": jobs.throw_error},
    "/v2/messages/publication": {"POST": commands.publish_message},
    "/v2/messages/correlation": {"POST": commands.correlate_message},
    "/v2/message-subscriptions/search": {"POST": queries.search_all(things.MESSAGE_SUBSCRIPTIONS)},
    "/v2/user-tasks/search": {"POST": queries.search_all(things.USER_TASKS)},
    "/v2/user-tasks/{userTaskKey}": {"GET": queries.get(things.USER_TASKS), "PATCH": tasks.update},
    "/v2/user-tasks/{userTaskKey}/assignment": {"POST": tasks.assign},
    "/v2/user-tasks/{userTaskKey}/assignee": {"DELETE": tasks.unassign},
    "/v2/user-tasks/{userTaskKey}/completion": {"POST": tasks.complete},
    "/v2/user-tasks/{userTaskKey}/form": {"GET": tasks.form},
    "/v2/user-tasks/{userTaskKey}/variables/search": {"POST": tasks.search_variables(nearest=False)},
    "/v2/user-tasks/{userTaskKey}/effective-variables/search": {"POST": tasks.search_variables(nearest=True)},
}
UNSERVED: Mapping[str, Mapping[str, Endpoint]] = {"/v2/signals/broadcast": {"POST": commands.broadcast_signal}}
"""Routes that say why they are not served; every other path that is not in `ROUTES` is 404."""


class _Resource:
    """What is at one path: an endpoint for each method."""

    def __init__(self, engine: Engine, endpoints: Mapping[str, Endpoint]) -> None:
        self._engine = engine
        self._endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._response(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            allowed = ", ".join(self._endpoints)
            raise HTTPException(
                HTTPStatus.METHOD_NOT_ALLOWED, f"Method '{request.method}' is not supported.", {"Allow": allowed}
            )
        try:
            return await endpoint(Call(request, self._engine))
        except Rejection as rejection:
            raise problems.of_rejection(rejection) from rejection
        except Busy as busy:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "RESOURCE_EXHAUSTED", str(busy)) from busy
        except Stopping as stopping:
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", str(stopping)) from stopping
        except Overdue as overdue:
            raise Problem(HTTPStatus.GATEWAY_TIMEOUT, "DEADLINE_EXCEEDED", str(overdue)) from overdue


def app(
    writer: Writer, reader: Reader, access: Access, *, controlled_clock: bool = False, port: int = 26500
) -> AccessMiddleware:
    """Return the REST application of an engine: commands go to its writer, questions to a reader of its tables.

    Args:
        writer: Carries out commands.
        reader: Answers searches; of a log that lags, or of an old one, as well.
        access: Who may ask.
        controlled_clock: Whether the clock's routes work; they answer 403 otherwise.
        port: Where gRPC is served, for the topology.
    """
    engine = Engine(writer, reader, port, controlled_clock)
    application = Starlette(
        routes=[Route(path, _Resource(engine, endpoints)) for path, endpoints in {**ROUTES, **UNSERVED}.items()],
        exception_handlers={Problem: _problem, HTTPException: _refused, Exception: _failed},
    )
    application.router.redirect_slashes = False  # a path with a slash too many is unknown
    return AccessMiddleware(application, access)


async def _problem(request: Request, problem: Any) -> Response:  # noqa: ANN401 - starlette gives any exception
    return problems.response(request, problem)


async def _refused(request: Request, refused: Any) -> Response:  # noqa: ANN401 - as above
    """Say what no route takes: an unknown path, a wrong method."""
    title = HTTPStatus(refused.status_code).phrase
    detail = f"No endpoint {request.method} {request.url.path}." if title == "Not Found" else refused.detail
    return problems.response(request, Problem(refused.status_code, title, detail), refused.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """Say that we made a mistake; starlette raises it anew for the log."""
    detail = f"Unexpected error: {type(error).__name__}"
    return problems.response(request, Problem(HTTPStatus.INTERNAL_SERVER_ERROR, "INTERNAL", detail))
