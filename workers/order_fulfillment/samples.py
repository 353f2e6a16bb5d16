"""The demo's orders: one for each way in which an order can go, and the path that it must take."""

from saga.kit import Sample

_DO = ("Accept order", "Reserve inventory", "Process payment", "Ship order")

SAMPLES = (
    Sample("Fulfilled", "fulfilled.json", "fulfilled", _DO),
    Sample("Out of stock", "out-of-stock.json", "cancelled", (*_DO[:2], "Cancel order")),
    Sample("Payment declined", "payment-declined.json", "cancelled", (*_DO[:3], "Release inventory", "Cancel order")),
    Sample(
        "Unserviceable",
        "address-unserviceable.json",
        "cancelled",
        (*_DO, "Refund payment", "Release inventory", "Cancel order"),
    ),
    Sample("Invalid", "invalid.json", "rejected", _DO[:1]),
    Sample("Duplicate", "fulfilled.json", "duplicate", _DO[:1]),
)
