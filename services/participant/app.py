"""The HTTP application around a service's routes: health, errors as problem documents, OpenAPI."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saga.common.problems import FieldError
from services.participant.auth import OPEN, Callers, Door
from services.participant.database import Database, database_of
from services.participant.limits import BOUNDS, Bodies, Line, Rate, RequestBounds
from services.participant.problems import (
    DATABASE_UNAVAILABLE,
    INTERNAL,
    KEY_MISSING,
    LISTED,
    OVERLOADED,
    RATE_LIMITED,
    REQUEST_INVALID,
    REQUEST_MALFORMED,
    Problem,
    ProblemDocument,
    ProblemType,
    documented,
)
from services.participant.settings import LimitSettings

_log = structlog.get_logger(__name__)


_ABLE = text("""
    SELECT current_setting('transaction_read_only')::boolean AS is_read_only,
        (SELECT string_agg(relname, ', ' ORDER BY relname) FROM pg_class
         WHERE relnamespace = to_regnamespace(current_setting('search_path'))
            AND relkind IN ('r', 'p') AND relname <> 'alembic_version'
            AND NOT (has_schema_privilege(relnamespace, 'USAGE')
                AND has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')
                AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))) AS locked
""")
"""Whether a command could be carried out now: what a role may do changes while a service runs."""


class Health(BaseModel):
    """What a probe reads."""

    status: str


health = APIRouter(tags=["health"])


@health.get("/live", responses=documented(REQUEST_MALFORMED, RATE_LIMITED))
async def live() -> Health:
    """Say that the process answers; nothing else is asked."""
    return Health(status="live")


@health.get("/ready", responses=documented(REQUEST_MALFORMED, DATABASE_UNAVAILABLE, OVERLOADED, RATE_LIMITED))
async def ready(request: Request) -> Health:
    """Say that commands can be taken: the database answers, takes writes, and lets the service write."""
    # Before all that wait: a service that is busy is ready.
    async with database_of(request).transaction(first=True) as connection:
        able = (await connection.execute(_ABLE)).one()
    if able.is_read_only:
        raise Problem(DATABASE_UNAVAILABLE, "The database takes no writes: it is a standby, or read-only.")
    if able.locked:
        raise Problem(DATABASE_UNAVAILABLE, f"The service's role may not read and write {able.locked}.")
    return Health(status="ready")


def create_app(  # noqa: PLR0913, PLR0917 - what a service is made of
    title: str,
    router: APIRouter,
    database: Database,
    callers: Callers,
    limits: LimitSettings,
    bounds: RequestBounds = BOUNDS,
) -> FastAPI:
    """Return the application that answers `router`'s routes from `database`, to its `callers`, within `limits`."""
    # A redirect would lead to the Host that the caller names.
    app = FastAPI(title=title, version="1", redirect_slashes=False)
    app.state.database = database
    app.state.retention = limits.retention
    app.include_router(router)
    app.include_router(health)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    # The last one added is the outermost.
    app.add_middleware(Line, database=database, exempt=OPEN, concurrency=bounds.concurrency)
    app.add_middleware(Bodies, most=limits.max_body, bounds=bounds)
    app.add_middleware(Door, callers=callers, rate=Rate(limits.rate_limit), linger=bounds.linger)
    app.add_middleware(_Bugs)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign] # FastAPI's documented way
    return app


async def _problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101 - registered for it alone
    return error.response()


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it alone
    errors = list(dict.fromkeys(_field_error(each["type"], each["loc"], each["msg"]) for each in error.errors()))
    if any(each["type"] == "missing" and each["loc"][0] == "header" for each in error.errors()):
        detail = 'Send Idempotency-Key: "<saga id>/<task type>", in quotes.'
        return Problem(KEY_MISSING, detail, errors).response()
    fields = ", ".join(dict.fromkeys(each.field for each in errors[:LISTED]))
    return Problem(REQUEST_INVALID, f"The request does not validate: {fields}.", errors).response()


async def _http(request: Request, error: Exception) -> Response:
    """Give the framework's own errors (no such path, no such method, no text) the form of all others."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it alone
    if error.status_code == HTTPStatus.BAD_REQUEST:  # FastAPI's word for a body that is not even text.
        errors = [FieldError(field="body", message="is no JSON in UTF-8")]
        return Problem(REQUEST_INVALID, "The request does not validate: body.", errors).response()
    kind = ProblemType(f"HTTP_{error.status_code}", error.status_code, error.detail)
    answer = Problem(kind, f"{request.method} is not possible here.").response()
    answer.headers.update(error.headers or {})
    if answer.headers.get("Allow") == "GET":
        answer.headers["Allow"] = "GET, HEAD"
    return answer


class _Bugs:
    """Answers a bug with a problem document and logs it once.

    The framework's handler for any exception raises it again, and the server would log it a second time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except (Exception, SystemExit, GeneratorExit):
            if begun:
                raise  # Half an answer is sent: the server logs the bug and cuts the connection.
            request = Request(scope)
            _log.exception("request failed", method=request.method, route=_route(request))
            answer = Problem(INTERNAL, "The service failed; its log says where. Nothing was changed.").response()
            await answer(scope, receive, send)


def _route(request: Request) -> str:
    """Return the path's template, which holds no caller's data."""
    return str(getattr(request.scope.get("route"), "path", "unknown"))


def _field_error(kind: str, location: tuple[int | str, ...], message: str) -> FieldError:
    where, *path = location
    if where == "body" and path and isinstance(path[0], int):
        path = []  # An offset into what is not valid JSON.
    return FieldError.of(kind, path, message, whole="body")


def _openapi(app: FastAPI) -> dict[str, Any]:
    if not app.openapi_schema:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = schema.setdefault("components", {}).setdefault("schemas", {})
        document = ProblemDocument.model_json_schema(ref_template="#/components/schemas/{model}")
        components.update(document.pop("$defs"))
        components["ProblemDocument"] = document
        app.openapi_schema = schema
    return app.openapi_schema
