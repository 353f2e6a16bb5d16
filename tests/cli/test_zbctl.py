"""The real zbctl: deploy, create an instance with its result, publish messages."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.stack import ROOT, Result, Stack
from tests.world import World, eventually
from workers.addresses import Addresses
from workers.cluster.node import ensure_zbctl

NewOrder = Callable[..., dict[str, Any]]
Zbctl = Callable[..., Result]


@pytest.fixture(scope="module")
def zbctl(stack: Stack, addresses: Addresses) -> Zbctl:
    program = str(ensure_zbctl())

    def run(*arguments: str) -> Result:
        return stack.run(program, "--insecure", "--address", addresses.engine.address, *arguments)

    return run


def test_the_diagram_is_deployed(zbctl: Zbctl) -> None:
    done = zbctl("deploy", "resource", str(ROOT / "bpmn" / "order-fulfillment.bpmn"))
    assert done.status == 0, done.errors
    assert '"bpmnProcessId":"order-fulfillment"' in done.output.replace(" ", "")


def test_an_instance_is_created_with_its_result(zbctl: Zbctl, new_order: NewOrder) -> None:
    order = json.dumps(new_order("out-of-stock"))
    done = zbctl("create", "instance", "order-fulfillment", "--variables", order, "--withResult")
    assert done.status == 0, done.errors
    variables = json.loads(json.loads(done.output)["variables"])
    assert variables["outcome"] == "cancelled"
    assert variables["refusal"]["code"] == "OUT_OF_STOCK"


async def test_a_message_starts_an_order_and_another_one_cancels_it(
    zbctl: Zbctl, world: World, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    # Published first and kept: the cancellation waits for the order, whichever of the two is quicker.
    assert zbctl("publish", "message", "CancelOrder", "--correlationKey", order_id, "--ttl", "1m").status == 0
    keys = ("--correlationKey", order_id, "--messageId", order_id)
    placed = zbctl("publish", "message", "OrderPlaced", *keys, "--variables", json.dumps(order), "--ttl", "1m")
    assert placed.status == 0, placed.errors
    effects = await eventually(
        lambda: world.effects(order_id), lambda effects: bool(effects.shipped) or effects.status == "cancelled"
    )
    # Whichever came first counts, and the world agrees with it.
    assert effects.decision == ("dispatch" if effects.shipped else "cancellation")
    assert effects.shipped == effects.reserved - effects.released
    assert effects.captured - effects.refunded == (effects.total if effects.shipped else 0)
