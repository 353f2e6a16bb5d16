"""Barriers and rules with one statement taken out or put wrong: the machine must find each of them."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest
from pydantic import BaseModel
from sqlalchemy import ColumnElement, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.inventory import commands as inventory
from services.inventory.tables import stock
from services.orders import commands as orders
from services.orders.tables import decisions
from services.participant import barrier, outbox
from services.participant.problems import Refusal
from services.participant.rows import Rows, StoredAnswer
from services.participant.statements import Op
from services.participant.statements import barrier as table

Patch = pytest.MonkeyPatch
_insert = Rows.insert
_repeat = Rows.repeat


def do_of(rows: Rows) -> ColumnElement[bool]:
    """Select the do's row."""
    return (table.c.saga_id == rows.saga_id) & (table.c.branch == rows.branch) & (table.c.op == Op.DO)


def _undo_leaves_no_tombstone(patch: Patch) -> None:
    async def own_row_only(rows: Rows, fingerprints: dict[Op, bytes | None]) -> set[str]:
        if Op.UNDO in fingerprints:
            fingerprints = {Op.UNDO: None}
        return await _insert(rows, fingerprints)

    patch.setattr(Rows, "insert", own_row_only)


def _undo_leaves_no_row_of_its_own(patch: Patch) -> None:
    async def tombstone_only(rows: Rows, fingerprints: dict[Op, bytes | None]) -> set[str]:
        if Op.UNDO not in fingerprints:
            return await _insert(rows, fingerprints)
        statement = insert(table).on_conflict_do_nothing().returning(table.c.op)
        row = {"saga_id": rows.saga_id, "branch": rows.branch, "op": Op.DO, "fingerprint": None, "fenced": True}
        return {Op.UNDO, *(await rows.connection.execute(statement.values(row))).scalars()}

    patch.setattr(Rows, "insert", tombstone_only)


def _tombstone_does_not_fence(patch: Patch) -> None:
    async def without_fence(rows: Rows, fingerprints: dict[Op, bytes | None]) -> set[str]:
        inserted = await _insert(rows, fingerprints)
        await rows.connection.execute(update(table).where(do_of(rows)).values(fenced=False))
        return inserted

    patch.setattr(Rows, "insert", without_fence)


def _check_then_insert(patch: Patch) -> None:
    async def look_first(rows: Rows, fingerprints: dict[Op, bytes | None]) -> set[str]:
        there = select(table.c.op).where(table.c.saga_id == rows.saga_id, table.c.branch == rows.branch)
        found = set((await rows.connection.execute(there)).scalars())
        absent = {op: fingerprint for op, fingerprint in fingerprints.items() if op.value not in found}
        if absent:
            await _insert(rows, absent)
        return {op.value for op in absent}

    patch.setattr(Rows, "insert", look_first)


def _row_is_committed_before_the_business_rows(patch: Patch) -> None:
    async def insert_and_commit(rows: Rows, fingerprints: dict[Op, bytes | None]) -> set[str]:
        inserted = await _insert(rows, fingerprints)
        await rows.connection.execute(text("COMMIT"))
        await rows.connection.execute(text("BEGIN"))
        return inserted

    patch.setattr(Rows, "insert", insert_and_commit)


def _answer_is_not_stored(patch: Patch) -> None:
    async def store_nothing(_rows: Rows, _op: Op, _answer: StoredAnswer) -> None:
        """Keep no answer."""

    patch.setattr(Rows, "store", store_nothing)


def _answer_is_not_replayed(patch: Patch) -> None:
    async def run_again(rows: Rows, op: Op, fingerprint: bytes | None) -> StoredAnswer:
        await _repeat(rows, op, fingerprint)
        return StoredAnswer(HTTPStatus.OK, b"{}")

    patch.setattr(Rows, "repeat", run_again)


def _payload_is_not_compared(patch: Patch) -> None:
    patch.setattr(barrier, "fingerprint_of", lambda _payload: b"the same")


def _refusal_is_undone_as_if_it_had_taken_effect(patch: Patch) -> None:
    async def anything(rows: Rows) -> bool:
        return await rows.connection.scalar(select(table.c.status).where(do_of(rows))) is not None

    patch.setattr(Rows, "did", anything)


def _what_took_effect_is_never_undone(patch: Patch) -> None:
    async def nothing(_rows: Rows) -> bool:
        return False

    patch.setattr(Rows, "did", nothing)


def _refusal_keeps_what_was_written(patch: Patch) -> None:
    async def without_savepoint(_: AsyncConnection, business: Callable[[], Awaitable[BaseModel]]) -> StoredAnswer:
        try:
            return barrier.success(await business())
        except Refusal as refusal:
            return StoredAnswer(refusal.kind.status, refusal.body())

    patch.setattr(barrier, "run_business", without_savepoint)


def _event_is_not_recorded(patch: Patch) -> None:
    async def record_nothing(_connection: AsyncConnection, **_event: str) -> None:
        """Write no event."""

    patch.setattr(outbox, "record", record_nothing)


def _every_claim_wins(patch: Patch) -> None:
    async def let_in(*_: object) -> None:
        """Ask for nothing."""

    patch.setattr(orders, "claim", let_in)


def _decision_is_looked_up_before_it_is_written(patch: Patch) -> None:
    async def look_first(connection: AsyncConnection, order_id: str, decision: orders.Decision) -> orders.Decision:
        query = select(decisions.c.decision).where(decisions.c.order_id == order_id)
        first = await connection.scalar(query)
        if first is not None:
            return orders.Decision(first)
        row = insert(decisions).values(order_id=order_id, decision=decision).on_conflict_do_nothing()
        await connection.execute(row)
        return decision

    patch.setattr(orders, "decide", look_first)


def _stock_is_read_without_its_lock(patch: Patch) -> None:
    async def look(connection: AsyncConnection, quantities: dict[str, int]) -> dict[str, int]:
        available: ColumnElement[int] = (stock.c.on_hand - stock.c.reserved).label("available")
        rows = await connection.execute(select(stock.c.sku, available).where(stock.c.sku.in_(quantities)))
        return {row.sku: row.available for row in rows}

    patch.setattr(inventory, "lock_stock", look)


MUTATIONS: list[Callable[[Patch], None]] = [
    _undo_leaves_no_tombstone,
    _undo_leaves_no_row_of_its_own,
    _tombstone_does_not_fence,
    _check_then_insert,
    _row_is_committed_before_the_business_rows,
    _answer_is_not_stored,
    _answer_is_not_replayed,
    _payload_is_not_compared,
    _refusal_is_undone_as_if_it_had_taken_effect,
    _what_took_effect_is_never_undone,
    _refusal_keeps_what_was_written,
    _event_is_not_recorded,
    _every_claim_wins,
    _decision_is_looked_up_before_it_is_written,
    _stock_is_read_without_its_lock,
]
