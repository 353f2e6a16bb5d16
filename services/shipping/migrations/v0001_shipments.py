"""What went where."""

import sqlalchemy as sa
from alembic import op

revision = "shipping_0001"
down_revision = None


def upgrade() -> None:
    """Make the tables; the primary key allows one shipment per order."""
    op.create_table(
        "shipments",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("tracking_code", sa.Text, nullable=False, unique=True),
        sa.Column("cancelled", sa.Boolean, server_default=sa.false(), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("street", sa.Text, nullable=False),
        sa.Column("city", sa.Text, nullable=False),
        sa.Column("postal_code", sa.Text, nullable=False),
        sa.Column("country", sa.Text, nullable=False),
    )
    op.create_table(
        "shipment_items",
        sa.Column("order_id", sa.Text, sa.ForeignKey("shipments.order_id"), primary_key=True),
        sa.Column("sku", sa.Text, primary_key=True),
        sa.Column("quantity", sa.BigInteger, sa.CheckConstraint("quantity > 0"), nullable=False),
    )
