"""Placements: whole orders as a shop sends them, kept until the engine has them.

The outbox of order starts. A publisher reads what is unpublished, publishes it, and says so here; who reads the same
orders at the same time publishes them twice, which the engine refuses, and says so twice, which changes nothing.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import structlog
from pydantic import Field
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.orders.commands import prices_of
from services.orders.tables import placements
from services.participant.barrier import fingerprint_of
from services.participant.cards import Card
from services.participant.models import Address, Answer, Items, Name, Request, SagaId
from services.participant.problems import Problem, ProblemType

LIMIT: Final = 100
"""Orders that one answer lists, and one request marks, at most."""
ORDER_ID_REUSED = ProblemType("ORDER_ID_REUSED", 422, "Another order was placed under this id")

_log = structlog.get_logger(__name__)


class PlacedOrder(Request):
    """A whole order: all that its process instance starts with."""

    order_id: SagaId
    customer_id: Annotated[Name, Field(examples=["c-1"])]
    items: Items
    card: Card
    ship_to: Address


class Acknowledgement(Answer):
    """The order is kept, and will be carried out."""

    order_id: str
    status: Literal["placed"] = "placed"


class Placement(Answer):
    """An order that the engine does not have yet."""

    order_id: str
    order: dict[str, Any]
    """The variables that it starts with, its card number unmasked."""


class Placements(Answer):
    """Orders that the engine does not have yet, the oldest first."""

    placements: list[Placement]


class Published(Request):
    """Orders that the engine has."""

    order_ids: Annotated[list[SagaId], Field(max_length=LIMIT)]


async def place(connection: AsyncConnection, order: PlacedOrder) -> None:
    """Keep an order, once, until it is published.

    Raises:
        Problem: ORDER_INVALID; an article is not in the catalogue, and nothing is kept. ORDER_ID_REUSED; another order
            was placed under the id before.
    """
    fingerprint = fingerprint_of(order)
    # The models write a card number masked; only here, and until it is published, it is kept whole.
    body = {**order.model_dump(mode="json", by_alias=True), "card": order.card.get_secret_value()}
    row = {"order_id": order.order_id, "body": body, "fingerprint": fingerprint}
    statement = insert(placements).values(row).on_conflict_do_nothing().returning(placements.c.order_id)
    if (await connection.execute(statement)).scalar() is not None:
        await prices_of(connection, order.order_id, order.items)
        _log.info("order placed", saga_id=order.order_id)
        return
    query = select(placements.c.fingerprint).where(placements.c.order_id == order.order_id)
    if await connection.scalar(query) != fingerprint:
        detail = f"Order {order.order_id} was placed before with another content. Place this one under another id."
        raise Problem(ORDER_ID_REUSED, detail)


async def unpublished(connection: AsyncConnection, limit: int) -> Placements:
    """Return the oldest orders that the engine does not have yet."""
    query = select(placements.c.order_id, placements.c.body).where(placements.c.published_at.is_(None))
    rows = await connection.execute(query.order_by(placements.c.placed_at, placements.c.order_id).limit(limit))
    return Placements(placements=[Placement(order_id=row.order_id, order=row.body) for row in rows])


async def mark_published(connection: AsyncConnection, order_ids: Sequence[str]) -> None:
    """Write down that the engine has these orders, and forget what they hold."""
    waiting = placements.c.order_id.in_(order_ids) & placements.c.published_at.is_(None)
    # In the order of their ids: two publishers wait for each other in turn and never in a circle.
    locked = select(placements.c.order_id).where(waiting).order_by(placements.c.order_id).with_for_update()
    statement = update(placements).where(placements.c.order_id.in_(locked))
    await connection.execute(statement.values(published_at=func.now(), body=None))
