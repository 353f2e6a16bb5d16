"""The stock, and what of it is held for which order."""

import sqlalchemy as sa
from alembic import op

revision = "inventory_0001"
down_revision = None


def upgrade() -> None:
    """Make the tables and fill the shelves."""
    stock = op.create_table(
        "stock",
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("on_hand", sa.BigInteger, sa.CheckConstraint("on_hand >= 0"), nullable=False),
        sa.Column("reserved", sa.BigInteger, server_default="0", nullable=False),
        sa.CheckConstraint("reserved BETWEEN 0 AND on_hand", name="never_oversold"),
    )
    op.create_table(
        "reservations",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("sku", sa.Text, sa.ForeignKey("stock.sku"), primary_key=True),
        sa.Column("reserved", sa.BigInteger, sa.CheckConstraint("reserved > 0"), nullable=False),
        sa.Column("released", sa.BigInteger, server_default="0", nullable=False),
        sa.CheckConstraint("released BETWEEN 0 AND reserved", name="never_released_twice"),
    )
    op.bulk_insert(
        stock,
        [
            {"sku": "KEYBOARD", "on_hand": 1_000_000},
            {"sku": "MOUSE", "on_hand": 1_000_000},
            {"sku": "MONITOR", "on_hand": 1_000_000},
            {"sku": "UNOBTAINIUM", "on_hand": 0},
        ],
    )
