"""Connections to a participant: many small pools in place of a large one.

httpx looks through the whole pool of its connections and requests whenever one of them begins or ends. With 64 requests
on their way that is most of what a request costs; with a few in each pool it is not seen.
"""

from dataclasses import dataclass

import httpx

_SIZE = 16
"""Connections of one pool."""
_IDLE = 20.0
"""Seconds that a connection without a request is kept: the participants keep theirs for longer."""


@dataclass(slots=True, eq=False)
class _Pool:
    transport: httpx.AsyncHTTPTransport
    busy: int = 0
    """Its requests on their way."""


class Pools(httpx.AsyncBaseTransport):
    """Sends each request by the pool that has the fewest on their way, and of those by the one that rested longest.

    A pool closes its idle connections when it is used. One not used would keep those of the last burst for good.
    """

    def __init__(self, connections: int) -> None:
        """Hold `connections` connections at most, or a few more."""
        limits = httpx.Limits(max_connections=_SIZE, max_keepalive_connections=_SIZE, keepalive_expiry=_IDLE)
        context = httpx.create_ssl_context()
        count = -(-connections // _SIZE)
        self._pools = [_Pool(httpx.AsyncHTTPTransport(verify=context, limits=limits)) for _ in range(count)]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        pool = min(self._pools, key=lambda each: each.busy)
        self._pools.remove(pool)
        self._pools.append(pool)
        pool.busy += 1
        try:
            return await pool.transport.handle_async_request(request)
        finally:
            pool.busy -= 1

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.transport.aclose()
