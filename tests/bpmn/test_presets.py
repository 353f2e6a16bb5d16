"""What the process says about itself is its own: no variable that comes with an order survives under such a name."""

import json
from typing import Any

import pytest

import workers.steps
from bpmn.render import BPMN
from tests.bpmn.diagram import Diagram, outputs
from tests.engine.core.bench import Bench
from workers.kit.discovery import discover, handlers

ORDER = json.loads((BPMN / "examples" / "fulfilled.json").read_text())
HAPPY = {"accept-order": "acceptance", "reserve-inventory": "reservation"} | {
    "process-payment": "payment",
    "ship-order": "shipment",
}
DIAGRAM = (BPMN / "order-fulfillment.bpmn").read_text()


def own_variables() -> set[str]:
    """Return the variables that steps and events write."""
    receipts = {handler.receipt_name for handler in handlers(discover(workers.steps)).values()}
    return receipts | {"outcome", "refusal", "cancellationRequested"}


PRESET = {name: {"code": "PRESET", "accepted": True} for name in own_variables()}


def test_both_start_events_empty_all_that_the_process_writes() -> None:
    diagram = Diagram(DIAGRAM)
    by_request, by_message = (
        outputs(diagram.by_id[f"StartEvent_{each}"]) for each in ("OrderPlaced", "OrderPlacedByMessage")
    )
    written = {
        name for event in diagram.all("endEvent", "boundaryEvent", "startEvent") for name in outputs(event)
    } - ORDER.keys()
    assert own_variables() <= by_request.keys() == by_message.keys() - ORDER.keys()
    assert written == by_request.keys()
    assert set(by_request.values()) == {"=null"}
    assert {name: source for name, source in by_message.items() if source != "=null"} == {n: f"={n}" for n in ORDER}


def start(bench: Bench, way: str) -> None:
    bench.deploy(DIAGRAM.encode())
    if way == "message":
        bench.publish("OrderPlaced", "4711", **ORDER, **PRESET)
    else:
        bench.create("order-fulfillment", **ORDER, **PRESET)


def variables(bench: Bench) -> dict[str, Any]:
    """Return the variables of the one instance, as they were written last."""
    written = [record for record in bench.log if record.value_type == "VARIABLE"]
    [instance] = {record.value["processInstanceKey"] for record in written}
    of_instance = [record.value for record in written if record.value["scopeKey"] == instance]
    return {value["name"]: json.loads(value["value"]) for value in of_instance}


@pytest.mark.parametrize("way", ["request", "message"])
def test_a_fulfilled_order_says_nothing_that_came_with_it(way: str) -> None:
    bench = Bench()
    start(bench, way)
    for task_type, receipt in HAPPY.items():
        bench.complete(task_type, **{receipt: {"from": task_type}})
    said = variables(bench)
    assert said["outcome"] == "fulfilled"
    assert {name: said[name] for name in HAPPY.values()} == {name: {"from": each} for each, name in HAPPY.items()}
    assert {name for name in PRESET if said[name] is not None} == {"outcome", *HAPPY.values()}
    assert {name: said[name] for name in ORDER} == ORDER


@pytest.mark.parametrize("way", ["request", "message"])
def test_a_rejected_order_says_nothing_but_that_and_why(way: str) -> None:
    bench = Bench()
    start(bench, way)
    bench.throw(bench.job("accept-order")["key"], "ORDER_INVALID", refusal={"code": "ORDER_INVALID"})
    said = variables(bench)
    assert (said["outcome"], said["refusal"]) == ("rejected", {"code": "ORDER_INVALID"})
    assert {name for name in PRESET if said[name] is not None} == {"outcome", "refusal"}
