"""The tables of the orders service."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

_metadata = MetaData()

products = Table(
    "products",
    _metadata,
    Column("sku", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("price", BigInteger, nullable=False),
)

claims = Table(
    "claims",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("claimant", Text, nullable=False),
)

orders = Table(
    "orders",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
)

order_items = Table(
    "order_items",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("quantity", BigInteger, nullable=False),
    Column("price", BigInteger, nullable=False),
)

decisions = Table(
    "decisions",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("decision", Text, nullable=False),
)

placements = Table(
    "placements",
    _metadata,
    Column("order_id", Text, primary_key=True),
    Column("body", JSONB(none_as_null=True)),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("placed_at", DateTime(timezone=True)),
    Column("published_at", DateTime(timezone=True)),
)

timeline = Table(
    "timeline",
    _metadata,
    Column("arrival", BigInteger, Identity(always=True), primary_key=True),
    Column("order_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("time", DateTime(timezone=True), nullable=False),
)
