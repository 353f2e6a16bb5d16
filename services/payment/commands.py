"""The rules of payment: an order is charged once, and given back no more than was taken."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.cards import Card, last_four
from services.participant.models import Answer, Money, Request
from services.participant.problems import ProblemType, Refusal
from services.payment.processor import CardProcessor, Outcome
from services.payment.tables import payments

PAYMENT_DECLINED = ProblemType("PAYMENT_DECLINED", 409, "The payment was declined")
_REASONS = {"INSUFFICIENT_FUNDS": "The card has insufficient funds."}
"""What we say for the card processor's codes; its own words may say anything."""


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


@dataclass(frozen=True, slots=True)
class CardPayment:
    """An order's payment, an effect at the card processor (services.participant.elsewhere.Effect)."""

    processor: CardProcessor

    async def intend(self, connection: AsyncConnection, order_id: str, charge: Charge) -> None:
        """Write down what is to be taken, before anybody is asked for it."""
        asked = {"amount": charge.amount.amount, "currency": charge.amount.currency}
        four = last_four(charge.card)
        row = {"order_id": order_id, "status": "pending", "captured": 0, "refunded": 0, "card_last_four": four, **asked}
        await connection.execute(insert(payments).values(row))

    async def ask(self, order_id: str) -> Outcome | None:
        """Ask what became of a charge that may have been asked for."""
        return await self.processor.ask(order_id)

    async def call(self, order_id: str, charge: Charge) -> Outcome:
        """Have the amount taken."""
        return await self.processor.charge(order_id, charge.amount, charge.card)

    async def cancel(self, order_id: str) -> Outcome:
        """Have given back what was taken, and nothing taken any more."""
        return await self.processor.cancel(order_id)

    async def record(
        self, connection: AsyncConnection, order_id: str, charge: Charge, outcome: Outcome
    ) -> Payment | Refusal:
        """Write down that the card was charged, or why it was not."""
        await self._write(connection, order_id, outcome)
        match outcome.status:
            case "captured":
                return Payment(payment_id=order_id, amount=charge.amount, card_last_four=last_four(charge.card))
            case "declined":
                return Refusal(PAYMENT_DECLINED, _REASONS.get(outcome.decline or "", "The card was declined."))
            case "cancelled":  # By a person, at the processor: our own undo would have fenced this command.
                return Refusal(PAYMENT_DECLINED, "The card processor cancelled the payment.")

    async def record_cancelled(self, connection: AsyncConnection, order_id: str, outcome: Outcome) -> Refund:
        """Write down what was given back."""
        await self._write(connection, order_id, outcome)
        return Refund(payment_id=order_id, refunded=Money(amount=outcome.refunded, currency="EUR"))

    async def _write(self, connection: AsyncConnection, order_id: str, outcome: Outcome) -> None:
        known = {"status": outcome.status, "captured": outcome.captured, "refunded": outcome.refunded}
        await connection.execute(update(payments).where(payments.c.order_id == order_id).values(known))
