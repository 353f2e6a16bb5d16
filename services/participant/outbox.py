"""The events of a service, written with the rows that they tell of; the relay delivers them."""

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Identity, MetaData, Table, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio.engine import AsyncConnection

outbox = Table(
    "outbox",
    MetaData(),
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("event", JSONB, nullable=False),
)
_RECORDED = "outbox.recorded"
"""A mark on the connection whose transaction wrote an event."""


async def record(connection: AsyncConnection, *, source: str, event_type: str, subject: str) -> None:
    """Write one CloudEvents 1.0 event; it says what happened to which saga and holds nothing of its data.

    Write it after the business rows: a transaction that had to wait for another one's rows then has the later position,
    and the relay, which delivers in that order, tells of one saga's changes in the order in which they came about.
    """
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"/{source}",
        "type": event_type,
        "subject": subject,
        "time": datetime.now(UTC).isoformat(),
    }
    await connection.execute(insert(outbox).values(event=event))
    connection.info[_RECORDED] = True


def recorded(connection: AsyncConnection) -> bool:
    """Tell whether an event was written since the last time that this was asked of the connection."""
    return connection.info.pop(_RECORDED, None) is not None
