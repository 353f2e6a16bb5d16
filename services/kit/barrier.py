"""The idempotency barrier: each command takes effect at most once, whatever is repeated, late or out of order.

A row per (saga, branch, op) is written in the transaction of the business rows. Who inserts it runs the business
code and stores the answer; who finds it sends the stored answer again. An undo inserts the row of its do first: if
that succeeds, there is nothing to undo, and the row stays as a tombstone that fences the late do.
"""

import hashlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, TypeVar

import structlog
from fastapi import Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    TextClause,
    and_,
    bindparam,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit import outbox
from services.kit.database import Database, database_of
from services.kit.problems import (
    ANSWER_FORGOTTEN,
    FENCED,
    IN_PROGRESS,
    KEY_REUSED,
    MEDIA_TYPE,
    REQUEST_INVALID,
    FieldError,
    Problem,
    Refusal,
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
)


def _insert_if_absent(rows: int) -> TextClause:
    # As text, for SQLAlchemy compiles an insert of several rows anew each time, which takes longer than to run it.
    values = ", ".join(f"(:saga_id, :branch, :op_{each}, :fenced_{each}, :fingerprint_{each})" for each in range(rows))
    columns = "saga_id, branch, op, fenced, fingerprint"
    statement = f"INSERT INTO barrier ({columns}) VALUES {values} ON CONFLICT DO NOTHING RETURNING op"  # noqa: S608 - ours
    typed = [bindparam(f"fingerprint_{each}", type_=LargeBinary) for each in range(rows)]
    return text(statement).bindparams(*typed)


_INSERT = {rows: _insert_if_absent(rows) for rows in (1, 2)}
_UNIQUE_VIOLATION = "23505"
"""SQLSTATE unique_violation."""

_P = TypeVar("_P", bound=BaseModel)
_log = structlog.get_logger(__name__)


class Op(StrEnum):
    """Which of a branch's two commands."""

    DO = "do"
    UNDO = "undo"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """What a command is answered, now and at each repeat."""

    status: int
    body: bytes

    @property
    def refused(self) -> bool:
        """Whether the business said no."""
        return self.status != HTTPStatus.OK

    def response(self) -> Response:
        """Return it as it is sent."""
        return Response(self.body, self.status, media_type=MEDIA_TYPE if self.refused else "application/json")


@dataclass(frozen=True, slots=True)
class Barrier:
    """The barrier before one branch of sagas, for one request."""

    database: Database
    branch: str
    caller: str
    """Whose command it is; the key is the caller's own, so that nobody is shown the answer to another's command."""
    idempotency_key: str

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
            rows = Rows(connection, saga_id, self.branch)
            fingerprint = fingerprint_of(payload)
            if Op.DO in await rows.insert({Op.DO: fingerprint}):
                answer = await _run(connection, lambda: business(connection, saga_id, payload))
                await self.store(rows, Op.DO, answer, "refused" if answer.refused else "done")
            else:
                answer = await rows.repeat(Op.DO, fingerprint)
        return answer.response()

    async def undo(
        self, saga_id: str, business: Callable[[AsyncConnection, str], Awaitable[BaseModel]], *, nothing: BaseModel
    ) -> Response:
        """Run `business(connection, saga_id)` unless it ran before or the do took no effect: then say `nothing`.

        Raises:
            Problem: the do or this undo's twin still runs.
        """
        self.require_key_of(saga_id)
        async with self.database.transaction() as connection:
            rows = Rows(connection, saga_id, self.branch)
            # One statement, in this order: it waits for a do that still runs, and fences one that has yet to come.
            inserted = await rows.insert({Op.DO: None, Op.UNDO: None})
            if Op.UNDO not in inserted:
                answer = await rows.repeat(Op.UNDO, None)
            else:
                if Op.DO not in inserted and await rows.did():
                    answer = success(await business(connection, saga_id))
                else:
                    answer = success(nothing)
                await self.store(rows, Op.UNDO, answer, "undone")
        return answer.response()

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


