"""What was booked."""

import sqlalchemy as sa
from alembic import op

revision = "travel_0001"
down_revision = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "flights",
        sa.Column("trip_id", sa.Text, primary_key=True),
        sa.Column("flight", sa.Text, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
    )
    op.create_table(
        "hotels",
        sa.Column("trip_id", sa.Text, primary_key=True),
        sa.Column("nights", sa.BigInteger, nullable=False),
        sa.Column("cancelled", sa.Boolean, nullable=False),
    )
