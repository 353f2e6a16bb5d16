"""The ledger of effects: what dos have left at this participant, for the orchestrator's reconciler to settle.

An effect is a do that took place, or of which nobody knows yet, and that no undo has taken back. For what it was done
is the orchestrator's own word (`Saga-Origin`); what became of that, it alone knows. What it settled is never listed
again, so a sweep reads what is open and not what ever was.
"""

from datetime import datetime, timedelta
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, func, or_, select, tuple_, update

from saga.common.problems import FieldError
from services.participant.auth import called_by
from services.participant.database import Reading, database_of
from services.participant.models import Answer, Name, SagaId, Time
from services.participant.models import Request as Body
from services.participant.problems import REQUEST_INVALID, Problem, query_problems
from services.participant.statements import Op, Settlement, barrier

PAGE = 250
"""Effects that one answer lists, and one request settles, at most."""

router = APIRouter(tags=["ledger"])
_log = structlog.get_logger(__name__)


class Effect(Answer):
    """What a do has left."""

    saga_id: str
    branch: str
    caller: str
    """Whose command it was."""
    origin: str | None
    at: datetime


class Effects(Answer):
    """A page of effects, the oldest first."""

    effects: list[Effect]
    next: str | None
    """What `after` says for the page behind this one."""


class Named(Body):
    """One effect; there is one at most for each branch of a saga."""

    saga_id: SagaId
    branch: Annotated[Name, Field(examples=["reservation"])]


class Settlements(Body):
    """How effects ended for their sagas."""

    settlement: Annotated[Literal["kept", "asked"], Field(examples=["kept"])]
    effects: Annotated[list[Named], Field(min_length=1, max_length=PAGE)]


class Settled(Answer):
    """How many of them were open until now."""

    settled: int


@router.get("/effects", dependencies=[called_by("reconcile")], responses=query_problems())
async def read_effects(  # noqa: PLR0913, PLR0917 - a parameter of the query each
    database: Reading,
    older_than: Annotated[float, Query(alias="olderThan", ge=0, le=10**9, description="Seconds.")] = 0,
    limit: Annotated[int, Query(ge=1, le=PAGE)] = PAGE,
    after: Annotated[str | None, Query(description="`next` of the page before.", max_length=200)] = None,
    saga_id: Annotated[SagaId | None, Query(alias="sagaId", description="Those of one saga.")] = None,
    settlement: Annotated[
        Literal["asked", "kept"] | None, Query(description="Those that a person has, or that were kept.")
    ] = None,
) -> Effects:
    """List the effects that nobody has settled."""
    place = (barrier.c.created_at, barrier.c.saga_id, barrier.c.branch)
    open_ = barrier.c.settlement.is_(None) if settlement is None else barrier.c.settlement == settlement
    old = barrier.c.created_at <= func.now() - timedelta(seconds=older_than)
    columns = (*place, barrier.c.caller, barrier.c.origin)
    query = select(*columns).where(barrier.c.op == Op.DO, open_, old)
    if saga_id is not None:
        query = query.where(barrier.c.saga_id == saga_id)
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(*_cursor(after)))
    rows = (await database.execute(query.order_by(*place).limit(limit))).all()
    effects = [
        Effect(saga_id=row.saga_id, branch=row.branch, caller=row.caller, origin=row.origin, at=row.created_at)
        for row in rows
    ]
    last = f"{effects[-1].at.isoformat()}~{effects[-1].saga_id}~{effects[-1].branch}" if effects else None
    return Effects(effects=effects, next=last if len(effects) == limit else None)


@router.post("/effects/settlements", dependencies=[called_by("reconcile")], responses=query_problems())
async def settle(body: Settlements, request: Request) -> Settled:
    """Write down how effects ended; said twice it is the same, and what was undone meanwhile stays undone."""
    named = [(each.saga_id, each.branch) for each in body.effects]
    statement = update(barrier).where(
        barrier.c.op == Op.DO,
        tuple_(barrier.c.saga_id, barrier.c.branch).in_(named),
        _is_open_to(Settlement(body.settlement)),
    )
    async with database_of(request).transaction() as connection:
        count = (await connection.execute(statement.values(settlement=body.settlement))).rowcount
    _log.info("settled", settlement=body.settlement, effects=count)
    return Settled(settled=count)


class _Place(BaseModel):
    """Where a page ends: what PostgreSQL can compare with its rows, and nothing else."""

    at: Time
    saga_id: SagaId
    branch: Name


def _is_open_to(settlement: Settlement) -> ColumnElement[bool]:
    """Select what nobody has settled; what a person has may still be kept."""
    nobody = barrier.c.settlement.is_(None)
    return or_(nobody, barrier.c.settlement == Settlement.ASKED) if settlement is Settlement.KEPT else nobody


def _cursor(after: str) -> tuple[datetime, str, str]:
    try:
        at, saga_id, branch = after.split("~")
        place = _Place.model_validate({"at": at, "saga_id": saga_id, "branch": branch})
    except ValueError:
        error = FieldError(field="after", message="is not the `next` of a page")
        raise Problem(REQUEST_INVALID, "The query does not validate.", [error]) from None
    return place.at, place.saga_id, place.branch
