import pytest

from bpmn.render import DIAGRAM
from tests.engine.core.bench import Bench


@pytest.mark.parametrize("way", ["message", "request"])
def test_an_order_waits_for_its_cancellation_under_its_id_however_it_came_in(way: str) -> None:
    bench = Bench()
    bench.deploy(DIAGRAM.read_bytes())
    if way == "message":
        bench.publish("OrderPlaced", "4711", orderId="4711")
    else:
        bench.create("order-fulfillment", orderId="4711")
    (subscription,) = bench.events("PROCESS_MESSAGE_SUBSCRIPTION", "CREATED")
    assert (subscription.value["messageName"], subscription.value["correlationKey"]) == ("CancelOrder", "4711")
