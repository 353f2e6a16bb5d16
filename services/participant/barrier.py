"""The idempotency barrier: each command takes effect at most once, whatever is repeated, late or out of order.

A row per (saga, branch, op) is written in the transaction of the business rows. Who inserts it runs the business
code and stores the answer; who finds it sends the stored answer again. An undo inserts the row of its do first: if
that succeeds, there is nothing to undo, and the row stays as a tombstone that fences the late do.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, TypeVar

import structlog
from fastapi import Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import Column, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from saga.common.problems import FieldError
from services.participant import outbox
from services.participant.database import Database, database_of
from services.participant.problems import (
    ANSWER_FORGOTTEN,
    REQUEST_INVALID,
    Problem,
    Refusal,
)
from services.participant.rows import Rows, StoredAnswer
from services.participant.statements import Op

_UNIQUE_VIOLATION = "23505"
"""SQLSTATE unique_violation."""

_P = TypeVar("_P", bound=BaseModel)
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Barrier:
    """The barrier before one branch of sagas, for one request."""

    database: Database
    branch: str
    caller: str
    """Whose command it is; the key is the caller's own, so that nobody is shown the answer to another's command."""
    idempotency_key: str
    origin: str | None = None
    """For what the orchestrator has the command done, in its own words; the ledger keeps it (`ledger`)."""

    async def do(
        self,
        saga_id: str,
        payload: _P,
        business: Callable[[AsyncConnection, str, _P], Awaitable[BaseModel]],
        *,
        guard: Callable[[AsyncConnection, str, _P], Awaitable[None]] | None = None,
    ) -> Response:
        """Run `business(connection, saga_id, payload)` unless it ran before, or was undone before it came.

        `guard` runs before the barrier in the same transaction, at each repeat too; the problem that it raises is
        the answer and nothing is stored.

        Raises:
            Problem: another payload than before, the command's twin still runs, or the undo came first.
        """
        self.require_key_of(saga_id)
        async with self.database.transaction() as connection:
            if guard:
                await guard(connection, saga_id, payload)
            rows = self.rows(connection, saga_id)
            fingerprint = fingerprint_of(payload)
            if Op.DO in await rows.insert({Op.DO: fingerprint}):
                answer = await run_business(connection, lambda: business(connection, saga_id, payload))
                await self.store(rows, Op.DO, answer, "refused" if answer.refused else "done")
            else:
                answer = await rows.repeat(Op.DO, fingerprint)
        return answer.response()

    async def undo(
        self,
        saga_id: str,
        business: Callable[[AsyncConnection, str], Awaitable[BaseModel]],
        *,
        nothing: BaseModel,
        effects: Column[str] | None = None,
    ) -> Response:
        """Run `business(connection, saga_id)` unless it ran before or the do took no effect: then say `nothing`.

        `effects` is the column of the do's business rows that holds the saga's id: where there are rows and the barrier
        knows of no do, its saga was forgotten, and that is not nothing.

        Raises:
            Problem: the do or this undo's twin still runs, or the do was forgotten.
        """
        self.require_key_of(saga_id)
        async with self.database.transaction() as connection:
            rows = self.rows(connection, saga_id)
            # One statement, in this order: it waits for a do that still runs, and fences one that has yet to come.
            inserted = await rows.insert({Op.DO: None, Op.UNDO: None})
            if Op.UNDO not in inserted:
                answer = await rows.repeat(Op.UNDO, None)
            else:
                if Op.DO in inserted:
                    await self.require_remembered(connection, saga_id, effects)
                if Op.DO not in inserted and await rows.did():
                    answer = success(await business(connection, saga_id))
                else:
                    answer = success(nothing)
                await self.store(rows, Op.UNDO, answer, "undone")
        return answer.response()

    async def require_remembered(self, connection: AsyncConnection, saga_id: str, effects: Column[str] | None) -> None:
        """Check that a do of which the barrier knows nothing left no business rows either.

        Raises:
            Problem: ANSWER_FORGOTTEN; it took effect, and its barrier row was removed with its saga.
        """
        if effects is not None and await connection.scalar(select(1).where(effects == saga_id).limit(1)):
            detail = (
                "What this command would undo is done, and was forgotten with its saga. A person has to look at it."
            )
            raise Problem(ANSWER_FORGOTTEN, detail)

    def rows(self, connection: AsyncConnection, saga_id: str) -> Rows:
        """Return the barrier rows of this branch of a saga."""
        return Rows(connection, saga_id, self.branch, self.caller, self.origin)

    def require_key_of(self, saga_id: str) -> None:
        """Check that the key is one of the URL's saga and of its caller, or a worker mixes up two of them."""
        expected = f'"{saga_id}/{self.caller}"'
        if self.idempotency_key != expected:
            error = FieldError(field="Idempotency-Key", message=f"must be {expected}, in quotes")
            raise Problem(REQUEST_INVALID, "The Idempotency-Key does not belong to this URL.", [error])

    async def store(self, rows: "Rows", op: Op, answer: StoredAnswer, outcome: str) -> None:
        """Keep the answer for repeats, and write the event that tells of it."""
        await rows.store(op, answer)
        source = self.database.schema
        event_type = f"saga.{source}.{self.branch}.{outcome}"
        await outbox.record(rows.connection, source=source, event_type=event_type, subject=rows.saga_id)
        _log.info("command", branch=self.branch, op=op.value, saga_id=rows.saga_id, outcome=outcome)


