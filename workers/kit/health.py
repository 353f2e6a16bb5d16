"""`/live`, `/ready` and `/metrics` of a worker process, for a supervisor, a cluster's probes and Prometheus."""

import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

_Message = MutableMapping[str, Any]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether jobs can be worked on, and why not."""

    ready: bool
    unreachable: list[str]
    """Task types for which the broker does not answer."""


class HealthServer(uvicorn.Server):
    """An HTTP server with three answers; it leaves the process's signals to the worker."""

    def __init__(
        self,
        host: str,
        port: int,
        health: Callable[[], Awaitable[Health]],
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        """Answer on `host:port`, or on the socket PATH where `host` is `unix:PATH`.

        `health` and `metrics` are asked at each request for them.
        """

        async def reply(path: str) -> tuple[int, bytes, bytes]:
            match path:
                case "/live":
                    return 200, b"application/json", b'{"status":"live"}'
                case "/ready":
                    now = await health()
                    body = {"status": "ready" if now.ready else "not ready", "unreachable": now.unreachable}
                    return 200 if now.ready else 503, b"application/json", json.dumps(body).encode()
                case "/metrics":
                    return 200, b"text/plain; version=0.0.4; charset=utf-8", await metrics()
                case _:
                    return 404, b"application/json", b"{}"

        async def answer(
            scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
        ) -> None:
            await receive()
            status, kind, body = await reply(scope["path"])
            headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        socket = host.removeprefix("unix:") if host.startswith("unix:") else None
        super().__init__(
            uvicorn.Config(answer, host, port, uds=socket, lifespan="off", log_config=None, access_log=False)
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: a SIGTERM is for the worker, which drains first."""
        yield
