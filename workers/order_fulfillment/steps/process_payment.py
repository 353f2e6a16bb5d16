"""Process payment: take the order's total from the customer's card."""

from pydantic import BaseModel

from order_fulfillment.model import CardNumber, Money, OrderVariables
from order_fulfillment.steps.accept_order import Acceptance
from saga.kit import Receipt, Service, Step

step = Step("process-payment", undo="refund-payment", refuses={"PAYMENT_DECLINED"})


class Debt(OrderVariables):
    """What is to be paid, and from which card."""

    card: CardNumber
    acceptance: Acceptance


class Payment(Receipt):
    """The money is ours."""

    payment_id: str
    amount: Money
    card_last_four: str


class Refund(Receipt):
    """The money is the customer's again."""

    payment_id: str | None = None
    refunded: Money | None = None


class Charge(BaseModel):
    """What the payment service is told."""

    amount: Money
    card: CardNumber


@step.do
async def charge(debt: Debt, payment: Service) -> Payment:
    """Charge the total once, however often it is asked for."""
    return await payment.put(
        f"/payments/{debt.order_id}", Payment, Charge(amount=debt.acceptance.total, card=debt.card)
    )


@step.undo
async def refund(order: OrderVariables, payment: Service) -> Refund:
    """Give back what was taken."""
    return await payment.delete(f"/payments/{order.order_id}", Refund)
