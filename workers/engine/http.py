"""An HTTP server on one port, in the engine's own loop."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from .access import ASGIApp
from .errors import PortTaken


class HttpServer(uvicorn.Server):
    """Serves one application; it leaves the process's signals to the engine."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        """Listen; requests are answered once it is served.

        Raises:
            PortTaken: It cannot listen there.
        """
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
        self._socket = _listen(host, port)
        self.port: int = self._socket.getsockname()[1]

    def begin(self) -> asyncio.Task[None]:
        """Answer requests until `should_exit` is set."""
        return asyncio.get_running_loop().create_task(self.serve([self._socket]))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no handlers."""
        yield


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        # A port whose connections have just been closed is free; one that somebody listens on is not.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(2048)
    except OSError:
        listening.close()
        raise PortTaken(host, port) from None
    return listening
