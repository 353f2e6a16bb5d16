"""The HTTP face of travel, its rules and its tables."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi import Request as HttpRequest
from pydantic import Field
from sqlalchemy import BigInteger, Boolean, Column, MetaData, Table, Text, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.auth import called_by
from services.participant.barrier import Barrier, barrier_of
from services.participant.database import Reading, database_of
from services.participant.models import Answer, Name, Request, SagaId
from services.participant.problems import Problem, ProblemType, Refusal, command_problems, query_problems

NO_ROOM = ProblemType("NO_ROOM", 409, "There is no room for so long")
TRIP_ID_REUSED = ProblemType("TRIP_ID_REUSED", 422, "Another trip was booked under this id")
router = APIRouter(tags=["travel"])
FlightBarrier = Annotated[Barrier, Depends(barrier_of("flight"))]
HotelBarrier = Annotated[Barrier, Depends(barrier_of("hotel"))]
_MOST = 10
"""Nights that a hotel has a room for."""
_BATCH = 16
"""Trips that one answer lists at most."""
_metadata = MetaData()
flights = Table(
    "flights",
    _metadata,
    Column("trip_id", Text, primary_key=True),
    Column("flight", Text),
    Column("cancelled", Boolean),
)
hotels = Table(
    "hotels",
    _metadata,
    Column("trip_id", Text, primary_key=True),
    Column("nights", BigInteger),
    Column("cancelled", Boolean),
)
trips = Table(
    "trips",
    _metadata,
    Column("trip_id", Text, primary_key=True),
    Column("variables", JSONB),
    Column("published", Boolean),
)


class Seat(Request):
    """What book-flight asks for."""

    flight: Annotated[Name, Field(examples=["LH4711"])]


class Room(Request):
    """What book-hotel asks for."""

    nights: Annotated[int, Field(ge=1, le=30, examples=[2])]


class BookedTrip(Seat, Room):
    """A whole trip: the variables that its process instance starts with."""

    trip_id: SagaId


class Unpublished(Answer):
    """Trips that the engine does not have yet."""

    trips: dict[str, dict[str, Any]]
    """The variables of each, by its id."""


class FlightBooking(Answer):
    """The seat."""

    seat: str


class HotelBooking(Answer):
    """The room."""

    room: str


class Cancelled(Answer):
    """Nothing is booked any more."""


async def _book_flight(connection: AsyncConnection, trip_id: str, seat: Seat) -> FlightBooking:
    await connection.execute(insert(flights).values(trip_id=trip_id, flight=seat.flight, cancelled=False))
    return FlightBooking(seat="12A")


async def _cancel_flight(connection: AsyncConnection, trip_id: str) -> Cancelled:
    await connection.execute(update(flights).where(flights.c.trip_id == trip_id).values(cancelled=True))
    return Cancelled()


async def _book_hotel(connection: AsyncConnection, trip_id: str, room: Room) -> HotelBooking:
    if room.nights > _MOST:
        raise Refusal(NO_ROOM, f"There are rooms for {_MOST} nights at most.")
    await connection.execute(insert(hotels).values(trip_id=trip_id, nights=room.nights, cancelled=False))
    return HotelBooking(room="101")


async def _cancel_hotel(connection: AsyncConnection, trip_id: str) -> Cancelled:
    await connection.execute(update(hotels).where(hotels.c.trip_id == trip_id).values(cancelled=True))
    return Cancelled()


@router.put("/flights/{trip_id}", dependencies=[called_by("book-flight")], responses=command_problems())
async def book_flight(trip_id: SagaId, seat: Seat, barrier: FlightBarrier) -> Response:
    """Book a seat."""
    return await barrier.do(trip_id, seat, _book_flight)


@router.delete("/flights/{trip_id}", dependencies=[called_by("cancel-flight")], responses=command_problems())
async def cancel_flight(trip_id: SagaId, barrier: FlightBarrier) -> Response:
    """Give it back."""
    return await barrier.undo(trip_id, _cancel_flight, nothing=Cancelled(), effects=flights.c.trip_id)


@router.put("/hotels/{trip_id}", dependencies=[called_by("book-hotel")], responses=command_problems(NO_ROOM))
async def book_hotel(trip_id: SagaId, room: Room, barrier: HotelBarrier) -> Response:
    """Book a room."""
    return await barrier.do(trip_id, room, _book_hotel)


@router.delete("/hotels/{trip_id}", dependencies=[called_by("cancel-hotel")], responses=command_problems())
async def cancel_hotel(trip_id: SagaId, barrier: HotelBarrier) -> Response:
    """Give it back."""
    return await barrier.undo(trip_id, _cancel_hotel, nothing=Cancelled(), effects=hotels.c.trip_id)


@router.post(
    "/trips",
    dependencies=[called_by("book-trip")],
    status_code=HTTPStatus.ACCEPTED,
    responses=query_problems(TRIP_ID_REUSED),
)
async def book_trip(trip: BookedTrip, request: HttpRequest) -> None:
    """Keep a trip and have it carried out; the same trip again changes nothing."""
    row = {"trip_id": trip.trip_id, "variables": trip.model_dump(by_alias=True), "published": False}
    async with database_of(request).transaction() as connection:
        await connection.execute(insert(trips).values(row).on_conflict_do_nothing())
        kept = await connection.scalar(select(trips.c.variables).where(trips.c.trip_id == trip.trip_id))
    if kept != row["variables"]:
        raise Problem(TRIP_ID_REUSED, f"Trip {trip.trip_id} was booked before with another content.")


@router.get("/trips", dependencies=[called_by("publish-trips")], responses=query_problems())
async def read_unpublished(database: Reading) -> Unpublished:
    """List the trips that the engine does not have yet."""
    rows = await database.execute(select(trips.c.trip_id, trips.c.variables).where(~trips.c.published).limit(_BATCH))
    return Unpublished(trips={row.trip_id: row.variables for row in rows})


@router.post(
    "/trips/{trip_id}/published",
    dependencies=[called_by("publish-trips")],
    status_code=HTTPStatus.NO_CONTENT,
    responses=query_problems(),
)
async def mark_published(trip_id: SagaId, request: HttpRequest) -> None:
    """Record that the engine has this trip; once or more often."""
    async with database_of(request).transaction() as connection:
        await connection.execute(update(trips).where(trips.c.trip_id == trip_id).values(published=True))
