"""What was charged and given back by reference, and every call that came in."""

import sqlalchemy as sa
from alembic import op

revision = "card_processor_0001"
down_revision = None


def upgrade() -> None:
    """Make the tables; amounts are in the currency's minor unit."""
    op.create_table(
        "charges",
        sa.Column("reference", sa.Text, primary_key=True),
        sa.Column("idempotency_key", sa.Text, unique=True, comment="NULL: cancelled before any charge came"),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("decline", sa.Text, comment="why the card was not charged"),
        sa.Column("amount", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("captured", sa.BigInteger, nullable=False),
        sa.Column("refunded", sa.BigInteger, nullable=False),
        sa.Column("card_last_four", sa.Text, sa.CheckConstraint("length(card_last_four) = 4")),
        sa.CheckConstraint("status IN ('captured', 'declined', 'cancelled')", name="known_status"),
        sa.CheckConstraint("captured IN (0, amount)", name="captured_whole"),
        sa.CheckConstraint("refunded IN (0, captured)", name="refunded_whole"),
    )
    op.create_table(
        "calls",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("reference", sa.Text, nullable=False, index=True),
        sa.Column("call", sa.Text, sa.CheckConstraint("call IN ('charge', 'ask', 'cancel')"), nullable=False),
        sa.Column("status", sa.SmallInteger, comment="HTTP status, also where nobody waited; NULL: none yet"),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
