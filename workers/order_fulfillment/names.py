"""What the engine calls the process and its messages."""

PROCESS = "order-fulfillment"
ORDER_PLACED = "OrderPlaced"
"""The message that starts an order; its id and its correlation key are the order's id."""
CANCEL_ORDER = "CancelOrder"
"""The message by which a customer cancels an order; its correlation key is the order's id."""
