"""What the participants hold of many orders at once, read from their own tables: `tests/world.py` for thousands."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.world import Effects, World

_EFFECTS = """
SELECT id,
       (SELECT status FROM orders.orders WHERE order_id = id) AS status,
       (SELECT count(*) FROM orders.claims WHERE order_id = id) AS claims,
       (SELECT decision FROM orders.decisions WHERE order_id = id) AS decision,
       (SELECT total FROM orders.orders WHERE order_id = id) AS total,
       (SELECT coalesce(sum(reserved), 0)::int FROM inventory.reservations WHERE order_id = id) AS reserved,
       (SELECT coalesce(sum(released), 0)::int FROM inventory.reservations WHERE order_id = id) AS released,
       (SELECT coalesce(sum(captured), 0)::int FROM payment.payments WHERE order_id = id) AS captured,
       (SELECT coalesce(sum(refunded), 0)::int FROM payment.payments WHERE order_id = id) AS refunded,
       (SELECT coalesce(sum(item.quantity), 0)::int
          FROM shipping.shipment_items item JOIN shipping.shipments shipment USING (order_id)
         WHERE order_id = id AND NOT shipment.cancelled) AS shipped
  FROM unnest($1::text[]) AS id
"""
_DEEDS = """
SELECT event ->> 'subject' AS order_id, event ->> 'type' AS type, (event ->> 'time')::timestamptz AS time
  FROM (SELECT event FROM orders.outbox UNION ALL SELECT event FROM inventory.outbox
        UNION ALL SELECT event FROM payment.outbox UNION ALL SELECT event FROM shipping.outbox) AS events
 WHERE event ->> 'subject' = ANY($1)
 ORDER BY time
"""
FULFILLED = (
    "orders.order.done",
    "inventory.reservation.done",
    "payment.payment.done",
    "orders.dispatch.done",
    "shipping.shipment.done",
)
"""What the participants do for an order that is fulfilled, in this order and each once."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One order."""

    effects: Effects
    deeds: tuple[str, ...]
    """What the participants did, in the order in which they did it; a deed that took effect twice stands twice."""
    last: datetime | None
    """When they did the last of it."""


async def entries(world: World, order_ids: Collection[str]) -> dict[str, Entry]:
    """Return what the participants hold of each of the orders, those included that nobody has heard of."""
    deeds: dict[str, list[tuple[str, datetime]]] = defaultdict(list)
    for row in await world.fetch(_DEEDS, order_ids):
        deeds[row["order_id"]].append((row["type"].removeprefix("saga."), row["time"]))
    found = {}
    for row in await world.fetch(_EFFECTS, order_ids):
        order_id = row.pop("id")
        done = deeds[order_id]
        found[order_id] = Entry(Effects(**row), tuple(name for name, _ in done), done[-1][1] if done else None)
    return found


async def unshipped(world: World, order_ids: Sequence[str]) -> list[str]:
    """Return which of the orders are not with the carrier."""
    query = "SELECT id FROM unnest($1::text[]) AS id EXCEPT SELECT order_id FROM shipping.shipments"
    return [str(row["id"]) for row in await world.fetch(query, order_ids)]


def is_fulfilled_once(entry: Entry, pieces: int) -> bool:
    """Tell whether an order of so many pieces took all of its effects, each exactly once."""
    total = entry.effects.total or -1
    expected = Effects("shipping", 1, "dispatch", total, pieces, 0, total, 0, pieces)
    return entry.effects == expected and entry.deeds == FULFILLED
