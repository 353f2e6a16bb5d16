"""What the participants did for an order, as the orders service tells it."""

from datetime import datetime

from pydantic import BaseModel

from saga.clients.participant import Participant


class Happening(BaseModel, extra="ignore"):
    """One thing that a participant did for an order."""

    time: datetime
    type: str

    @property
    def what(self) -> tuple[str, str]:
        """The participant, and what it did."""
        service, _, done = self.type.removeprefix("saga.").partition(".")
        return service, done.replace(".", " ")


class _Timeline(BaseModel, extra="ignore"):
    events: list[Happening]


async def happened(orders: Participant, order: str) -> list[Happening]:
    """Ask the orders service what the participants did for an order, the first first.

    Raises:
        Failure: It does not say.
    """
    return (await orders.read("read", f"/orders/{order}/events", _Timeline)).events
