"""The process `order-fulfillment`: its saga definition, its model, its steps, and the publisher of placed orders."""

from order_fulfillment.catalogue import check_articles
from order_fulfillment.model import Order, OrderId
from order_fulfillment.names import CANCEL_ORDER, ORDER_PLACED, PROCESS
from order_fulfillment.publisher import CALLER, make_publisher
from order_fulfillment.samples import SAMPLES
from saga.kit import SagaDefinition, Timeline

saga = SagaDefinition(
    process=PROCESS,
    noun="order",
    key="orderId",
    key_type=OrderId,
    model=Order,
    steps="order_fulfillment.steps",
    start_message=ORDER_PLACED,
    cancel_message=CANCEL_ORDER,
    check_start=check_articles,
    publisher=make_publisher,
    timeline=Timeline("orders", receives="/events", shows="/orders/{saga_id}/events"),
    # A shop, the publisher of its orders, and payment at its card processor.
    callers=("place-order", CALLER, "card-processor"),
    samples=SAMPLES,
)
