"""The rules of the inventory: all of an order's items are held, or none; nothing is held twice."""

from sqlalchemy import ColumnElement, case, insert, select, update
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.inventory.tables import reservations, stock
from services.participant.models import Answer, Item, Items, Request
from services.participant.problems import ProblemType, Refusal

OUT_OF_STOCK = ProblemType("OUT_OF_STOCK", 409, "Out of stock")


class Hold(Request):
    """What is to be held."""

    items: Items


class Reservation(Answer):
    """What is held."""

    reservation_id: str
    items: list[Item]


class Release(Answer):
    """What was held and is free again."""

    reservation_id: str
    items: list[Item]


async def reserve(connection: AsyncConnection, order_id: str, hold: Hold) -> Reservation:
    """Hold the items for the order.

    Raises:
        Refusal: OUT_OF_STOCK; says which article is short, not how much of it there is.
    """
    quantities = {item.sku: item.quantity for item in hold.items}
    available = await lock_stock(connection, quantities)
    short = sorted(sku for sku, quantity in quantities.items() if available.get(sku, 0) < quantity)
    if short:
        raise Refusal(OUT_OF_STOCK, f"There is not enough of {', '.join(short)}.")
    await connection.execute(
        insert(reservations),
        [{"order_id": order_id, "sku": sku, "reserved": held, "released": 0} for sku, held in quantities.items()],
    )
    await _move(connection, quantities, sign=+1)
    return Reservation(reservation_id=order_id, items=hold.items)


async def release(connection: AsyncConnection, order_id: str) -> Release:
    """Free what is held for the order."""
    held = update(reservations).where(reservations.c.order_id == order_id).values(released=reservations.c.reserved)
    rows = await connection.execute(held.returning(reservations.c.sku, reservations.c.reserved))
    quantities = dict(sorted((sku, reserved) for sku, reserved in rows))
    await lock_stock(connection, quantities)
    await _move(connection, quantities, sign=-1)
    return Release(
        reservation_id=order_id, items=[Item(sku=sku, quantity=quantity) for sku, quantity in quantities.items()]
    )


async def lock_stock(connection: AsyncConnection, quantities: dict[str, int]) -> dict[str, int]:
    """Lock the articles' rows and return what is available of each.

    Every command locks in the order of the SKUs, so two of them wait for each other in turn and never in a circle.
    """
    query = (
        select(stock.c.sku, (stock.c.on_hand - stock.c.reserved).label("available"))
        .where(stock.c.sku.in_(quantities))
        .order_by(stock.c.sku)
        .with_for_update()
    )
    return {row.sku: row.available for row in await connection.execute(query)}


async def _move(connection: AsyncConnection, quantities: dict[str, int], *, sign: int) -> None:
    """Change what is reserved of each article, in one statement."""
    change: ColumnElement[int] = case(quantities, value=stock.c.sku)
    await connection.execute(
        update(stock).where(stock.c.sku.in_(quantities)).values(reserved=stock.c.reserved + sign * change)
    )
