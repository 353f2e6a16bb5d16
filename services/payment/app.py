"""The HTTP face of payment."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.kit.auth import called_by
from services.kit.barrier import Barrier, barrier_of
from services.kit.models import Money, OrderId
from services.kit.problems import command_problems
from services.payment import commands
from services.payment.commands import PAYMENT_DECLINED, Charge, Payment, Refund

router = APIRouter(tags=["payment"])
PaymentBarrier = Annotated[Barrier, Depends(barrier_of("payment"))]


@router.put(
    "/payments/{order_id}",
    dependencies=[called_by("process-payment")],
    response_model=Payment,
    responses=command_problems(PAYMENT_DECLINED),
)
async def charge(order_id: OrderId, charge: Charge, barrier: PaymentBarrier) -> Response:
    """Take the amount from the card."""
    return await barrier.do(order_id, charge, commands.charge)


@router.delete(
    "/payments/{order_id}",
    dependencies=[called_by("refund-payment")],
    response_model=Refund,
    responses=command_problems(),
)
async def refund(order_id: OrderId, barrier: PaymentBarrier) -> Response:
    """Give back what was taken."""
    nothing = Refund(payment_id=order_id, refunded=Money(amount=0, currency="EUR"))
    return await barrier.undo(order_id, commands.refund, nothing=nothing)
