"""The tables of the payment service. A card number is in none of them."""

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

payments = Table(
    "payments",
    MetaData(),
    Column("order_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("captured", BigInteger, nullable=False),
    Column("refunded", BigInteger, nullable=False),
    Column("card_last_four", Text, nullable=False),
)
