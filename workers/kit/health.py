"""`/live` and `/ready` of a worker process, for a supervisor or a cluster's probes."""

from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import uvicorn

_Message = MutableMapping[str, Any]


class HealthServer(uvicorn.Server):
    """An HTTP server with two answers; it leaves the process's signals to the worker."""

    def __init__(self, host: str, port: int, ready: Callable[[], bool]) -> None:
        """Answer on `host:port`; `ready` is asked at each request."""

        async def answer(
            scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
        ) -> None:
            await receive()
            status = {"/live": 200, "/ready": 200 if ready() else 503}.get(scope["path"], 404)
            await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

        super().__init__(uvicorn.Config(answer, host, port, lifespan="off", log_config=None, access_log=False))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: a SIGTERM is for the worker, which drains first."""
        yield
