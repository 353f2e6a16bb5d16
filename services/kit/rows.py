"""The barrier's rows: one for each command of a branch of a saga, with the answer that its repeats get."""

from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus

from fastapi import Response
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
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.problems import FENCED, IN_PROGRESS, KEY_REUSED, MEDIA_TYPE, Problem

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
