"""The catalogue, the orders, who holds them, and whether dispatch or cancellation came first."""

import sqlalchemy as sa
from alembic import op

revision = "orders_0001"
down_revision = None


def upgrade() -> None:
    """Make the tables and print the catalogue; money is in EUR minor units."""
    products = op.create_table(
        "products",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("price", sa.BigInteger, sa.CheckConstraint("price > 0"), nullable=False),
    )
    op.create_table(
        "claims",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("claimant", sa.Text, nullable=False, comment="the process instance that holds the order, for ever"),
    )
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("customer_id", sa.Text, nullable=False),
        sa.Column("total", sa.BigInteger, nullable=False),
        sa.Column(
            "status", sa.Text, sa.CheckConstraint("status IN ('accepted', 'shipping', 'cancelled')"), nullable=False
        ),
    )
    op.create_table(
        "order_items",
        sa.Column("order_id", sa.Text, sa.ForeignKey("orders.order_id"), primary_key=True),
        sa.Column("sku", sa.Text, sa.ForeignKey("products.sku"), primary_key=True),
        sa.Column("quantity", sa.BigInteger, sa.CheckConstraint("quantity > 0"), nullable=False),
        sa.Column("price", sa.BigInteger, nullable=False, comment="of one piece, when the order was accepted"),
    )
    op.create_table(
        "decisions",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("decision", sa.Text, sa.CheckConstraint("decision IN ('dispatch', 'cancellation')"), nullable=False),
    )
    op.bulk_insert(
        products,
        [
            {"sku": "KEYBOARD", "name": "Keyboard", "price": 4_990},
            {"sku": "MOUSE", "name": "Mouse", "price": 2_490},
            {"sku": "MONITOR", "name": "Monitor", "price": 24_900},
            {"sku": "UNOBTAINIUM", "name": "Unobtainium", "price": 99_900},
        ],
    )
