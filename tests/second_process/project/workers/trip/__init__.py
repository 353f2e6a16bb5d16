"""The process `trip`: its saga definition, its model and its steps."""

from saga.kit import SagaDefinition
from trip.model import Trip

saga = SagaDefinition(process="trip", noun="trip", key="tripId", model=Trip, steps="trip.steps")
