"""The barrier of all commands, and the outbox of their events."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "kit_0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "barrier",
        sa.Column("saga_id", sa.Text, primary_key=True),
        sa.Column("branch", sa.Text, primary_key=True),
        sa.Column("op", sa.Text, sa.CheckConstraint("op IN ('do', 'undo')"), primary_key=True),
        sa.Column("fenced", sa.Boolean, nullable=False, comment="a tombstone: the undo came before its do"),
        sa.Column("fingerprint", sa.LargeBinary, comment="SHA-256 of a do's payload, with a card number masked"),
        sa.Column("status", sa.SmallInteger, comment="HTTP status of the stored answer"),
        sa.Column("answer", sa.LargeBinary, comment="the body, byte for byte as it was sent"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger, sa.Identity(always=True), primary_key=True),
        sa.Column("event", JSONB, nullable=False, comment="a CloudEvents 1.0 event"),
    )
