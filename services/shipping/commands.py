"""The rules of shipping: one parcel per order, to places that the carrier goes to."""

import secrets

from sqlalchemy import insert, update
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.models import Address, Answer, Items, Request
from services.participant.problems import ProblemType, Refusal
from services.shipping.tables import shipment_items, shipments

ADDRESS_UNSERVICEABLE = ProblemType("ADDRESS_UNSERVICEABLE", 409, "No carrier goes there")
_UNSERVICEABLE = frozenset({"AQ", "BV", "HM", "TF"})
"""ISO 3166-1 codes of places without a postal service: Antarctica and islands where nobody lives."""


class Parcel(Request):
    """What goes where."""

    items: Items
    ship_to: Address


class Shipment(Answer):
    """The carrier has the parcel."""

    shipment_id: str
    tracking_code: str


class ShipmentCancellation(Answer):
    """The carrier was called back, or never had it."""

    shipment_id: str
    status: str = "cancelled"


async def ship(connection: AsyncConnection, order_id: str, parcel: Parcel) -> Shipment:
    """Hand the parcel to the carrier.

    Raises:
        Refusal: ADDRESS_UNSERVICEABLE; nothing was handed over.
    """
    if parcel.ship_to.country in _UNSERVICEABLE:
        raise Refusal(ADDRESS_UNSERVICEABLE, f"No carrier goes to {parcel.ship_to.country}.")
    tracking_code = f"SAGA-{secrets.token_hex(8).upper()}"
    await connection.execute(
        insert(shipments).values(
            order_id=order_id, tracking_code=tracking_code, cancelled=False, **parcel.ship_to.model_dump()
        )
    )
    await connection.execute(
        insert(shipment_items), [{"order_id": order_id, **item.model_dump()} for item in parcel.items]
    )
    return Shipment(shipment_id=order_id, tracking_code=tracking_code)


async def cancel(connection: AsyncConnection, order_id: str) -> ShipmentCancellation:
    """Call the parcel back."""
    await connection.execute(update(shipments).where(shipments.c.order_id == order_id).values(cancelled=True))
    return ShipmentCancellation(shipment_id=order_id)
