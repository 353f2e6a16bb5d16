"""What was taken for which order, and given back."""

import sqlalchemy as sa
from alembic import op

revision = "payment_0001"
down_revision = None


def upgrade() -> None:
    """Make the table; amounts are in the currency's minor unit."""
    op.create_table(
        "payments",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("captured", sa.BigInteger, sa.CheckConstraint("captured > 0"), nullable=False),
        sa.Column("refunded", sa.BigInteger, server_default="0", nullable=False),
        sa.Column("card_last_four", sa.Text, sa.CheckConstraint("length(card_last_four) = 4"), nullable=False),
        sa.CheckConstraint("refunded BETWEEN 0 AND captured", name="never_refunded_twice"),
    )
