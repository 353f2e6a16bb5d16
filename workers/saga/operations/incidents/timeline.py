"""What the participants did for a saga, as the participant tells it that collects their events."""

from datetime import datetime

from pydantic import BaseModel

from saga.clients.participant import Participant
from saga.kit.definition.saga import Timeline


class Happening(BaseModel, extra="ignore"):
    """One thing that a participant did for a saga."""

    time: datetime
    type: str

    @property
    def what(self) -> tuple[str, str]:
        """The participant, and what it did."""
        service, _, done = self.type.removeprefix("saga.").partition(".")
        return service, done.replace(".", " ")


class _Events(BaseModel, extra="ignore"):
    events: list[Happening]


async def happened(participant: Participant, timeline: Timeline, saga_id: str) -> list[Happening]:
    """Ask the participant of `timeline` what all participants did for a saga, the first first.

    Raises:
        Failure: It does not say.
    """
    return (await participant.read("read", timeline.path(saga_id), _Events)).events
