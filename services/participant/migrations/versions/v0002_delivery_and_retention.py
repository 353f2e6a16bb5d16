"""Delivered events, those that were received, and the ages by which rows are forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "kit_0002"
down_revision = "kit_0001"


def upgrade() -> None:
    """Add what the relay marks and what the inbox remembers."""
    op.add_column(
        "outbox",
        sa.Column("delivered_at", sa.DateTime(timezone=True), comment="when the consumer had acknowledged the event"),
    )
    op.add_column(
        "outbox",
        sa.Column("rejected_with", sa.SmallInteger, comment="the HTTP status that ended its delivery"),
    )
    op.create_index(
        "outbox_undelivered",
        "outbox",
        ["position"],
        postgresql_where=sa.text("delivered_at IS NULL AND rejected_with IS NULL"),
    )
    op.create_index("outbox_delivered_at", "outbox", ["delivered_at"])
    op.create_table(
        "inbox",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("received_at", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False),
    )
    op.create_index("inbox_received_at", "inbox", ["received_at"])
    op.create_index("barrier_created_at", "barrier", ["created_at"])
