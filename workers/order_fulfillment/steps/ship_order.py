"""Ship order: pass the point of no return, then hand the parcel to the carrier."""

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from order_fulfillment.model import Address, Items, OrderVariables
from saga.kit import Receipt, Service, Step

step = Step("ship-order", undo="cancel-shipment", refuses={"ADDRESS_UNSERVICEABLE", "ORDER_CANCELLED"})


class Parcel(OrderVariables):
    """What goes where."""

    items: Items
    ship_to: Address


class Dispatch(Receipt):
    """From now on a cancellation comes too late."""

    status: str


class Shipment(Receipt):
    """The carrier has the parcel."""

    shipment_id: str
    tracking_code: str


class ShipmentCancellation(Receipt):
    """The carrier was called back."""

    shipment_id: str | None = None


class Handover(BaseModel, alias_generator=to_camel, populate_by_name=True):
    """What the shipping service is told."""

    items: Items
    ship_to: Address


@step.do
async def ship(parcel: Parcel, orders: Service, shipping: Service) -> Shipment:
    """Ask whether the customer cancelled, and ship if not."""
    await orders.put(f"/orders/{parcel.order_id}/dispatch", Dispatch)
    handover = Handover(items=parcel.items, ship_to=parcel.ship_to)
    return await shipping.put(f"/shipments/{parcel.order_id}", Shipment, handover)


@step.undo
async def cancel_shipment(order: OrderVariables, shipping: Service) -> ShipmentCancellation:
    """Call the parcel back."""
    return await shipping.delete(f"/shipments/{order.order_id}", ShipmentCancellation)
