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
    Column("caller", Text),
    Column("origin", Text),
    Column("settlement", Text),
)


def _insert_if_absent(rows: int) -> TextClause:
    # As text, for SQLAlchemy compiles an insert of several rows anew each time, which takes longer than to run it.
    own = "(:saga_id, :branch, :caller, :origin, :op_{0}, :fenced_{0}, :fingerprint_{0})"
    values = ", ".join(own.format(each) for each in range(rows))
    columns = "saga_id, branch, caller, origin, op, fenced, fingerprint"
    statement = f"INSERT INTO barrier ({columns}) VALUES {values} ON CONFLICT DO NOTHING RETURNING op"  # noqa: S608 - ours
    typed = [bindparam(f"fingerprint_{each}", type_=LargeBinary) for each in range(rows)]
    return text(statement).bindparams(*typed)


_INSERT = {rows: _insert_if_absent(rows) for rows in (1, 2)}


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
    caller: str
    """Whose command it is."""
    origin: str | None
    """For what the orchestrator has it done, in its own words."""

    async def insert(self, fingerprints: dict[Op, bytes | None]) -> set[str]:
        """Insert the rows that are absent and return their ops; a twin's uncommitted row is waited for."""
        parameters: dict[str, object] = {
            "saga_id": self.saga_id,
            "branch": self.branch,
            "caller": self.caller,
            "origin": self.origin,
        }
        for number, (op, fingerprint) in enumerate(fingerprints.items()):
            parameters[f"op_{number}"] = op.value
            parameters[f"fenced_{number}"] = op is Op.DO and Op.UNDO in fingerprints
            parameters[f"fingerprint_{number}"] = fingerprint
        inserted = await self.connection.execute(_INSERT[len(fingerprints)], parameters)
        return set(inserted.scalars())

    async def store(self, op: Op, answer: StoredAnswer) -> None:
        """Keep the answer for repeats; a refusal settles its do, and an undo that of its branch."""
        if op is Op.UNDO:
            await self.connection.execute(update(barrier).where(self._of_branch).values(_undone(answer)))
            return
        values = {"status": answer.status, "answer": answer.body}
        settled = {"settlement": Settlement.REFUSED} if answer.refused else {}
        await self.connection.execute(update(barrier).where(self._is(op)).values(values | settled))

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
        columns = (barrier.c.fenced, barrier.c.fingerprint, barrier.c.status, barrier.c.answer, barrier.c.origin)
        query = select(*columns).where(self._is(op))
        row = (await self.connection.execute(query.with_for_update() if lock else query)).one_or_none()
        named = f"{self.branch.capitalize()} {self.saga_id}"
        if row is None:  # It was removed between our two statements: its time was over.
            raise self._in_progress()
        if row.fenced:
            raise Problem(FENCED, f"{named} was undone before this command arrived.")
        if row.fingerprint != fingerprint:
            raise Problem(KEY_REUSED, f"{named} was commanded before with another payload.")
        if op is Op.DO and self.origin not in (None, row.origin):
            await self._pass_on()
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

    async def _pass_on(self) -> None:
        """Let the effect be the last one's who asked for it: that element counts on it now."""
        live = and_(self._is(Op.DO), barrier.c.settlement.is_distinct_from(Settlement.UNDONE))
        unless_refused = case((barrier.c.settlement == Settlement.REFUSED, Settlement.REFUSED))
        values = {"origin": self.origin, "settlement": unless_refused}
        await self.connection.execute(update(barrier).where(live).values(values))

    def _in_progress(self) -> Problem:
        named = f"{self.branch.capitalize()} {self.saga_id}"
        return Problem(IN_PROGRESS, f"{named} changes at this moment. Send the command again.")

    @property
    def _of_branch(self) -> ColumnElement[bool]:
        return and_(barrier.c.saga_id == self.saga_id, barrier.c.branch == self.branch)

    def _is(self, op: Op) -> ColumnElement[bool]:
        return and_(self._of_branch, barrier.c.op == op)


def _undone(answer: StoredAnswer) -> dict[str, ColumnElement[object]]:
    """Return what both rows of a branch become at once when its undo is answered."""
    is_undo = barrier.c.op == Op.UNDO
    return {
        "status": case((is_undo, answer.status), else_=barrier.c.status),
        "answer": case((is_undo, answer.body), else_=barrier.c.answer),
        "settlement": case((~is_undo, Settlement.UNDONE.value)),
    }
