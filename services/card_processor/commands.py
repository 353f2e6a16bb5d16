"""The rules of the fake card processor: a reference is charged once, and a cancelled one never again."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.card_processor.cards import DECLINES, Decline
from services.card_processor.tables import calls, charges
from services.participant.cards import Card, last_four
from services.participant.models import Answer, Request
from services.participant.problems import Problem, ProblemType

DECLINED = {
    Decline.CARD_DECLINED: ProblemType("CARD_DECLINED", 402, "The card was declined"),
    Decline.INSUFFICIENT_FUNDS: ProblemType("INSUFFICIENT_FUNDS", 402, "The card has insufficient funds"),
}
CHARGE_UNKNOWN = ProblemType("CHARGE_UNKNOWN", 404, "There is no charge of this reference")
CHARGE_CANCELLED = ProblemType("CHARGE_CANCELLED", 409, "The reference was cancelled before its charge came")
REFERENCE_USED = ProblemType("REFERENCE_USED", 409, "The reference was charged under another key")
KEY_REUSED = ProblemType("IDEMPOTENCY_KEY_REUSED", 422, "The key was used before for another charge")
UNWELL = ProblemType("PROCESSOR_UNWELL", 500, "The processor failed")

Reference = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
"""The merchant's name for a charge."""


class NewCharge(Request):
    """What is to be taken, from which card; in the currency's minor unit."""

    reference: Annotated[Reference, Field(examples=["4711"])]
    amount: Annotated[int, Field(ge=1, le=10**15, examples=[4990])]
    currency: Literal["EUR"]
    card: Card


class Charge(Answer):
    """A reference as it stands."""

    reference: str
    status: Literal["captured", "declined", "cancelled"]
    captured: int
    refunded: int
    currency: str
    decline: Decline | None = None


async def count_call(connection: AsyncConnection, reference: str) -> tuple[int, bool]:
    """Write down that a charge is asked for; return the call's position and whether it is the reference's first."""
    called = insert(calls).values(reference=reference, call="charge").returning(calls.c.position)
    position: int = (await connection.execute(called)).scalar_one()
    first = select(func.min(calls.c.position)).where(calls.c.reference == reference, calls.c.call == "charge")
    return position, await connection.scalar(first) == position


async def answer_call(connection: AsyncConnection, position: int, status: int) -> None:
    """Write down how a call was answered."""
    await connection.execute(update(calls).where(calls.c.position == position).values(status=status))


async def record_call(connection: AsyncConnection, reference: str, call: str, status: int) -> None:
    """Write down a call with its answer."""
    await connection.execute(insert(calls).values(reference=reference, call=call, status=status))


async def charge(connection: AsyncConnection, key: str, new: NewCharge) -> Charge | Problem:
    """Take the amount, or say why not; a repeat under the same key is answered as the first was."""
    decline = DECLINES.get(new.card.get_secret_value())
    asked = {"amount": new.amount, "currency": new.currency, "card_last_four": last_four(new.card)}
    row = {
        "reference": new.reference,
        "idempotency_key": key,
        "status": "declined" if decline else "captured",
        "decline": decline,
        "captured": 0 if decline else new.amount,
        "refunded": 0,
        **asked,
    }
    # A twin's charge that is not committed yet is waited for.
    await connection.execute(insert(charges).values(row).on_conflict_do_nothing())
    found = await read(connection, new.reference)
    if found is None:
        return Problem(KEY_REUSED, "The key belongs to another reference.")
    if found.idempotency_key is None:
        return Problem(CHARGE_CANCELLED, "The reference was cancelled, and nothing was taken.")
    if found.idempotency_key != key:
        return Problem(REFERENCE_USED, "One reference is one charge.")
    if {name: getattr(found, name) for name in asked} != asked:
        return Problem(KEY_REUSED, "The charge was asked for before with another amount or card.")
    if found.decline:
        return Problem(DECLINED[Decline(found.decline)], "Nothing was taken.")
    # As it was answered the first time, whatever was given back since.
    return Charge(
        reference=found.reference,
        status="captured",
        captured=found.captured,
        refunded=0,
        currency=found.currency,
    )


async def read(connection: AsyncConnection, reference: str) -> Row | None:  # type: ignore[type-arg] # columns of a table
    """Return the row of a reference, None where there is none."""
    return (await connection.execute(select(charges).where(charges.c.reference == reference))).one_or_none()


async def cancel(connection: AsyncConnection, reference: str) -> Charge:
    """Give back what was taken, and see to it that nothing is taken later."""
    nothing = {"status": "cancelled", "amount": 0, "captured": 0, "refunded": 0, "currency": "EUR"}
    await connection.execute(insert(charges).values(reference=reference, **nothing).on_conflict_do_nothing())
    back = {"status": "cancelled", "refunded": charges.c.captured}
    taken = charges.c.reference == reference, charges.c.status == "captured"
    await connection.execute(update(charges).where(*taken).values(back))
    row = await read(connection, reference)
    assert row is not None  # noqa: S101 - inserted above, and nobody deletes any
    return as_answer(row)


def as_answer(row: Row) -> Charge:  # type: ignore[type-arg] # columns of a table
    """Return a row as it is shown."""
    return Charge(
        reference=row.reference,
        status=row.status,
        captured=row.captured,
        refunded=row.refunded,
        currency=row.currency,
        decline=row.decline and Decline(row.decline),
    )
