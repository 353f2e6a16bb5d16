"""The HTTP face of shipping."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.participant.auth import called_by
from services.participant.barrier import Barrier, barrier_of
from services.participant.models import SagaId
from services.participant.problems import command_problems
from services.shipping import commands
from services.shipping.commands import ADDRESS_UNSERVICEABLE, Parcel, Shipment, ShipmentCancellation
from services.shipping.tables import shipments

router = APIRouter(tags=["shipping"])
ShipmentBarrier = Annotated[Barrier, Depends(barrier_of("shipment"))]


@router.put(
    "/shipments/{order_id}",
    dependencies=[called_by("ship-order")],
    response_model=Shipment,
    responses=command_problems(ADDRESS_UNSERVICEABLE),
)
async def ship(order_id: SagaId, parcel: Parcel, barrier: ShipmentBarrier) -> Response:
    """Hand the parcel to the carrier."""
    return await barrier.do(order_id, parcel, commands.ship)


@router.delete(
    "/shipments/{order_id}",
    dependencies=[called_by("cancel-shipment")],
    response_model=ShipmentCancellation,
    responses=command_problems(),
)
async def cancel(order_id: SagaId, barrier: ShipmentBarrier) -> Response:
    """Call the parcel back."""
    nothing = ShipmentCancellation(shipment_id=order_id)
    return await barrier.undo(order_id, commands.cancel, nothing=nothing, effects=shipments.c.order_id)
