"""The management port: whether the engine is ready, and its counters."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .access import Access, AccessMiddleware, ASGIApp
from .metrics import Metrics

_PROBES = ("/ready", "/live")
"""Paths that need no token: what starts the engine asks them, and they tell nothing else."""


def app(metrics: Metrics, access: Access, is_ready: Callable[[], bool]) -> ASGIApp:
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

    routes = [
        Route("/ready", ready),
        Route("/live", live),
        Route("/actuator/prometheus", prometheus),
    ]
    return AccessMiddleware(Starlette(routes=routes), access, open_paths=_PROBES)
