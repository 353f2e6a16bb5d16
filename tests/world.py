"""What the participants hold of an order, read from their own tables: the only proof that a test accepts."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self, TypeVar

import asyncpg
import httpx

_T = TypeVar("_T")
_EFFECTS = """
SELECT (SELECT status FROM orders.orders WHERE order_id = $1) AS status,
       (SELECT count(*) FROM orders.claims WHERE order_id = $1) AS claims,
       (SELECT decision FROM orders.decisions WHERE order_id = $1) AS decision,
       (SELECT total FROM orders.orders WHERE order_id = $1) AS total,
       (SELECT coalesce(sum(reserved), 0)::int FROM inventory.reservations WHERE order_id = $1) AS reserved,
       (SELECT coalesce(sum(released), 0)::int FROM inventory.reservations WHERE order_id = $1) AS released,
       (SELECT coalesce(sum(captured), 0)::int FROM payment.payments WHERE order_id = $1) AS captured,
       (SELECT coalesce(sum(refunded), 0)::int FROM payment.payments WHERE order_id = $1) AS refunded,
       (SELECT coalesce(sum(item.quantity), 0)::int
          FROM shipping.shipment_items item JOIN shipping.shipments shipment USING (order_id)
         WHERE order_id = $1 AND NOT shipment.cancelled) AS shipped
"""
_EVENTS = """
SELECT event ->> 'type' AS type, event ->> 'time' AS time FROM orders.outbox WHERE event ->> 'subject' = $1
UNION ALL SELECT event ->> 'type', event ->> 'time' FROM inventory.outbox WHERE event ->> 'subject' = $1
UNION ALL SELECT event ->> 'type', event ->> 'time' FROM payment.outbox WHERE event ->> 'subject' = $1
UNION ALL SELECT event ->> 'type', event ->> 'time' FROM shipping.outbox WHERE event ->> 'subject' = $1
ORDER BY time
"""


@dataclass(frozen=True, slots=True)
class Effects:
    """The effects of one order, over all participants; quantities in pieces, money in minor units."""

    status: str | None
    claims: int
    decision: str | None
    total: int | None
    reserved: int
    released: int
    captured: int
    refunded: int
    shipped: int


NOTHING = Effects(None, 0, None, None, 0, 0, 0, 0, 0)
"""An order that no participant has heard of."""


class World:
    """The participants' tables, through an administrator's connection."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._turn = asyncio.Lock()
        """A connection answers one question at a time, and cases that run at once share it."""

    async def __aenter__(self) -> Self:
        await self.reconnect()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()

    async def reconnect(self) -> None:
        """Connect, or connect again after the database went away."""
        self._connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(self.url)

    async def effects(self, order_id: str) -> Effects:
        """Return what the participants hold of an order; fails at once where that breaks an invariant."""
        effects = await self.unchecked(order_id)
        assert 0 <= effects.released + effects.shipped <= effects.reserved, effects
        assert 0 <= effects.refunded <= effects.captured <= (effects.total or 0), effects
        assert not (effects.shipped and effects.refunded), effects
        await self.check_stock()
        return effects

    async def unchecked(self, order_id: str) -> Effects:
        """Return what the participants hold of an order, right or wrong."""
        [row] = await self.fetch(_EFFECTS, order_id)
        return Effects(**row)

    async def events(self, order_id: str) -> list[str]:
        """Return what the participants did for an order, in the order in which they did it."""
        return [row["type"].removeprefix("saga.") for row in await self.fetch(_EVENTS, order_id)]

    async def check_stock(self) -> None:
        """Check that no article is oversold and that what is held is what the reservations say."""
        wrong = await self.fetch(
            """
            SELECT sku FROM inventory.stock
              LEFT JOIN (SELECT sku, sum(reserved - released) AS held
                           FROM inventory.reservations GROUP BY sku) AS reservation USING (sku)
             WHERE on_hand < 0 OR stock.reserved NOT BETWEEN 0 AND on_hand OR stock.reserved <> coalesce(held, 0)
            """
        )
        assert not wrong, wrong

    async def fetch(self, query: str, *arguments: object) -> list[dict[str, Any]]:
        """Run a query of a test's own."""
        async with self._turn:
            return [dict(row.items()) for row in await self._connection.fetch(query, *arguments)]


async def answers(http: httpx.AsyncClient, url: str) -> bool:
    """Tell whether somebody answers there, and well."""
    try:
        return (await http.get(url)).is_success
    except httpx.TransportError:
        return False


async def eventually(
    look: Callable[[], Awaitable[_T]], until: Callable[[_T], bool], seconds: float = 60.0, *, every: float = 0.1
) -> _T:
    """Look again `every` so many seconds until what is seen is as it must be; fail with the last sight."""
    end = time.monotonic() + seconds
    while True:
        seen = await look()
        if until(seen):
            return seen
        assert time.monotonic() < end, f"still not so after {seconds:g} seconds: {seen}"
        await asyncio.sleep(every)
