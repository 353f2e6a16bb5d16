"""What the process says about itself is its own: no variable that comes with an order survives under such a name."""

import json
from typing import Any

import pytest

import order_fulfillment.steps
from bpmn.render import BPMN, DIAGRAM
from saga.kit.definition.discovery import discover, handlers
from tests.bpmn.diagram import Diagram, outputs
from tests.engine.core.bench import Bench

ORDER = json.loads((BPMN / "examples" / "fulfilled.json").read_text())
RECEIPTS = {
    "accept-order": "acceptance",
    "reserve-inventory": "reservation",
    "process-payment": "payment",
    "ship-order": "shipment",
}
"""What each step of the happy path leaves."""
WAYS = ["create", "publish", "correlate"]


def own_variables() -> set[str]:
    """Return the variables that steps and events write."""
    diagram = Diagram(DIAGRAM.read_text())
    events = diagram.all("endEvent", "boundaryEvent", "startEvent")
    receipts = {handler.receipt_name for handler in handlers(discover(order_fulfillment.steps)).values()}
    return receipts | {name for event in events for name in outputs(event)}


PRESET = {name: {"code": "PRESET", "accepted": True} for name in own_variables()}


def started(way: str) -> tuple[Bench, int]:
    """Start an order that brings along every variable of the process's own; return its instance."""
    bench = Bench()
    bench.deploy(DIAGRAM.read_bytes())
    brought = ORDER | PRESET
    if way == "create":
        return bench, bench.create("order-fulfillment", **brought)
    if way == "publish":
        bench.publish("OrderPlaced", ORDER["orderId"], **brought)
    else:
        bench.correlate("OrderPlaced", ORDER["orderId"], **brought)
    return bench, bench.key_of("order-fulfillment")


def said(bench: Bench, instance: int) -> dict[str, Any]:
    """Return what the process says about itself: its own variables that are not null."""
    return {name: value for name, value in bench.variables(instance).items() if name in PRESET and value is not None}


def test_everything_that_the_process_writes_is_reset_before_its_first_step() -> None:
    diagram = Diagram(DIAGRAM.read_text())
    reset = outputs(diagram.by_id["ThrowEvent_OwnVariablesReset"])
    assert reset == dict.fromkeys(own_variables(), "=null")
    for start in ("StartEvent_OrderPlaced", "StartEvent_OrderPlacedByMessage"):
        path = [element.attrib["id"] for element in diagram.path(start)]
        assert path[2:4] == ["ThrowEvent_OwnVariablesReset", "Task_AcceptOrder"]


@pytest.mark.parametrize("way", WAYS)
def test_no_step_sees_what_came_along_under_a_name_of_the_process(way: str) -> None:
    bench, _ = started(way)
    seen = bench.job("accept-order")["variables"]
    assert {name: value for name, value in seen.items() if value is not None} == ORDER


@pytest.mark.parametrize("way", WAYS)
def test_a_fulfilled_order_says_what_its_steps_left_and_nothing_that_came_along(way: str) -> None:
    bench, instance = started(way)
    for task_type, receipt in RECEIPTS.items():
        bench.complete(task_type, **{receipt: {"from": task_type}})
    left = {receipt: {"from": task_type} for task_type, receipt in RECEIPTS.items()}
    assert said(bench, instance) == {"outcome": "fulfilled"} | left


@pytest.mark.parametrize("way", WAYS)
def test_a_rejected_order_says_that_and_why_alone(way: str) -> None:
    bench, instance = started(way)
    bench.throw(bench.job("accept-order")["key"], "ORDER_INVALID", refusal={"code": "ORDER_INVALID"})
    assert said(bench, instance) == {"outcome": "rejected", "refusal": {"code": "ORDER_INVALID"}}


@pytest.mark.parametrize("way", WAYS)
def test_a_cancelled_order_says_that_and_why_with_what_was_done_and_undone(way: str) -> None:
    bench, instance = started(way)
    bench.complete("accept-order", acceptance={"total": "1.00"})
    bench.throw(bench.job("reserve-inventory")["key"], "OUT_OF_STOCK", refusal={"code": "OUT_OF_STOCK"})
    bench.complete("cancel-order", orderCancellation={"status": "cancelled"})
    assert said(bench, instance) == {
        "outcome": "cancelled",
        "refusal": {"code": "OUT_OF_STOCK"},
        "acceptance": {"total": "1.00"},
        "orderCancellation": {"status": "cancelled"},
    }


def test_a_fulfilled_order_has_no_refusal_though_its_instance_was_started_at_a_step() -> None:
    bench = Bench()
    bench.deploy(DIAGRAM.read_bytes())
    instance = bench.create("order-fulfillment", starts=["Task_ShipOrder"], **ORDER, **PRESET)
    bench.complete("ship-order", shipment={"shipmentId": "1"})
    found = bench.variables(instance)
    assert (found["outcome"], found["refusal"], found["shipment"]) == ("fulfilled", None, {"shipmentId": "1"})
