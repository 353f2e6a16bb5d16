"""Connections to a participant: many small pools in place of a large one.

httpx looks through the whole pool of its connections and requests whenever one of them begins or ends. With 64 requests
on their way that is most of what a request costs; with a few in each pool it is not seen.
"""

import time
from dataclasses import dataclass

import httpx

_SIZE = 16
"""Connections of one pool."""


@dataclass(slots=True)
class _Pool:
    transport: httpx.AsyncHTTPTransport
    busy: int = 0
    """Its requests on their way."""
    used: float | None = None
    """When its last request ended, on `time.monotonic`'s clock; None while it has no connections."""


class Pools(httpx.AsyncBaseTransport):
    """Sends each request by the pool that has the fewest on their way, the first of them.

    So a few connections are used again and again, and the pools behind are for bursts. A pool closes what is idle when
    it is used, so theirs would be kept for good: each request looks for such pools.
    """

    def __init__(self, connections: int, *, idle_timeout: float = 20.0) -> None:
        """Hold `connections` connections at most, or a few more.

        Those that nobody uses are closed after `idle_timeout` seconds; the participants keep theirs for longer.
        """
        self._idle_timeout = idle_timeout
        limits = httpx.Limits(max_connections=_SIZE, max_keepalive_connections=_SIZE, keepalive_expiry=idle_timeout)
        context = httpx.create_ssl_context()
        count = -(-connections // _SIZE)
        self._pools = [_Pool(httpx.AsyncHTTPTransport(verify=context, limits=limits)) for _ in range(count)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        pool = min(self._pools, key=lambda each: each.busy)
        pool.busy += 1
        try:
            await self._close_idle()
            return await pool.transport.handle_async_request(request)
        finally:
            pool.busy -= 1
            pool.used = time.monotonic()

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.transport.aclose()

    async def _close_idle(self) -> None:
        long_ago = time.monotonic() - self._idle_timeout
        for pool in self._pools:
            if pool.used is not None and pool.used < long_ago and not pool.busy:
                pool.used = None
                await pool.transport.aclose()
