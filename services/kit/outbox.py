"""The events of a service, written with the rows that they tell of; a relay delivers them."""

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import BigInteger, Column, Identity, MetaData, Table, insert
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

outbox = Table(
    "outbox",
    MetaData(),
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("event", JSONB, nullable=False),
)


async def record(connection: AsyncConnection, *, source: str, event_type: str, subject: str) -> None:
    """Write one CloudEvents 1.0 event; it says what happened to which saga and holds nothing of its data."""
    event = {
        "specversion": "1.0",
        "id": str(uuid4()),
        "source": f"/{source}",
        "type": event_type,
        "subject": subject,
        "time": datetime.now(UTC).isoformat(),
    }
    await connection.execute(insert(outbox).values(event=event))
