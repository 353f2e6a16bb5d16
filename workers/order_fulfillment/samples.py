"""The demo's orders: one for each way in which an order can go, and the path that it must take."""

import json
from dataclasses import dataclass

from saga.common.project import BPMN

EXAMPLES = BPMN / "examples"

_DO = ("Accept order", "Reserve inventory", "Process payment", "Ship order")


@dataclass(frozen=True, slots=True)
class Sample:
    """An order of the demo."""

    title: str
    file: str
    outcome: str
    path: tuple[str, ...]
    """The names of the tasks, in the order in which they begin; the refused one among them."""

    def variables(self, order_id: str) -> dict[str, object]:
        """Return the order's variables under an id of this run's own, for an id is only ever accepted once."""
        variables: dict[str, object] = json.loads((EXAMPLES / self.file).read_text(encoding="utf-8"))
        return {**variables, "orderId": order_id}


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
