"""Orders that were placed here, until the engine has them and for ever after."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "orders_0003"
down_revision = "orders_0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "placements",
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("body", JSONB, comment="the whole order, card and address included, until the engine has it"),
        sa.Column(
            "fingerprint", sa.LargeBinary, nullable=False, comment="SHA-256 of the order, with its card number masked"
        ),
        sa.Column("placed_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True)),
        sa.CheckConstraint("(body IS NULL) = (published_at IS NOT NULL)", name="kept_until_published"),
    )
    op.create_index(
        "placements_unpublished",
        "placements",
        ["placed_at", "order_id"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
