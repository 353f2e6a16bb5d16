"""Record cancellation: the customer does not want the order any more; it counts if it comes before dispatch."""

from order_fulfillment.model import OrderVariables
from saga.kit import Receipt, Service, Step

# A wish that was said stays said: the record is a fact, and what follows from it is undone by the other steps.
step = Step("record-cancellation", undo=None)


class Cancellation(Receipt):
    """Whether the wish came in time."""

    accepted: bool


@step.do
async def record(order: OrderVariables, orders: Service) -> Cancellation:
    """Write the wish down where the shipping step asks for it; a job in flight is never interrupted."""
    return await orders.put(f"/orders/{order.order_id}/cancellation", Cancellation)
