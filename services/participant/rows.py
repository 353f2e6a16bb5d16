"""The barrier's rows: one for each command of a branch of a saga, with the answer that its repeats get."""

from dataclasses import dataclass
from http import HTTPStatus

from fastapi import Response
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from saga.common.problems import PROBLEM
from services.participant.problems import FENCED, IN_PROGRESS, KEY_REUSED, Problem
from services.participant.statements import (
    ANSWER_DO,
    ANSWER_UNDO,
    FENCE_PENDING,
    FIND,
    FIND_AND_LOCK,
    INSERT,
    KEEP_STATUS,
    PASS_ON,
    Op,
    Settlement,
)


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
        return Response(self.body, self.status, media_type=PROBLEM if self.refused else "application/json")


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
        inserted = await self.connection.execute(INSERT[len(fingerprints)], parameters)
        return set(inserted.scalars())

    async def store(self, op: Op, answer: StoredAnswer) -> None:
        """Keep the answer for repeats; a refusal settles its do, and an undo that of its branch."""
        said = {"said": answer.status, "body": answer.body}
        if op is Op.UNDO:
            await self.connection.execute(ANSWER_UNDO, said | self._of_branch)
        else:
            settled = Settlement.REFUSED if answer.refused else None
            await self.connection.execute(ANSWER_DO, said | self._of(op) | {"settled": settled})

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
        row = (await self.connection.execute(FIND_AND_LOCK if lock else FIND, self._of(op))).one_or_none()
        named = f"{self.branch.capitalize()} {self.saga_id}"
        if row is None:  # It was removed between our two statements: its time was over.
            raise self._in_progress()
        if row.fenced:
            raise Problem(FENCED, f"{named} was undone before this command arrived.")
        if row.fingerprint != fingerprint:
            raise Problem(KEY_REUSED, f"{named} was commanded before with another payload.")
        if op is Op.DO and self.origin not in (None, row.origin):
            # It belongs to the last one who asked for it: that element counts on it now.
            await self.connection.execute(PASS_ON, self._of(op) | {"to": self.origin})
        return None if row.status is None else StoredAnswer(row.status, row.answer)

    async def did(self) -> bool:
        """Tell whether the do took effect: a refusal left nothing to undo.

        Raises:
            Problem: the row is being forgotten at this moment.
        """
        row = (await self.connection.execute(KEEP_STATUS, self._of(Op.DO))).one_or_none()
        if row is None:
            raise self._in_progress()
        return bool(row.status == HTTPStatus.OK)

    async def fence_pending(self) -> bool:
        """Fence the do where it has no answer yet; tell whether it did, or may yet do, anything to undo."""
        fenced = await self.connection.execute(FENCE_PENDING, self._of(Op.DO))
        return fenced.rowcount > 0 or await self.did()

    def _in_progress(self) -> Problem:
        named = f"{self.branch.capitalize()} {self.saga_id}"
        return Problem(IN_PROGRESS, f"{named} changes at this moment. Send the command again.")

    @property
    def _of_branch(self) -> dict[str, object]:
        return {"saga": self.saga_id, "of_branch": self.branch}

    def _of(self, op: Op) -> dict[str, object]:
        return {**self._of_branch, "of_op": op.value}