def barrier_of(branch: str) -> Callable[..., Awaitable[Barrier]]:
    """Return the dependency that puts the barrier of `branch` before a route.

    Declare it once, `Reservation = Annotated[Barrier, Depends(barrier_of("reservation"))]`; a request without an
    Idempotency-Key of the route's caller (`called_by`) does not come past it.
    """

    async def dependency(
        request: Request,
        key: Annotated[
            str,
            Header(
                alias="Idempotency-Key",
                description=(
                    '`"<saga id>/<caller>"`, a structured-field string (RFC 8941) with its quotes; the caller is the '
                    "one that the operation is for. The same key and payload get the same answer, byte for byte."
                ),
                examples=['"4711/reserve-inventory"'],
            ),
        ],
        origin: Annotated[
            str | None,
            Header(
                alias="Saga-Origin",
                pattern=r"^[!-~]{1,100}$",
                description="For what the orchestrator has it done; the ledger of effects says it again.",
                examples=["2251799813685249/2251799813685261"],
            ),
        ] = None,
    ) -> Barrier:
        return Barrier(database_of(request), branch, request.state.caller, key, origin)

    return dependency


async def run_business(connection: AsyncConnection, business: Callable[[], Awaitable[BaseModel]]) -> StoredAnswer:
    """Run a command's business in a savepoint: a refusal keeps nothing of what it wrote."""
    try:
        with telling_what_was_forgotten():
            # A refusal leaves no business rows, but its own barrier row stays.
            async with connection.begin_nested():
                return success(await business())
    except Refusal as refusal:
        return refused(refusal)


@contextmanager
def telling_what_was_forgotten() -> Iterator[None]:
    """Run business code that writes a command's first rows.

    Raises:
        Problem: ANSWER_FORGOTTEN; the rows are there already, although the barrier let their command pass.
    """
    try:
        yield
    except IntegrityError as error:
        if getattr(error.orig, "sqlstate", None) != _UNIQUE_VIOLATION:
            raise
        detail = "What this command would do is done, and its barrier row was forgotten with its saga."
        raise Problem(ANSWER_FORGOTTEN, detail) from error


def success(answer: BaseModel) -> StoredAnswer:
    """Return what is stored of an effect."""
    return StoredAnswer(HTTPStatus.OK, answer.model_dump_json(by_alias=True).encode())


def refused(refusal: Refusal) -> StoredAnswer:
    """Return what is stored of a refusal."""
    return StoredAnswer(refusal.kind.status, refusal.body())


def fingerprint_of(payload: BaseModel) -> bytes:
    """Hash the payload as its model writes it: field order and white space of the request do not count.

    A field that must not be guessed from its hash, as a card number, has a serializer that masks it.
    """
    return hashlib.sha256(payload.model_dump_json(by_alias=True).encode()).digest()
