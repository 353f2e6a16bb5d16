"""The HTTP face of orders."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import select

from services.orders import commands, placements, timeline
from services.orders.commands import (
    ORDER_CANCELLED,
    ORDER_DUPLICATE,
    ORDER_INVALID,
    ORDER_NOT_FOUND,
    Acceptance,
    Cancellation,
    NewOrder,
    Progress,
    Status,
)
from services.orders.placements import (
    LIMIT,
    ORDER_ID_REUSED,
    Acknowledgement,
    PlacedOrder,
    Placements,
    Published,
)
from services.orders.tables import order_items, orders, products
from services.orders.timeline import Timeline
from services.participant.auth import called_by
from services.participant.barrier import Barrier, barrier_of
from services.participant.database import Reading, database_of
from services.participant.events import REQUEST_BODY, Event, events_of
from services.participant.models import Answer, Item, Money, Nothing, SagaId
from services.participant.problems import IN_PROGRESS, Problem, command_problems, query_problems

router = APIRouter(tags=["orders"])
OrderBarrier = Annotated[Barrier, Depends(barrier_of("order"))]
DispatchBarrier = Annotated[Barrier, Depends(barrier_of("dispatch"))]
CancellationBarrier = Annotated[Barrier, Depends(barrier_of("cancellation"))]


@router.put(
    "/orders/{order_id}",
    dependencies=[called_by("accept-order")],
    response_model=Acceptance,
    responses=command_problems(ORDER_DUPLICATE, ORDER_INVALID),
)
async def accept(order_id: SagaId, order: NewOrder, barrier: OrderBarrier) -> Response:
    """Claim the order for one process instance, check it and price it."""
    # Two instances of one order send the same key, so the claim is asked before the barrier compares payloads.
    return await barrier.do(order_id, order, commands.accept, guard=commands.claim)


@router.delete(
    "/orders/{order_id}",
    dependencies=[called_by("cancel-order")],
    response_model=Progress,
    responses=command_problems(),
)
async def cancel(order_id: SagaId, barrier: OrderBarrier) -> Response:
    """Close the order as cancelled."""
    nothing = Progress(order_id=order_id, status=Status.CANCELLED)
    return await barrier.undo(order_id, commands.cancel, nothing=nothing, effects=orders.c.order_id)


@router.put(
    "/orders/{order_id}/dispatch",
    dependencies=[called_by("ship-order")],
    response_model=Progress,
    responses=command_problems(ORDER_CANCELLED, ORDER_NOT_FOUND),
)
async def dispatch(order_id: SagaId, body: Nothing, barrier: DispatchBarrier) -> Response:
    """Pass the point of no return, unless the order was cancelled before."""
    return await barrier.do(order_id, body, commands.dispatch)


@router.put(
    "/orders/{order_id}/cancellation",
    dependencies=[called_by("record-cancellation")],
    response_model=Cancellation,
    responses=command_problems(),
)
async def record_cancellation(order_id: SagaId, body: Nothing, barrier: CancellationBarrier) -> Response:
    """Record that the customer does not want the order any more, and say whether that came in time."""
    return await barrier.do(order_id, body, commands.record_cancellation)


class Order(Answer):
    """An order as it stands."""

    order_id: str
    customer_id: str
    items: list[Item]
    total: Money
    status: Status


@router.get("/orders/{order_id}", dependencies=[called_by("read")], responses=query_problems(ORDER_NOT_FOUND))
async def read_order(order_id: SagaId, database: Reading) -> Order:
    """Show an order."""
    found = (await database.execute(select(orders).where(orders.c.order_id == order_id))).one_or_none()
    if found is None:
        raise Problem(ORDER_NOT_FOUND, f"Order {order_id} was never accepted, or is not yet.")
    items = select(order_items.c.sku, order_items.c.quantity).where(order_items.c.order_id == order_id)
    rows = await database.execute(items.order_by(order_items.c.sku))
    return Order(
        order_id=order_id,
        customer_id=found.customer_id,
        items=[Item(**row) for row in rows.mappings()],
        total=Money(amount=found.total, currency="EUR"),
        status=found.status,
    )


@router.post(
    "/orders",
    dependencies=[called_by("place-order")],
    status_code=HTTPStatus.ACCEPTED,
    responses={
        HTTPStatus.ACCEPTED: {"headers": {"Location": {"schema": {"type": "string"}, "description": "The order."}}},
        **query_problems(ORDER_INVALID, ORDER_ID_REUSED, IN_PROGRESS),
    },
)
async def place(order: PlacedOrder, request: Request, response: Response) -> Acknowledgement:
    """Keep a whole order and have it carried out; the same order again gets the same answer and starts no other one."""
    # Not `Reading`, which ends after the answer is sent: who is told 202 never sends the order again.
    async with database_of(request).transaction() as connection:
        await placements.place(connection, order)
    response.headers["Location"] = f"/orders/{order.order_id}"
    return Acknowledgement(order_id=order.order_id)


@router.get("/placements", dependencies=[called_by("publish-orders")], responses=query_problems())
async def read_placements(database: Reading, limit: Annotated[int, Query(ge=1, le=LIMIT)] = LIMIT) -> Placements:
    """List the orders that the engine does not have yet, the oldest first, card numbers and addresses included."""
    return await placements.unpublished(database, limit)


@router.post(
    "/placements/published",
    dependencies=[called_by("publish-orders")],
    status_code=HTTPStatus.NO_CONTENT,
    responses=query_problems(IN_PROGRESS),
)
async def mark_published(published: Published, request: Request) -> None:
    """Write down that the engine has these orders, and forget what they hold; once or more often."""
    async with database_of(request).transaction() as connection:
        await placements.mark_published(connection, published.order_ids)


@router.post(
    "/events",
    dependencies=[called_by("record-events")],
    status_code=HTTPStatus.NO_CONTENT,
    responses=query_problems(),
    openapi_extra=REQUEST_BODY,
)
async def record_events(events: Annotated[list[Event], Depends(events_of)], request: Request) -> None:
    """Take up to 100 events into the timelines of their orders; one that came before changes nothing."""
    # Not `Reading`, which ends after the answer is sent: who is told 204 never sends the events again.
    async with database_of(request).transaction() as connection:
        await timeline.apply(connection, events)


@router.get("/orders/{order_id}/events", dependencies=[called_by("read")], responses=query_problems())
async def read_events(order_id: SagaId, database: Reading) -> Timeline:
    """Show what every participant did for an order; of an order that nobody knows, nothing."""
    return await timeline.read(database, order_id)


class Product(Answer):
    """An article that can be ordered."""

    sku: str
    name: str
    price: Money


class Catalogue(Answer):
    """All articles that can be ordered."""

    products: list[Product]


@router.get("/products", dependencies=[called_by("read")], responses=query_problems())
async def read_products(database: Reading) -> Catalogue:
    """List the catalogue; an order is priced from it when it is accepted."""
    rows = await database.execute(select(products).order_by(products.c.sku))
    return Catalogue(
        products=[Product(sku=row.sku, name=row.name, price=Money(amount=row.price, currency="EUR")) for row in rows]
    )
