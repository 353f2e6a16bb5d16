"""What was booked, and the trips that the engine is to carry out."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

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
    op.create_table(
        "trips",
        sa.Column("trip_id", sa.Text, primary_key=True),
        sa.Column("variables", JSONB, nullable=False),
        sa.Column("published", sa.Boolean, nullable=False),
    )
