"""Connections to a participant: many small pools in place of a large one.

httpx looks through the whole pool of its connections and requests whenever one of them begins or ends. With 64 requests
on their way that is most of what a request costs; with a few in each pool it is not seen.
"""

import httpx

_SIZE = 16
"""Connections of one pool."""


class Pools(httpx.AsyncBaseTransport):
    """Sends each request by the pool that has the fewest on their way."""

    def __init__(self, connections: int) -> None:
        """Hold `connections` connections at most, or a few more."""
        limits = httpx.Limits(max_connections=_SIZE, max_keepalive_connections=_SIZE)
        context = httpx.create_ssl_context()
        count = -(-connections // _SIZE)
        self._pools = [httpx.AsyncHTTPTransport(verify=context, limits=limits) for _ in range(count)]
        self._busy = [0] * count

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        chosen = self._busy.index(min(self._busy))
        self._busy[chosen] += 1
        try:
            return await self._pools[chosen].handle_async_request(request)
        finally:
            self._busy[chosen] -= 1

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.aclose()
