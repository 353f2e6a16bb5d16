"""The HTTP face of the inventory."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy import select

from services.inventory import commands
from services.inventory.commands import OUT_OF_STOCK, Hold, Release, Reservation
from services.inventory.tables import reservations, stock
from services.participant.auth import called_by
from services.participant.barrier import Barrier, barrier_of
from services.participant.database import Reading
from services.participant.models import Answer, SagaId
from services.participant.problems import command_problems, query_problems

router = APIRouter(tags=["inventory"])
ReservationBarrier = Annotated[Barrier, Depends(barrier_of("reservation"))]


@router.put(
    "/reservations/{order_id}",
    dependencies=[called_by("reserve-inventory")],
    response_model=Reservation,
    responses=command_problems(OUT_OF_STOCK),
)
async def reserve(order_id: SagaId, hold: Hold, barrier: ReservationBarrier) -> Response:
    """Hold all of the items or none."""
    return await barrier.do(order_id, hold, commands.reserve)


@router.delete(
    "/reservations/{order_id}",
    dependencies=[called_by("release-inventory")],
    response_model=Release,
    responses=command_problems(),
)
async def release(order_id: SagaId, barrier: ReservationBarrier) -> Response:
    """Give the items back to the stock."""
    nothing = Release(reservation_id=order_id, items=[])
    return await barrier.undo(order_id, commands.release, nothing=nothing, effects=reservations.c.order_id)


class Article(Answer):
    """What there is of one article, and how much of that is held for orders."""

    sku: str
    on_hand: int
    reserved: int


class Stock(Answer):
    """All articles."""

    stock: list[Article]


@router.get("/stock", dependencies=[called_by("read")], responses=query_problems())
async def read_stock(database: Reading) -> Stock:
    """List the stock."""
    rows = await database.execute(select(stock).order_by(stock.c.sku))
    return Stock(stock=[Article(**row) for row in rows.mappings()])
