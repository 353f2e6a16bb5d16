"""Book flight: a seat for the traveller."""

from pydantic import BaseModel

from saga.kit import Receipt, Service, Step
from trip.model import FlightNumber, TripVariables

step = Step("book-flight", undo="cancel-flight")


class FlightWanted(TripVariables):
    """Which flight."""

    flight: FlightNumber


class FlightBooking(Receipt):
    """The seat is reserved."""

    seat: str


class FlightCancellation(Receipt):
    """The seat is free again."""


class Seat(BaseModel):
    """What the travel service is asked for."""

    flight: FlightNumber


@step.do
async def book(wanted: FlightWanted, travel: Service) -> FlightBooking:
    """Book the seat."""
    return await travel.put(f"/flights/{wanted.trip_id}", FlightBooking, Seat(flight=wanted.flight))


@step.undo
async def cancel(trip: TripVariables, travel: Service) -> FlightCancellation:
    """Give the seat back."""
    return await travel.delete(f"/flights/{trip.trip_id}", FlightCancellation)
