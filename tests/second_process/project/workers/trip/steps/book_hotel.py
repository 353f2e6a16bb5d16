"""Book hotel: a room for the nights."""

from pydantic import BaseModel

from saga.kit import Receipt, Service, Step
from trip.model import Nights, TripVariables

step = Step("book-hotel", undo="cancel-hotel", refuses={"NO_ROOM"})


class RoomWanted(TripVariables):
    """For how long."""

    nights: Nights


class HotelBooking(Receipt):
    """The room is reserved."""

    room: str


class HotelCancellation(Receipt):
    """The room is free again."""


class Room(BaseModel):
    """What the travel service is asked for."""

    nights: Nights


@step.do
async def book(wanted: RoomWanted, travel: Service) -> HotelBooking:
    """Book the room."""
    return await travel.put(f"/hotels/{wanted.trip_id}", HotelBooking, Room(nights=wanted.nights))


@step.undo
async def cancel(trip: TripVariables, travel: Service) -> HotelCancellation:
    """Give the room back."""
    return await travel.delete(f"/hotels/{trip.trip_id}", HotelCancellation)
