"""The barrier before an effect at a third party, which no transaction of ours can cover.

A command is two transactions with a conversation between them: the intent is committed before the third party hears of
it, and what it did is committed with the answer. A barrier row without an answer is a command whose outcome is not
known; whoever sends it again asks the third party first, and calls it, under the same key, only if it knows of nothing.
So a crash at any point is resumed by the next repeat, and nobody takes a timeout for a refusal.

An undo does not wait for a do whose outcome is unknown: it fences it, and cancels at the third party, which refuses a
call that comes later still.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog
from fastapi import Response
from pydantic import BaseModel
from sqlalchemy import Column
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.barrier import Barrier, fingerprint_of, refused, success, telling_what_was_forgotten
from services.participant.problems import Problem, ProblemType, Refusal
from services.participant.rows import Rows
from services.participant.statements import Op

OUTCOME_UNKNOWN = ProblemType("OUTCOME_UNKNOWN", 503, "It is not known what the third party did", retry_after=1)
_TIMEOUT = 4.0
"""Seconds for a whole conversation: with the transactions around it, less than a worker waits for its answer."""

_log = structlog.get_logger(__name__)
_P = TypeVar("_P", bound=BaseModel)
_Command_contra = TypeVar("_Command_contra", bound=BaseModel, contravariant=True)
_Outcome = TypeVar("_Outcome")


class Effect(Protocol[_Command_contra, _Outcome]):
    """An effect at a third party, and the business rows that tell of it.

    `ask`, `call` and `cancel` speak to the third party, outside any transaction; each may run any number of times, and
    at the same time as its twins, and raises Problem(OUTCOME_UNKNOWN) for whatever leaves the outcome open.
    """

    async def intend(self, connection: AsyncConnection, saga_id: str, command: _Command_contra) -> None:
        """Write down what will be asked for."""

    async def ask(self, saga_id: str) -> _Outcome | None:
        """Return what the third party did, None if it never heard of it."""

    async def call(self, saga_id: str, command: _Command_contra) -> _Outcome:
        """Have it done, under a key that is the same each time."""

    async def cancel(self, saga_id: str) -> _Outcome:
        """Have it taken back, or never done where it was not done yet; return what is left."""

    async def record(
        self, connection: AsyncConnection, saga_id: str, command: _Command_contra, outcome: _Outcome
    ) -> BaseModel | Refusal:
        """Write down what was done; return the command's answer, now and at each repeat."""

    async def record_cancelled(self, connection: AsyncConnection, saga_id: str, outcome: _Outcome) -> BaseModel:
        """Write down what was taken back; return the undo's answer."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A barrier whose branch has its effect at a third party."""

    barrier: Barrier

    async def do(self, saga_id: str, command: _P, effect: Effect[_P, _Outcome]) -> Response:
        """Have `effect` done unless it was done before, or undone before it came.

        Raises:
            Problem: another payload than before, the undo came first, or the outcome is unknown: then the same command
                may be sent again.
        """
        self.barrier.require_key_of(saga_id)
        fingerprint = fingerprint_of(command)
        async with self._rows(saga_id) as rows:
            is_new = Op.DO in await rows.insert({Op.DO: fingerprint})
            answer = None if is_new else await rows.find(Op.DO, fingerprint)
            if is_new:
                with telling_what_was_forgotten():
                    await effect.intend(rows.connection, saga_id, command)
        if answer is not None:
            return answer.response()
        async with self._conversation(saga_id):
            outcome = None if is_new else await effect.ask(saga_id)
            if outcome is None:
                outcome = await effect.call(saga_id, command)
        async with self._rows(saga_id, begun=True) as rows:
            # A twin may have answered by now, or an undo fenced this command.
            answer = await rows.find(Op.DO, fingerprint, lock=True)
            if answer is None:
                result = await effect.record(rows.connection, saga_id, command, outcome)
                answer = refused(result) if isinstance(result, Refusal) else success(result)
                await self.barrier.store(rows, Op.DO, answer, "refused" if answer.refused else "done")
        return answer.response()

    async def undo(
        self, saga_id: str, effect: Effect[_P, _Outcome], *, nothing: BaseModel, effects: Column[str] | None = None
    ) -> Response:
        """Have `effect` taken back unless it was before, or the do took no effect: then say `nothing`.

        `effects` is as for `Barrier.undo`.

        Raises:
            Problem: the do was forgotten, its first transaction still runs, or the outcome is unknown: then the same
                command may be sent again.
        """
        self.barrier.require_key_of(saga_id)
        async with self._rows(saga_id) as rows:
            inserted = await rows.insert({Op.DO: None, Op.UNDO: None})
            if Op.DO in inserted:
                await self.barrier.require_remembered(rows.connection, saga_id, effects)
            if Op.UNDO not in inserted:
                answer = await rows.find(Op.UNDO, None)
            elif Op.DO not in inserted and await rows.fence_pending():
                answer = None
            else:
                answer = success(nothing)
                await self.barrier.store(rows, Op.UNDO, answer, "undone")
        if answer is not None:
            return answer.response()
        async with self._conversation(saga_id):
            outcome = await effect.cancel(saga_id)
        async with self._rows(saga_id, begun=True) as rows:
            answer = await rows.find(Op.UNDO, None, lock=True)
            if answer is None:
                answer = success(await effect.record_cancelled(rows.connection, saga_id, outcome))
                await self.barrier.store(rows, Op.UNDO, answer, "undone")
        return answer.response()

    @asynccontextmanager
    async def _rows(self, saga_id: str, *, begun: bool = False) -> AsyncIterator[Rows]:
        """Run the body in a transaction, with the branch's barrier rows of this saga; `begun` after a conversation."""
        async with self.barrier.database.transaction(first=begun) as connection:
            yield self.barrier.rows(connection, saga_id)

    @asynccontextmanager
    async def _conversation(self, saga_id: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_TIMEOUT):
                yield
        except TimeoutError as error:
            _log.warning("no answer in time", branch=self.barrier.branch, saga_id=saga_id)
            detail = "The third party did not answer in time. Send the same command again."
            raise Problem(OUTCOME_UNKNOWN, detail) from error
