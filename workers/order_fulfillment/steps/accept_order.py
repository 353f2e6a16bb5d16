"""Accept order: claim the order for this process instance, check it and price it."""

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from order_fulfillment.model import Item, Money, Order, OrderVariables
from saga.kit import Job, Receipt, Service, Step

step = Step(
    "accept-order",
    undo="cancel-order",
    refuses={"ORDER_DUPLICATE"},
    invalid="ORDER_INVALID",
)


class Acceptance(Receipt):
    """The order is ours, at this price."""

    total: Money


class OrderCancellation(Receipt):
    """The order is closed."""

    status: str


class Claim(BaseModel, alias_generator=to_camel, populate_by_name=True):
    """What the orders service is told; the card and the address are none of its business."""

    claimant: str
    customer_id: str
    items: list[Item]


@step.do
async def accept(order: Order, orders: Service, job: Job) -> Acceptance:
    """Claim the order id: of all instances started for it, one goes on."""
    claim = Claim(claimant=str(job.process_instance_key), customer_id=order.customer_id, items=order.items)
    return await orders.put(f"/orders/{order.order_id}", Acceptance, claim)


@step.undo
async def cancel(order: OrderVariables, orders: Service) -> OrderCancellation:
    """Close the order as cancelled; its claim stays, so that it never starts again."""
    return await orders.delete(f"/orders/{order.order_id}", OrderCancellation)
