"""The words of a trip."""

from typing import Annotated

from pydantic import Field, StringConstraints

from saga.kit import SagaId, Variables

FlightNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}[0-9]{1,4}$")]
Nights = Annotated[int, Field(ge=1, le=30)]


class TripVariables(Variables):
    """What every step reads: which trip it is about."""

    trip_id: SagaId

    @property
    def saga_id(self) -> str:
        """The trip is the saga."""
        return self.trip_id


class Trip(TripVariables):
    """A whole trip, as it is started with."""

    flight: FlightNumber
    nights: Nights
