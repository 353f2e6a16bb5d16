"""The ledger of effects: for whom each do was done, and whether its end is settled."""

import sqlalchemy as sa
from alembic import op

revision = "kit_0003"
down_revision = "kit_0002"


def upgrade() -> None:
    """Add what the reconciler reads and writes."""
    op.add_column("barrier", sa.Column("caller", sa.Text, comment="whose command it is"))
    op.add_column(
        "barrier", sa.Column("origin", sa.Text, comment="for what the orchestrator had it done, in its own words")
    )
    op.add_column(
        "barrier",
        sa.Column(
            "settlement",
            sa.Text,
            sa.CheckConstraint("settlement IN ('refused', 'undone', 'kept', 'asked')"),
            comment="of a do: how it ended for its saga; none while the saga may still undo it",
        ),
    )
    # What was done before the ledger says nothing of its origin: nobody could ever settle it.
    op.execute("UPDATE barrier SET settlement = 'kept' WHERE op = 'do'")
    # Nothing in it changes while a do is answered, so that this update stays one of the row alone (PostgreSQL, HOT).
    op.create_index(
        "barrier_unsettled",
        "barrier",
        ["settlement", "created_at", "saga_id", "branch"],
        postgresql_where=sa.text("op = 'do' AND (settlement IS NULL OR settlement = 'asked')"),
    )
