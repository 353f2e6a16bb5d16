"""A bound on how long, and with how much, a connection may occupy us before it asks for anything.

uvicorn waits for a request's headers for ever and keeps whatever comes of them.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEADER_BYTES = 65_536
"""Bytes that may arrive before the headers are complete."""


class BoundedConnection(HttpToolsProtocol):
    """An HTTP connection that is closed when a request's headers are too slow or too long."""

    header_timeout: float
    """Seconds, from a connection's begin or from a request's first byte, until all its headers have arrived."""
    _deadline: asyncio.TimerHandle | None = None
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as in uvicorn
        """Expect a first request."""
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self.header_timeout, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._have_headers()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on; whoever begins a request must come to the end of its headers."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            return  # A request is in hand, and its body is somebody else's matter.
        self._received += len(data)
        if self._received > _HEADER_BYTES:
            self.transport.close()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.header_timeout, self.transport.close)

    def on_headers_complete(self) -> None:
        """Begin the request."""
        self._have_headers()
        super().on_headers_complete()

    def _have_headers(self) -> None:
        self._received = 0
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def bounded_connection(header_timeout: float) -> type[BoundedConnection]:
    """Return the class of connections that wait for a request's headers for `header_timeout` seconds.

    uvicorn makes the connections itself, so a class is the only way to tell them.
    """
    return type("BoundedConnection", (BoundedConnection,), {"header_timeout": header_timeout})
