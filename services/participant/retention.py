"""How long a participant remembers, and how it is told to forget a saga.

Forgetting a saga takes two keys. The participant has one: every barrier row of the saga is older than its retention,
and no effect is left that nobody has settled (`ledger`). It cannot have the other, because a do without an
undo may still be undone: that the saga has ended is known to the orchestrator alone, on whose word the barrier rows are
removed. The business rows stay.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy import ColumnElement, and_, delete, func, not_, or_, select
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.auth import called_by
from services.participant.database import Reading, database_of
from services.participant.models import Answer, SagaId
from services.participant.problems import IN_PROGRESS, Problem, ProblemType, query_problems
from services.participant.statements import barrier, is_unsettled

PAGE: Final = 1000
"""Sagas that one answer lists at most."""
SAGA_NOT_EXPIRED = ProblemType("SAGA_NOT_EXPIRED", 409, "The saga must not be forgotten yet")

router = APIRouter(tags=["retention"])
_log = structlog.get_logger(__name__)


def _retention_of(request: Request) -> timedelta:
    retention: timedelta = request.app.state.retention
    return retention


Retention = Annotated[timedelta, Depends(_retention_of)]
"""A route's parameter: the age from which barrier rows may be forgotten."""


class Expired(Answer):
    """Sagas of which this participant may forget everything, once they have ended."""

    saga_ids: list[str]


class Forgotten(Answer):
    """What was removed: nothing where nothing was there."""

    saga_id: str
    barrier_rows: int


@router.get("/sagas/expired", dependencies=[called_by("read")], responses=query_problems())
async def read_expired(
    database: Reading,
    retention: Retention,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    after: Annotated[SagaId | None, Query(description="The last saga of the page before.")] = None,
) -> Expired:
    """List the sagas all of whose barrier rows are older than the retention, in the order of their ids."""
    other = barrier.alias()
    holding = or_(other.c.created_at >= _since(retention), is_unsettled(other))
    is_held = select(other.c.op).where(other.c.saga_id == barrier.c.saga_id, holding).exists()
    query = select(barrier.c.saga_id).distinct().where(barrier.c.created_at < _since(retention), ~is_held)
    if after is not None:
        query = query.where(barrier.c.saga_id > after)
    rows = await database.execute(query.order_by(barrier.c.saga_id).limit(limit))
    return Expired(saga_ids=list(rows.scalars()))


@router.delete(
    "/sagas/{saga_id}/barrier",
    dependencies=[called_by("purge-sagas")],
    responses=query_problems(SAGA_NOT_EXPIRED, IN_PROGRESS),
)
async def forget(saga_id: SagaId, request: Request, retention: Retention) -> Forgotten:
    """Remove all barrier rows of a saga that has ended, as the caller knows; all of them or none."""
    async with database_of(request).transaction() as connection:
        removed = await _purge(connection, saga_id, retention)
    if removed:
        _log.info("saga forgotten", saga_id=saga_id, barrier_rows=removed)
    return Forgotten(saga_id=saga_id, barrier_rows=removed)


async def _purge(connection: AsyncConnection, saga_id: str, retention: timedelta) -> int:
    own = barrier.c.saga_id == saga_id
    # First the locks: an undo that runs holds the row of its do, and is over when we have it. Only the next statement
    # sees what it wrote.
    await connection.execute(select(barrier.c.op).where(own).order_by(barrier.c.branch, barrier.c.op).with_for_update())
    pending = and_(barrier.c.status.is_(None), not_(barrier.c.fenced))
    held = or_(barrier.c.created_at >= _since(retention), pending, is_unsettled(barrier))
    if await connection.scalar(select(func.count()).where(own, held)):
        detail = (
            f"Saga {saga_id} has a command younger than {retention.days} days, one without an answer, or an effect "
            "that is not settled."
        )
        raise Problem(SAGA_NOT_EXPIRED, detail)
    return (await connection.execute(delete(barrier).where(own))).rowcount


def _since(retention: timedelta) -> "ColumnElement[datetime]":
    """Return the time from which on rows are young, by the clock that stamped them."""
    return func.now() - retention
