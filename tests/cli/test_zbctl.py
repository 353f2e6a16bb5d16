"""The real zbctl: deploy, create an instance with its result, publish messages."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from saga.clients.addresses import Addresses
from saga.stack.node import ensure_zbctl
from tests.proxy import HoldingProxy
from tests.stack import ROOT, Result, Stack
from tests.world import World, eventually

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
    zbctl: Zbctl, world: World, payment_proxy: HoldingProxy, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    keys = ("--correlationKey", order_id, "--messageId", order_id)
    # Each of them: zbctl takes longer to start on a busy machine than a worker waits for a reply.
    with payment_proxy.hold_replies("PUT", f"/payments/{order_id}") as held:
        placed = zbctl("publish", "message", "OrderPlaced", *keys, "--variables", json.dumps(order), "--ttl", "1m")
        assert placed.status == 0, placed.errors
        await asyncio.to_thread(held.wait_until_applied)
        assert zbctl("publish", "message", "CancelOrder", "--correlationKey", order_id).status == 0
        await eventually(lambda: world.effects(order_id), lambda effects: effects.decision == "cancellation")
    effects = await eventually(lambda: world.effects(order_id), lambda effects: effects.status == "cancelled")
    assert (effects.shipped, effects.reserved - effects.released, effects.captured - effects.refunded) == (0, 0, 0)
    assert effects.captured == effects.total
