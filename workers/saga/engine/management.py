"""The management port: whether the engine is ready, its counters, and its records."""

from collections.abc import Callable
from http import HTTPStatus

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .access import Access, AccessMiddleware, ASGIApp
from .errors import Busy
from .metrics import Metrics
from .record_pages import LAST_POSITION, LONGEST_WAIT
from .records import PositionGone, RecordStream

_PROBES = ("/ready", "/live")
"""Paths that need no token: what starts the engine asks them, and they tell nothing else."""


def app(metrics: Metrics, records: RecordStream, access: Access, is_ready: Callable[[], bool]) -> ASGIApp:
    """Return the management port's application."""

    async def ready(_request: Request) -> Response:
        if is_ready():
            return JSONResponse({"status": "UP"})
        return JSONResponse({"status": "DOWN"}, status_code=503)

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "UP"})

    async def prometheus(request: Request) -> Response:
        text = metrics.text(request.query_params.getlist("includedNames"))
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4")

    async def page(request: Request) -> Response:
        """Answer `GET /records?from=POSITION&wait=MILLISECONDS`; without `from`, the log's first records.

        The next page begins behind the last record of this one. An answer without lines is the log's end: nothing was
        added in the time to wait, 0 by default.
        """
        try:
            position, wait = _number(request, "from", LAST_POSITION), _number(request, "wait", LONGEST_WAIT)
            lines = await records.page(position, wait)
        except PositionGone as gone:
            return _problem(HTTPStatus.GONE, str(gone))
        except Busy as busy:
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, str(busy))
        except ValueError as error:
            return _problem(HTTPStatus.BAD_REQUEST, str(error))
        return Response(lines, media_type="application/x-ndjson")

    routes = [
        Route("/ready", ready),
        Route("/live", live),
        Route("/actuator/prometheus", prometheus),
        Route("/records", page),
    ]
    return AccessMiddleware(Starlette(routes=routes), access, open_paths=_PROBES)


def _number(request: Request, name: str, most: int) -> int:
    """Return a number of the query, 0 where it is not there.

    Raises:
        ValueError: It is not a number, or it is larger than `most`.
    """
    text = request.query_params.get(name, "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(most)) and int(text) <= most):
        message = f"Expected {name} to be a number from 0 to {most}, but it was {text[:40]!r}."
        raise ValueError(message)
    return int(text)


def _problem(status: HTTPStatus, detail: str) -> Response:
    content = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
    return JSONResponse(content, status, media_type="application/problem+json")
