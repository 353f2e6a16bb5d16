"""The HTTP servers, REST and management, in the engine's own loop."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn

from . import management, rest
from .access import Access, ASGIApp
from .metrics import Metrics
from .projection import Reader
from .records import RecordStream
from .writer import Writer


class HttpServer(uvicorn.Server):
    """Serves one application on one socket; it leaves the process's signals to the engine."""

    def __init__(self, app: ASGIApp, listening: socket.socket) -> None:
        """Answer what comes to `listening`, once `begin` is called."""
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                # What a proxy says of a client is nothing that the rules of access may rest on.
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        self._socket = listening

    def begin(self) -> asyncio.Task[None]:
        """Answer requests until `should_exit` is set."""
        return asyncio.get_running_loop().create_task(self.serve([self._socket]))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


def rest_server(  # noqa: PLR0913 - what REST needs, each by its name
    listening: socket.socket, writer: Writer, reader: Reader, access: Access, *, controlled_clock: bool, gateway: int
) -> HttpServer:
    """Return the server of the v2 API; `gateway` is the gRPC port, for the topology."""
    return HttpServer(rest.app(writer, reader, access, controlled_clock=controlled_clock, port=gateway), listening)


def management_server(
    listening: socket.socket, metrics: Metrics, records: RecordStream, access: Access, is_ready: Callable[[], bool]
) -> HttpServer:
    """Return the server of the management port."""
    return HttpServer(management.app(metrics, records, access, is_ready), listening)
