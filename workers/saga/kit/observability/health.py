"""`/live`, `/ready` and `/metrics` of a process, for a supervisor, a cluster's probes and Prometheus."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from saga.common.http_server import EmbeddedServer, listening


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the process can do its work, and why not."""

    ready: bool
    unreachable: list[str]
    """What does not answer: of a worker, the task types that the broker gives no jobs of."""


_LAST_REPLIES = 1
"""Seconds that a request has to its end once the process stops: who never sends the rest of one must not keep it."""
_MOST = 4096
"""Bytes of a message that are read."""

Receiver = Callable[[bytes], bool]
"""Takes the body of a message; tells whether it was one."""


class HealthServer(EmbeddedServer):
    """An HTTP server with three answers, and messages where wanted; it leaves the process's signals to the worker."""

    def __init__(
        self,
        host: str,
        port: int,
        health: Callable[[], Awaitable[Health]],
        metrics: Callable[[], Awaitable[bytes]],
        messages: Mapping[str, Receiver] | None = None,
    ) -> None:
        """Answer on `host:port`, or on the socket PATH where `host` is `unix:PATH`.

        `health` and `metrics` are asked at each request for them; what is posted to a path of `messages` goes there.
        """

        async def live(_request: Request) -> Response:
            return JSONResponse({"status": "live"})

        async def ready(_request: Request) -> Response:
            now = await health()
            body = {"status": "ready" if now.ready else "not ready", "unreachable": now.unreachable}
            return JSONResponse(body, HTTPStatus.OK if now.ready else HTTPStatus.SERVICE_UNAVAILABLE)

        async def text(_request: Request) -> Response:
            return Response(await metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

        routes = [Route("/live", live), Route("/ready", ready), Route("/metrics", text)]
        posts = [Route(path, _post_to(receiver), methods=["POST"]) for path, receiver in (messages or {}).items()]
        # A router alone, for nothing here needs what an application adds to it.
        nothing = JSONResponse({}, HTTPStatus.NOT_FOUND)
        router = Router([*routes, *posts], redirect_slashes=False, default=nothing)
        path = host.removeprefix("unix:") if host.startswith("unix:") else None
        config = uvicorn.Config(
            router,
            host,
            port,
            uds=path,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_LAST_REPLIES,
        )
        super().__init__(config)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end; at `::` for IPv4 as well, which asyncio would leave out."""
        if sockets is None and self.config.host == "::":
            sockets = [listening(self.config.host, self.config.port)]
        await super().serve(sockets)


def _post_to(receiver: Receiver) -> Callable[[Request], Awaitable[Response]]:
    async def post(request: Request) -> Response:
        body = b""
        with suppress(ClientDisconnect):
            async for part in request.stream():
                body = (body + part)[: _MOST + 1]
        taken = len(body) <= _MOST and receiver(body)
        return JSONResponse({}, HTTPStatus.ACCEPTED if taken else HTTPStatus.BAD_REQUEST)

    return post
