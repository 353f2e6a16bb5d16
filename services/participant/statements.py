"""The barrier's table, and the statements of a command on it.

They are made once: SQLAlchemy takes longer to put one of them together than PostgreSQL takes to run it.
"""

from enum import StrEnum
from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    FromClause,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TextClause,
    and_,
    bindparam,
    case,
    or_,
    select,
    text,
    update,
)

barrier = Table(
    "barrier",
    MetaData(),
    Column("saga_id", Text, primary_key=True),
    Column("branch", Text, primary_key=True),
    Column("op", Text, primary_key=True),
    Column("fenced", Boolean, nullable=False),
    Column("fingerprint", LargeBinary),
    Column("status", SmallInteger),
    Column("answer", LargeBinary),
    Column("created_at", DateTime(timezone=True)),
    Column("caller", Text),
    Column("origin", Text),
    Column("settlement", Text),
)


class Settlement(StrEnum):
    """How a do ended for its saga."""

    REFUSED = "refused"
    """It took no effect."""
    UNDONE = "undone"
    KEPT = "kept"
    """Its saga has ended with it."""
    ASKED = "asked"
    """A person decides."""


class Op(StrEnum):
    """Which of a branch's two commands."""

    DO = "do"
    UNDO = "undo"


def is_unsettled(rows: FromClause) -> ColumnElement[bool]:
    """Select the effects among `rows`, the barrier's, of which nobody has said how they end, or a person has yet to."""
    asked = or_(rows.c.settlement.is_(None), rows.c.settlement == Settlement.ASKED)
    return and_(rows.c.op == Op.DO, asked)


def _insert_if_absent(rows: int) -> TextClause:
    own = "(:saga_id, :branch, :caller, :origin, :op_{0}, :fenced_{0}, :fingerprint_{0})"
    values = ", ".join(own.format(each) for each in range(rows))
    columns = "saga_id, branch, caller, origin, op, fenced, fingerprint"
    statement = f"INSERT INTO barrier ({columns}) VALUES {values} ON CONFLICT DO NOTHING RETURNING op"  # noqa: S608 - ours
    typed = [bindparam(f"fingerprint_{each}", type_=LargeBinary) for each in range(rows)]
    return text(statement).bindparams(*typed)


_ROW = and_(
    barrier.c.saga_id == bindparam("saga"),
    barrier.c.branch == bindparam("of_branch"),
    barrier.c.op == bindparam("of_op"),
)
INSERT: Final = {rows: _insert_if_absent(rows) for rows in (1, 2)}
"""Inserts so many rows of one branch where they are absent, and returns the ops of those that were."""
FIND: Final = select(
    barrier.c.fenced, barrier.c.fingerprint, barrier.c.status, barrier.c.answer, barrier.c.origin
).where(_ROW)
FIND_AND_LOCK: Final = FIND.with_for_update()
KEEP_STATUS: Final = select(barrier.c.status).where(_ROW).with_for_update(read=True)
"""Locked, so that the saga is not forgotten before this transaction ends."""
ANSWER_DO: Final = (
    update(barrier)
    .where(_ROW)
    .values(status=bindparam("said"), answer=bindparam("body"), settlement=bindparam("settled"))
)
ANSWER_UNDO: Final = text(
    "UPDATE barrier SET status = CASE op WHEN 'undo' THEN :said ELSE status END, "
    "answer = CASE op WHEN 'undo' THEN :body ELSE answer END, settlement = CASE op WHEN 'do' THEN 'undone' END "
    "WHERE saga_id = :saga AND branch = :of_branch"
).bindparams(bindparam("body", type_=LargeBinary), bindparam("said", type_=SmallInteger))
"""Both rows at once: an undo that is answered settles its do."""
FENCE_PENDING: Final = update(barrier).where(_ROW, barrier.c.status.is_(None)).values(fenced=True)
PASS_ON: Final = (
    update(barrier)
    .where(_ROW, barrier.c.settlement.is_distinct_from(Settlement.UNDONE))
    .values(
        origin=bindparam("to"),
        settlement=case((barrier.c.settlement == Settlement.REFUSED, Settlement.REFUSED)),
    )
)
"""An effect that was settled is open again: its new owner has yet to end."""
