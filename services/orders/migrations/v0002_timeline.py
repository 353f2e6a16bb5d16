"""What happened to each order, as all participants tell it."""

import sqlalchemy as sa
from alembic import op

revision = "orders_0002"
down_revision = "orders_0001"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "timeline",
        sa.Column("arrival", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("id", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False, comment="when it was, by its source's clock"),
    )
    op.create_index("timeline_of_order", "timeline", ["order_id", "time", "arrival"])
