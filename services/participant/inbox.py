"""The events that a service has received: each is applied once, however often it is delivered."""

from collections.abc import Iterable

from sqlalchemy import Column, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.events import Event

inbox = Table(
    "inbox",
    MetaData(),
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
)


async def admit(connection: AsyncConnection, events: Iterable[Event]) -> list[Event]:
    """Return those of the `events` that were never received before, each once and in their order.

    They count as received when the transaction commits: what they change must be written in it as well. A delivery of
    the same events that runs at this moment is waited for.
    """
    by_key: dict[tuple[str, str], Event] = {}
    for event in events:
        by_key.setdefault(event.key, event)
    # In the order of their keys: two deliveries wait for each other in turn and never in a circle.
    rows = [{"source": source, "id": event_id} for source, event_id in sorted(by_key)]
    if not rows:
        return []
    statement = insert(inbox).values(rows).on_conflict_do_nothing().returning(inbox.c.source, inbox.c.id)
    new = {(row.source, row.id) for row in await connection.execute(statement)}
    return [event for key, event in by_key.items() if key in new]
