"""At no way in, an order brings along what the process says about itself."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from order_fulfillment.names import ORDER_PLACED, PROCESS
from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from tests.process.starts import Order, Ways
from tests.stack import Stack
from tests.world import eventually

NewOrder = Callable[..., Order]
Starts = dict[str, Callable[[Order], Awaitable[object]]]
PRESET = {
    "outcome": "cancelled",
    "refusal": {"code": "PRESET", "message": "It came along.", "taskType": "none"},
    "acceptance": {"total": {"amount": 1, "currency": "EUR"}},
    "payment": {"paymentId": "PRESET"},
}


@pytest.fixture
def ways_in(stack: Stack, addresses: Addresses, starter: Ways) -> Starts:
    """Every way to start an order with variables of one's own choice."""

    async def post(path: str, body: dict[str, Any]) -> None:
        async with httpx.AsyncClient(base_url=addresses.rest or "", timeout=20) as rest:
            (await rest.post(f"/v2/{path}", json=body)).raise_for_status()

    def message(order: Order) -> dict[str, Any]:
        return {"name": ORDER_PLACED, "correlationKey": order["orderId"], "variables": order}

    async def saga(order: Order, *arguments: str) -> None:
        done = await asyncio.to_thread(stack.saga, "start", "-", *arguments, stdin=json.dumps(order))
        assert done.status == 0, done.errors

    return {
        "gRPC": starter.create,
        "gRPC, message": starter.publish,
        "REST": lambda order: post("process-instances", {"processDefinitionId": PROCESS, "variables": order}),
        "REST, message": lambda order: post("messages/publication", message(order)),
        "REST, correlation": lambda order: post("messages/correlation", message(order)),
        "zbctl": starter.create_by_zbctl,
        "zbctl, message": starter.publish_by_zbctl,
        "saga start": saga,
        "saga start --message": lambda order: saga(order, "--message"),
    }


async def test_at_none_of_the_ways_in_a_preset_value_survives(
    ways_in: Starts, instances: Instances, new_order: NewOrder
) -> None:
    orders = {way: new_order() for way in ways_in}
    await asyncio.gather(*(start(orders[way] | PRESET) for way, start in ways_in.items()))

    async def said(order: Order) -> dict[str, Any]:
        [instance] = await instances.with_variable("orderId", order["orderId"])
        return {name: await instances.variable(instance.key, name) for name in PRESET}

    for way, order in orders.items():
        await eventually(
            lambda order=order: instances.with_variable("orderId", order["orderId"]),  # type: ignore[misc] # bound
            lambda found: bool(found) and all(each.state == "COMPLETED" for each in found),
        )
        seen = await said(order)
        assert (seen["outcome"], seen["refusal"]) == ("fulfilled", None), way
        assert seen["acceptance"]["total"]["amount"] > 1, way
        assert seen["payment"]["paymentId"] not in {None, "PRESET"}, way


async def test_a_shop_that_says_what_the_process_says_is_refused(starter: Ways, new_order: NewOrder) -> None:
    refused = await starter.shop.post("/orders", json=new_order() | PRESET)
    assert refused.status_code == 422
    assert "unknown field" in refused.text
