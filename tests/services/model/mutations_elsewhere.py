"""Payment with one thing of its two transactions or its conversation taken out or put wrong: all must be found."""

from collections.abc import Callable
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.problems import FENCED, Problem
from services.participant.rows import Rows, StoredAnswer
from services.participant.statements import Op
from services.participant.statements import barrier as table
from services.payment.commands import CardPayment, Charge
from services.payment.processor import Outcome
from tests.services.model.mutations import Patch, do_of

_find = Rows.find
_fence_pending = Rows.fence_pending
_intend = CardPayment.intend
_call = CardPayment.call
_cancel = CardPayment.cancel


def _repeat_calls_without_asking(patch: Patch) -> None:
    async def know_nothing(_payment: CardPayment, _order_id: str) -> None:
        """Say that nobody ever heard of it."""

    patch.setattr(CardPayment, "ask", know_nothing)


def _each_call_is_under_a_key_of_its_own(patch: Patch) -> None:
    async def call_anew(payment: CardPayment, order_id: str, charge: Charge) -> Outcome:
        return await payment.processor.charge(f"{order_id}-{uuid4().hex[:8]}", charge.amount, charge.card)

    patch.setattr(CardPayment, "call", call_anew)


def _call_comes_before_the_intent_is_committed(patch: Patch) -> None:
    async def call_first(payment: CardPayment, connection: AsyncConnection, order_id: str, charge: Charge) -> None:
        await _intend(payment, connection, order_id, charge)
        await _call(payment, order_id, charge)

    patch.setattr(CardPayment, "intend", call_first)


def _no_answer_is_taken_for_a_decline(patch: Patch) -> None:
    async def give_up(payment: CardPayment, order_id: str, charge: Charge) -> Outcome:
        try:
            return await _call(payment, order_id, charge)
        except Problem:
            return Outcome(status="declined")

    patch.setattr(CardPayment, "call", give_up)


def _no_answer_to_an_undo_is_taken_for_a_refund(patch: Patch) -> None:
    async def hope(payment: CardPayment, order_id: str) -> Outcome:
        try:
            return await _cancel(payment, order_id)
        except Problem:
            return Outcome(status="cancelled")

    patch.setattr(CardPayment, "cancel", hope)


def _undo_cancels_nothing(patch: Patch) -> None:
    async def only_ask(payment: CardPayment, order_id: str) -> Outcome:
        return await payment.ask(order_id) or Outcome(status="cancelled")

    patch.setattr(CardPayment, "cancel", only_ask)


def _undo_cancels_only_what_the_processor_knows(patch: Patch) -> None:
    async def ask_first(payment: CardPayment, order_id: str) -> Outcome:
        known = await payment.ask(order_id)
        return await _cancel(payment, order_id) if known else Outcome(status="cancelled")

    patch.setattr(CardPayment, "cancel", ask_first)


def _undo_does_not_fence_a_pending_do(patch: Patch) -> None:
    async def only_look(rows: Rows) -> bool:
        query = select(table.c.status).where(do_of(rows))
        return await rows.connection.scalar(query) is None or await rows.did()

    patch.setattr(Rows, "fence_pending", only_look)


def _undo_of_a_pending_do_is_an_undo_of_nothing(patch: Patch) -> None:
    async def fence_and_forget(rows: Rows) -> bool:
        await _fence_pending(rows)
        return await rows.did()

    patch.setattr(Rows, "fence_pending", fence_and_forget)


def _fence_is_put_before_what_was_answered_too(patch: Patch) -> None:
    async def fence_all(rows: Rows) -> bool:
        did = await _fence_pending(rows)
        await rows.connection.execute(update(table).where(do_of(rows)).values(fenced=True))
        return did

    patch.setattr(Rows, "fence_pending", fence_all)


def _fenced_do_is_recorded(patch: Patch) -> None:
    async def past_the_fence(
        rows: Rows, op: Op, fingerprint: bytes | None, *, lock: bool = False
    ) -> StoredAnswer | None:
        try:
            return await _find(rows, op, fingerprint, lock=lock)
        except Problem as problem:
            if lock and problem.kind is FENCED:
                return None
            raise

    patch.setattr(Rows, "find", past_the_fence)


def _answer_is_recorded_over_its_twins(patch: Patch) -> None:
    async def nobody_else(rows: Rows, op: Op, fingerprint: bytes | None, *, lock: bool = False) -> StoredAnswer | None:
        answer = await _find(rows, op, fingerprint, lock=lock)
        return None if lock else answer

    patch.setattr(Rows, "find", nobody_else)


def _row_is_not_locked_when_the_answer_is_recorded(patch: Patch) -> None:
    async def look(rows: Rows, op: Op, fingerprint: bytes | None, *, lock: bool = False) -> StoredAnswer | None:
        del lock
        return await _find(rows, op, fingerprint)

    patch.setattr(Rows, "find", look)


MUTATIONS: list[Callable[[Patch], None]] = [
    _repeat_calls_without_asking,
    _each_call_is_under_a_key_of_its_own,
    _call_comes_before_the_intent_is_committed,
    _no_answer_is_taken_for_a_decline,
    _no_answer_to_an_undo_is_taken_for_a_refund,
    _undo_cancels_nothing,
    _undo_cancels_only_what_the_processor_knows,
    _undo_does_not_fence_a_pending_do,
    _undo_of_a_pending_do_is_an_undo_of_nothing,
    _fence_is_put_before_what_was_answered_too,
    _fenced_do_is_recorded,
    _answer_is_recorded_over_its_twins,
    _row_is_not_locked_when_the_answer_is_recorded,
]
