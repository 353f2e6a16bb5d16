"""Reserve inventory: hold the ordered items until they ship or the order is undone."""

from pydantic import BaseModel

from order_fulfillment.model import Items, OrderVariables
from saga.kit import Receipt, Service, Step

step = Step("reserve-inventory", undo="release-inventory", refuses={"OUT_OF_STOCK"})


class OrderedItems(OrderVariables):
    """What is to be held."""

    items: Items


class Reservation(Receipt):
    """The items are held."""

    reservation_id: str


class Release(Receipt):
    """The items are free again."""

    reservation_id: str | None = None


class Hold(BaseModel):
    """What the inventory service is told."""

    items: Items


@step.do
async def reserve(order: OrderedItems, inventory: Service) -> Reservation:
    """Hold all of the items or none."""
    return await inventory.put(f"/reservations/{order.order_id}", Reservation, Hold(items=order.items))


@step.undo
async def release(order: OrderVariables, inventory: Service) -> Release:
    """Give the items back to the stock."""
    return await inventory.delete(f"/reservations/{order.order_id}", Release)
