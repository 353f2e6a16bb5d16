"""The process `trip`: its saga definition, its model, its steps, and the publisher of booked trips."""

from saga.kit import SagaDefinition
from trip.model import Trip
from trip.publisher import TripPublisher

saga = SagaDefinition(
    process="trip",
    noun="trip",
    key="tripId",
    model=Trip,
    steps="trip.steps",
    start_message="TripBooked",
    publisher=TripPublisher,
    callers=("book-trip", "publish-trips"),
)
