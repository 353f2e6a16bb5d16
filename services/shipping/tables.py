"""The tables of the shipping service."""

from sqlalchemy import BigInteger, Boolean, Column, MetaData, Table, Text

_metadata = MetaData()

shipments = Table(
    "shipments",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("tracking_code", Text, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("name", Text, nullable=False),
    Column("street", Text, nullable=False),
    Column("city", Text, nullable=False),
    Column("postal_code", Text, nullable=False),
    Column("country", Text, nullable=False),
)

shipment_items = Table(
    "shipment_items",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
)
