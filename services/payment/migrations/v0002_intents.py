"""A payment is written down before the card processor is asked for it."""

import sqlalchemy as sa
from alembic import op

revision = "payment_0002"
down_revision = "payment_0001"


def upgrade() -> None:
    """Give each payment the amount that is asked for and how far it is; before, each was captured at once."""
    op.add_column("payments", sa.Column("amount", sa.BigInteger, comment="what is to be taken"))
    op.add_column("payments", sa.Column("status", sa.Text, comment="pending: the outcome is not known"))
    op.execute(
        "UPDATE payments SET amount = captured, status = CASE WHEN refunded > 0 THEN 'cancelled' ELSE 'captured' END"
    )
    op.alter_column("payments", "amount", nullable=False)
    op.alter_column("payments", "status", nullable=False)
    op.drop_constraint("payments_captured_check", "payments")
    op.create_check_constraint("captured_whole", "payments", "amount > 0 AND captured IN (0, amount)")
    op.create_check_constraint(
        "captured_when_known",
        "payments",
        "CASE status WHEN 'captured' THEN captured = amount AND refunded = 0 WHEN 'cancelled' THEN refunded = captured "
        "WHEN 'pending' THEN captured = 0 WHEN 'declined' THEN captured = 0 ELSE false END",
    )
