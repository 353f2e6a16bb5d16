"""`/live`, `/ready` and `/metrics` of a process, for a supervisor, a cluster's probes and Prometheus."""

import json
import socket
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn

_Message = MutableMapping[str, Any]


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


class HealthServer(uvicorn.Server):
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
        receivers = messages or {}

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
            receiver = receivers.get(scope["path"]) if scope["method"] == "POST" else None
            if receiver is not None:
                status, kind, body = _taken(receiver, await _body(receive))
            else:
                await receive()
                status, kind, body = await reply(scope["path"])
            headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        path = host.removeprefix("unix:") if host.startswith("unix:") else None
        config = uvicorn.Config(
            answer,
            host,
            port,
            uds=path,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_LAST_REPLIES,
        )
        super().__init__(config)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to end; at `::` for IPv4 as well, which asyncio would leave out."""
        if sockets is None and self.config.host == "::" and socket.has_dualstack_ipv6():
            both = socket.create_server(("::", self.config.port), family=socket.AF_INET6, dualstack_ipv6=True)
            sockets = [both]
        await super().serve(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers: a SIGTERM is for the worker, which drains first."""
        yield


async def _body(receive: Callable[[], Awaitable[_Message]]) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = (body + message.get("body", b""))[: _MOST + 1], message.get("more_body", False)
    return body


def _taken(receiver: Receiver, body: bytes) -> tuple[int, bytes, bytes]:
    taken = len(body) <= _MOST and receiver(body)
    return (202 if taken else 400), b"application/json", b"{}"
