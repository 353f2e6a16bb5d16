"""The rules of orders: one process instance per order, known articles only, and one end of each."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field
from sqlalchemy import insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from saga.common.problems import FieldError
from services.orders.tables import claims, decisions, order_items, orders, products
from services.participant.models import Answer, Item, Items, Money, Name, Nothing, Request
from services.participant.problems import Problem, ProblemType, Refusal

ORDER_DUPLICATE = ProblemType("ORDER_DUPLICATE", 409, "Another process instance holds the order")
ORDER_INVALID = ProblemType("ORDER_INVALID", 422, "The order cannot be accepted")
ORDER_CANCELLED = ProblemType("ORDER_CANCELLED", 409, "The order was cancelled")
ORDER_NOT_FOUND = ProblemType("ORDER_NOT_FOUND", 404, "There is no such order")


class Status(StrEnum):
    """How far an order is."""

    ACCEPTED = "accepted"
    SHIPPING = "shipping"
    CANCELLED = "cancelled"


class Decision(StrEnum):
    """What came first, and therefore counts."""

    DISPATCH = "dispatch"
    CANCELLATION = "cancellation"


class NewOrder(Request):
    """An order, and the process instance that wants to carry it out."""

    claimant: Annotated[Name, Field(examples=["2251799813685249"])]
    customer_id: Annotated[Name, Field(examples=["c-1"])]
    items: Items


class Acceptance(Answer):
    """The order is the claimant's, at this price."""

    order_id: str
    total: Money
    status: Status


class Progress(Answer):
    """How far the order is now."""

    order_id: str
    status: Status


class Cancellation(Answer):
    """Whether the customer's wish came in time."""

    order_id: str
    accepted: bool


async def claim(connection: AsyncConnection, order_id: str, order: NewOrder) -> None:
    """Let the first claimant hold the order, for ever; it may ask again.

    Raises:
        Problem: ORDER_DUPLICATE; another one holds it.
    """
    statement = upsert(claims).values(order_id=order_id, claimant=order.claimant).on_conflict_do_nothing()
    if (await connection.execute(statement.returning(claims.c.claimant))).scalar() is not None:
        return
    holder = await connection.scalar(select(claims.c.claimant).where(claims.c.order_id == order_id))
    if holder != order.claimant:
        raise Problem(ORDER_DUPLICATE, f"Order {order_id} belongs to another process instance.")


async def prices_of(connection: AsyncConnection, order_id: str, items: Sequence[Item]) -> dict[str, int]:
    """Return the catalogue's price of each article, in EUR minor units.

    Raises:
        Problem: ORDER_INVALID; names each item that is not in the catalogue.
    """
    query = select(products.c.sku, products.c.price).where(products.c.sku.in_([item.sku for item in items]))
    prices = {row.sku: row.price for row in await connection.execute(query)}
    unknown = [
        FieldError(field=f"items[{index}].sku", message="is not in the catalogue; GET /products lists it")
        for index, item in enumerate(items)
        if item.sku not in prices
    ]
    if unknown:
        raise Problem(ORDER_INVALID, f"Order {order_id} names articles that do not exist.", unknown)
    return prices


async def accept(connection: AsyncConnection, order_id: str, order: NewOrder) -> Acceptance:
    """Price the order from the catalogue and keep it.

    Raises:
        Problem: ORDER_INVALID; names each item that is not in the catalogue. Nothing is kept, not even the claim: a
            mended order may come back under its id.
    """
    prices = await prices_of(connection, order_id, order.items)
    total = sum(prices[item.sku] * item.quantity for item in order.items)
    kept = {"customer_id": order.customer_id, "total": total, "status": Status.ACCEPTED}
    await connection.execute(insert(orders).values(order_id=order_id, **kept))
    await connection.execute(
        insert(order_items),
        [{"order_id": order_id, **item.model_dump(), "price": prices[item.sku]} for item in order.items],
    )
    return Acceptance(order_id=order_id, total=Money(amount=total, currency="EUR"), status=Status.ACCEPTED)


async def cancel(connection: AsyncConnection, order_id: str) -> Progress:
    """Close the order as cancelled; its claim stays, so that it never starts again."""
    await connection.execute(update(orders).where(orders.c.order_id == order_id).values(status=Status.CANCELLED))
    return Progress(order_id=order_id, status=Status.CANCELLED)


async def dispatch(connection: AsyncConnection, order_id: str, _: Nothing) -> Progress:
    """Pass the point of no return: from now on a cancellation comes too late.

    Raises:
        Refusal: ORDER_CANCELLED; the customer's wish, or the order's undo, came first.
        Problem: ORDER_NOT_FOUND; it was never accepted.
    """
    if await decide(connection, order_id, Decision.DISPATCH) is Decision.CANCELLATION:
        raise Refusal(ORDER_CANCELLED, f"Order {order_id} was cancelled by the customer.")
    # A condition in the statement, not a look before it: the undo of the order may run at this moment.
    open_order = (orders.c.order_id == order_id) & (orders.c.status != Status.CANCELLED)
    statement = update(orders).where(open_order).values(status=Status.SHIPPING)
    while (await connection.execute(statement)).rowcount == 0:
        status = await connection.scalar(select(orders.c.status).where(orders.c.order_id == order_id))
        if status is None:
            raise Problem(ORDER_NOT_FOUND, f"Order {order_id} was never accepted.")
        if status == Status.CANCELLED:
            raise Refusal(ORDER_CANCELLED, f"Order {order_id} was cancelled before.")
        # It was accepted between the two statements: the next one finds it.
    return Progress(order_id=order_id, status=Status.SHIPPING)


async def record_cancellation(connection: AsyncConnection, order_id: str, _: Nothing) -> Cancellation:
    """Write down that the customer does not want the order; it counts unless dispatch came first."""
    decision = await decide(connection, order_id, Decision.CANCELLATION)
    return Cancellation(order_id=order_id, accepted=decision is Decision.CANCELLATION)


async def decide(connection: AsyncConnection, order_id: str, decision: Decision) -> Decision:
    """Return the order's first decision, which is `decision` if there was none.

    The primary key makes one of two simultaneous ones wait for the other, also for an order not yet known.
    """
    statement = upsert(decisions).values(order_id=order_id, decision=decision).on_conflict_do_nothing()
    if (await connection.execute(statement.returning(decisions.c.decision))).scalar() is not None:
        return decision
    first = await connection.execute(select(decisions.c.decision).where(decisions.c.order_id == order_id))
    return Decision(first.scalar_one())
