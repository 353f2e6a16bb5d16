"""The HTTP face of payment."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.participant.auth import called_by
from services.participant.barrier import Barrier, barrier_of
from services.participant.elsewhere import OUTCOME_UNKNOWN, Elsewhere
from services.participant.models import Money, SagaId
from services.participant.problems import command_problems
from services.payment.commands import PAYMENT_DECLINED, CardPayment, Charge, Payment, Refund
from services.payment.processor import connected
from services.payment.tables import payments

router = APIRouter(tags=["payment"], lifespan=connected)
PaymentBarrier = Annotated[Barrier, Depends(barrier_of("payment"))]


async def _card_payment(request: Request) -> CardPayment:
    return CardPayment(request.app.state.processor)


ByCard = Annotated[CardPayment, Depends(_card_payment)]


@router.put(
    "/payments/{order_id}",
    dependencies=[called_by("process-payment")],
    response_model=Payment,
    responses=command_problems(PAYMENT_DECLINED, OUTCOME_UNKNOWN),
)
async def charge(order_id: SagaId, charge: Charge, barrier: PaymentBarrier, by_card: ByCard) -> Response:
    """Take the amount from the card."""
    return await Elsewhere(barrier).do(order_id, charge, by_card)


@router.delete(
    "/payments/{order_id}",
    dependencies=[called_by("refund-payment")],
    response_model=Refund,
    responses=command_problems(OUTCOME_UNKNOWN),
)
async def refund(order_id: SagaId, barrier: PaymentBarrier, by_card: ByCard) -> Response:
    """Give back what was taken."""
    nothing = Refund(payment_id=order_id, refunded=Money(amount=0, currency="EUR"))
    return await Elsewhere(barrier).undo(order_id, by_card, nothing=nothing, effects=payments.c.order_id)
