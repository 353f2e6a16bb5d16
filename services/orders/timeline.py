"""The timeline of orders: what every participant did for an order, in one place."""

from collections.abc import Iterable

from pydantic import AwareDatetime
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.orders.tables import timeline
from services.participant import inbox
from services.participant.events import Event
from services.participant.models import Answer


class Happening(Answer):
    """One thing that a participant did for the order."""

    id: str
    source: str
    type: str
    time: AwareDatetime


class Timeline(Answer):
    """All that was done for the order, the first first."""

    order_id: str
    events: list[Happening]


async def apply(connection: AsyncConnection, events: Iterable[Event]) -> None:
    """Write the events that are new into the timelines of their orders."""
    new = await inbox.admit(connection, events)
    if new:
        rows = [
            {"order_id": event.subject, **event.model_dump(include={"source", "id", "type", "time"})} for event in new
        ]
        await connection.execute(insert(timeline), rows)


async def read(connection: AsyncConnection, order_id: str) -> Timeline:
    """Return what happened to the order in the order of time, and of arrival where the clocks say the same."""
    query = select(timeline).where(timeline.c.order_id == order_id).order_by(timeline.c.time, timeline.c.arrival)
    rows = await connection.execute(query)
    return Timeline(
        order_id=order_id,
        events=[Happening(id=row.id, source=row.source, type=row.type, time=row.time) for row in rows],
    )