@dataclass(frozen=True, slots=True)
class Rows:
    """The barrier rows of one branch of one saga."""

    connection: AsyncConnection
    saga_id: str
    branch: str

    async def insert(self, fingerprints: dict[Op, bytes | None]) -> set[str]:
        """Insert the rows that are absent and return their ops; a twin's uncommitted row is waited for."""
        parameters: dict[str, object] = {"saga_id": self.saga_id, "branch": self.branch}
        for number, (op, fingerprint) in enumerate(fingerprints.items()):
            parameters[f"op_{number}"] = op.value
            parameters[f"fenced_{number}"] = op is Op.DO and Op.UNDO in fingerprints
            parameters[f"fingerprint_{number}"] = fingerprint
        inserted = await self.connection.execute(_INSERT[len(fingerprints)], parameters)
        return set(inserted.scalars())

    async def store(self, op: Op, answer: StoredAnswer) -> None:
        """Keep the answer for repeats."""
        values = {"status": answer.status, "answer": answer.body}
        await self.connection.execute(update(barrier).where(self._is(op)).values(values))

    async def repeat(self, op: Op, fingerprint: bytes | None) -> StoredAnswer:
        """Return the stored answer to the same command.

        Raises:
            Problem: another payload than before, or the undo came first.
        """
        answer = await self.find(op, fingerprint)
        if answer is None:
            raise self._in_progress()
        return answer

    async def find(self, op: Op, fingerprint: bytes | None, *, lock: bool = False) -> StoredAnswer | None:
        """Return the stored answer to the same command, None while it has none (only where its effect is elsewhere).

        `lock` holds back everyone else who would answer it, until the end of the transaction.

        Raises:
            Problem: another payload than before, or the undo came first.
        """
        query = select(barrier.c.fenced, barrier.c.fingerprint, barrier.c.status, barrier.c.answer).where(self._is(op))
        row = (await self.connection.execute(query.with_for_update() if lock else query)).one_or_none()
        named = f"{self.branch.capitalize()} {self.saga_id}"
        if row is None:  # It was removed between our two statements: its time was over.
            raise self._in_progress()
        if row.fenced:
            raise Problem(FENCED, f"{named} was undone before this command arrived.")
        if row.fingerprint != fingerprint:
            raise Problem(KEY_REUSED, f"{named} was commanded before with another payload.")
        return None if row.status is None else StoredAnswer(row.status, row.answer)

    async def did(self) -> bool:
        """Tell whether the do took effect: a refusal left nothing to undo.

        Raises:
            Problem: the row is being forgotten at this moment.
        """
        # Locked, so that the saga is not forgotten between this and the undo's own row.
        query = select(barrier.c.status).where(self._is(Op.DO)).with_for_update(read=True)
        row = (await self.connection.execute(query)).one_or_none()
        if row is None:
            raise self._in_progress()
        return bool(row.status == HTTPStatus.OK)

    async def fence_pending(self) -> bool:
        """Fence the do where it has no answer yet; tell whether it did, or may yet do, anything to undo."""
        pending = and_(self._is(Op.DO), barrier.c.status.is_(None))
        fenced = await self.connection.execute(update(barrier).where(pending).values(fenced=True))
        return fenced.rowcount > 0 or await self.did()

    def _in_progress(self) -> Problem:
        named = f"{self.branch.capitalize()} {self.saga_id}"
        return Problem(IN_PROGRESS, f"{named} changes at this moment. Send the command again.")

    def _is(self, op: Op) -> ColumnElement[bool]:
        return and_(barrier.c.saga_id == self.saga_id, barrier.c.branch == self.branch, barrier.c.op == op)


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
                    '`"<order id>/<caller>"`, a structured-field string (RFC 8941) with its quotes; the caller is the '
                    "one that the operation is for. The same key and payload get the same answer, byte for byte."
                ),
                examples=['"4711/reserve-inventory"'],
            ),
        ],
    ) -> Barrier:
        return Barrier(database_of(request), branch, request.state.caller, key)

    return dependency


async def _run(connection: AsyncConnection, business: Callable[[], Awaitable[BaseModel]]) -> StoredAnswer:
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
