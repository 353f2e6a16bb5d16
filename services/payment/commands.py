"""The rules of payment: an order is charged once, and given back no more than was taken."""

from typing import Annotated

from pydantic import Field
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.kit.models import Answer, Money, Request
from services.kit.problems import ProblemType, Refusal
from services.payment.cards import Card, last_four
from services.payment.tables import payments

PAYMENT_DECLINED = ProblemType("PAYMENT_DECLINED", 409, "The payment was declined")
_DECLINES = {
    "4000000000000002": "The card was declined.",
    "4000000000009995": "The card has insufficient funds.",
}
"""The test numbers that card processors document for this."""


class Price(Money):
    """What is to be paid: something."""

    amount: Annotated[int, Field(ge=1, le=10**15, examples=[9980])]


class Charge(Request):
    """What is to be taken, from which card."""

    amount: Price
    card: Card


class Payment(Answer):
    """What was taken."""

    payment_id: str
    amount: Money
    card_last_four: str


class Refund(Answer):
    """What was given back."""

    payment_id: str
    refunded: Money


async def charge(connection: AsyncConnection, order_id: str, charge: Charge) -> Payment:
    """Take the amount.

    Raises:
        Refusal: PAYMENT_DECLINED; nothing was taken.
    """
    reason = _DECLINES.get(charge.card.get_secret_value())
    if reason:
        raise Refusal(PAYMENT_DECLINED, reason)
    taken = {"captured": charge.amount.amount, "refunded": 0, "currency": charge.amount.currency}
    card_last_four = last_four(charge.card)
    await connection.execute(
        insert(payments).values(order_id=order_id, card_last_four=card_last_four, **taken),
    )
    return Payment(payment_id=order_id, amount=charge.amount, card_last_four=card_last_four)


async def refund(connection: AsyncConnection, order_id: str) -> Refund:
    """Give back all that was taken."""
    statement = update(payments).where(payments.c.order_id == order_id).values(refunded=payments.c.captured)
    amount = (await connection.execute(statement.returning(payments.c.refunded))).scalar_one()
    return Refund(payment_id=order_id, refunded=Money(amount=amount, currency="EUR"))
