"""The tables of the fake card processor. A card number is in none of them."""

from sqlalchemy import BigInteger, Column, Identity, MetaData, SmallInteger, Table, Text

_metadata = MetaData()

charges = Table(
    "charges",
    _metadata,
    Column("reference", Text, primary_key=True),
    Column("idempotency_key", Text),
    Column("status", Text, nullable=False),
    Column("decline", Text),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("captured", BigInteger, nullable=False),
    Column("refunded", BigInteger, nullable=False),
    Column("card_last_four", Text),
)

calls = Table(
    "calls",
    _metadata,
    Column("position", BigInteger, Identity(always=True), primary_key=True),
    Column("reference", Text, nullable=False),
    Column("call", Text, nullable=False),
    Column("status", SmallInteger),
)
