"""The tables of the inventory service."""

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

_metadata = MetaData()

stock = Table(
    "stock",
    _metadata,
    Column("sku", Text, primary_key=True),
    Column("on_hand", BigInteger, nullable=False),
    Column("reserved", BigInteger, nullable=False),
)

reservations = Table(
    "reservations",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("reserved", BigInteger, nullable=False),
    Column("released", BigInteger, nullable=False),
)
