"""The ways of an order on the real broker, each asserted by what the participants hold in the end."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from pyzeebe import ZeebeClient
from pyzeebe.errors import MessageAlreadyExistsError

from saga.clients.instances import Instances
from tests.stack import Stack
from tests.world import NOTHING, Effects, World, eventually

Order = dict[str, Any]
NewOrder = Callable[..., Order]

ACCEPTED = "orders.order.done"
RESERVED = "inventory.reservation.done"
CHARGED = "payment.payment.done"
DISPATCHED = "orders.dispatch.done"
SHIPPED = "shipping.shipment.done"
REFUNDED = "payment.payment.undone"
RELEASED = "inventory.reservation.undone"
CANCELLED = "orders.order.undone"


async def ended(engine: ZeebeClient, order: Order) -> dict[str, Any]:
    result = await engine.run_process_with_result("order-fulfillment", order, timeout=120_000)
    return dict(result.variables)


async def test_an_order_is_fulfilled(engine: ZeebeClient, world: World, new_order: NewOrder) -> None:
    order = new_order()
    result = await ended(engine, order)
    assert result["outcome"] == "fulfilled"
    effects = await world.effects(order["orderId"])
    assert effects.total
    assert effects == Effects("shipping", 1, "dispatch", effects.total, 3, 0, effects.total, 0, 3)
    assert result["acceptance"] == {"total": {"amount": effects.total, "currency": "EUR"}}
    assert result["shipment"]["trackingCode"]
    assert await world.events(order["orderId"]) == [ACCEPTED, RESERVED, CHARGED, DISPATCHED, SHIPPED]


async def test_out_of_stock_undoes_the_acceptance_alone(engine: ZeebeClient, world: World, new_order: NewOrder) -> None:
    order = new_order("out-of-stock")
    result = await ended(engine, order)
    assert (result["outcome"], result["refusal"]["code"]) == ("cancelled", "OUT_OF_STOCK")
    effects = await world.effects(order["orderId"])
    assert effects == Effects("cancelled", 1, None, effects.total, 0, 0, 0, 0, 0)
    assert await world.events(order["orderId"]) == [ACCEPTED, "inventory.reservation.refused", CANCELLED]


@pytest.mark.parametrize("card", ["4000000000000002", "4000000000009995"])
async def test_a_declined_card_releases_the_stock(
    engine: ZeebeClient, world: World, new_order: NewOrder, card: str
) -> None:
    order = new_order(card=card)
    result = await ended(engine, order)
    assert (result["outcome"], result["refusal"]["code"]) == ("cancelled", "PAYMENT_DECLINED")
    effects = await world.effects(order["orderId"])
    assert effects == Effects("cancelled", 1, None, effects.total, 3, 3, 0, 0, 0)
    expected = [ACCEPTED, RESERVED, "payment.payment.refused", RELEASED, CANCELLED]
    assert await world.events(order["orderId"]) == expected


async def test_an_unserviceable_address_undoes_everything_in_reverse_one_after_the_other(
    engine: ZeebeClient, world: World, instances: Instances, new_order: NewOrder
) -> None:
    order = new_order("address-unserviceable")
    response = await engine.run_process_with_result("order-fulfillment", order, timeout=120_000)
    result: dict[str, Any] = dict(response.variables)
    assert (result["outcome"], result["refusal"]["code"]) == ("cancelled", "ADDRESS_UNSERVICEABLE")
    effects = await world.effects(order["orderId"])
    assert effects.total
    assert effects == Effects("cancelled", 1, "dispatch", effects.total, 3, 3, effects.total, effects.total, 0)
    assert await world.events(order["orderId"]) == [
        *(ACCEPTED, RESERVED, CHARGED, DISPATCHED, "shipping.shipment.refused"),
        *(REFUNDED, RELEASED, CANCELLED),
    ]
    tasks = [node for node in await instances.path(response.process_instance_key) if node.type == "SERVICE_TASK"]
    undos = [(node.name, node.state) for node in tasks[4:]]
    assert undos == [(name, "COMPLETED") for name in ("Refund payment", "Release inventory", "Cancel order")]


async def test_a_second_instance_of_an_order_is_ignored_and_undoes_nothing(
    engine: ZeebeClient, world: World, new_order: NewOrder
) -> None:
    order = new_order()
    assert (await ended(engine, order))["outcome"] == "fulfilled"
    before = await world.effects(order["orderId"])
    again = await ended(engine, order)
    assert (again["outcome"], again["refusal"]["code"]) == ("duplicate", "ORDER_DUPLICATE")
    assert await world.effects(order["orderId"]) == before
    assert CANCELLED not in await world.events(order["orderId"])


async def test_of_many_instances_of_an_order_one_goes_on(
    engine: ZeebeClient, world: World, new_order: NewOrder
) -> None:
    order = new_order()
    results = await asyncio.gather(*(ended(engine, order) for _ in range(10)))
    assert sorted(result["outcome"] for result in results) == ["duplicate"] * 9 + ["fulfilled"]
    effects = await world.effects(order["orderId"])
    assert (effects.claims, effects.reserved, effects.captured, effects.shipped) == (1, 3, effects.total, 3)


async def test_the_message_is_the_idempotent_way_in(engine: ZeebeClient, world: World, new_order: NewOrder) -> None:
    order = new_order()
    order_id = order["orderId"]

    async def publish() -> None:
        await engine.publish_message(
            "OrderPlaced", order_id, order, time_to_live_in_milliseconds=60_000, message_id=order_id
        )

    await publish()
    with pytest.raises(MessageAlreadyExistsError):
        await publish()
    await eventually(lambda: world.effects(order_id), lambda effects: effects.shipped == 3)
    assert await world.events(order_id) == [ACCEPTED, RESERVED, CHARGED, DISPATCHED, SHIPPED]


BAD_ORDERS: dict[str, tuple[dict[str, object], str]] = {
    "no order id": ({"orderId": None}, "orderId"),
    "a number as order id": ({"orderId": 4711}, "orderId"),
    "a list as order id": ({"orderId": ["4711"]}, "orderId"),
    "a path as order id": ({"orderId": "../4711"}, "orderId"),
    "no items": ({"items": []}, "items"),
    "half a piece": ({"items": [{"sku": "MOUSE", "quantity": 0.5}]}, "items[0].quantity"),
    "text where items are": ({"items": "all of them"}, "items"),
    "an unknown article": ({"items": [{"sku": "PHLOGISTON", "quantity": 1}]}, "items[0].sku"),
    "a mistyped card": ({"card": "4242424242424241"}, "card"),
    "no address": ({"shipTo": None}, "shipTo"),
    "a control character": ({"customerId": "a\u0000b"}, "customerId"),
    "a very long text": ({"customerId": "x" * 500_000}, "customerId"),
}


@pytest.mark.parametrize("case", BAD_ORDERS)
async def test_a_bad_order_ends_as_rejected_and_says_why(
    engine: ZeebeClient, world: World, new_order: NewOrder, case: str
) -> None:
    change, field = BAD_ORDERS[case]
    order = new_order(**change)
    result = await ended(engine, order)
    assert (result["outcome"], result["refusal"]["code"]) == ("rejected", "ORDER_INVALID")
    assert [error["field"] for error in result["refusal"]["errors"]] == [field]
    assert await world.effects(str(order["orderId"])) == NOTHING


async def test_a_flood_of_unknown_fields_ends_as_rejected_and_never_in_a_loop(
    engine: ZeebeClient, world: World, new_order: NewOrder
) -> None:
    order = new_order()
    flood = {f"field number {number}": 1 for number in range(50_000)}
    result = await ended(engine, {**order, "shipTo": {**order["shipTo"], **flood}})
    assert (result["outcome"], result["refusal"]["code"]) == ("rejected", "ORDER_INVALID")
    assert {error["field"] for error in result["refusal"]["errors"]} == {"shipTo", "(the document)"}
    assert await world.effects(order["orderId"]) == NOTHING


async def test_a_bad_order_by_message_ends_as_rejected(
    engine: ZeebeClient, instances: Instances, new_order: NewOrder
) -> None:
    order = new_order(card=None)
    message = await engine.publish_message("OrderPlaced", order["orderId"], {**order, "items": None})
    assert message.key

    look = partial(instances.with_variable, "orderId", order["orderId"])
    (instance,) = await eventually(look, lambda found: len(found) == 1)
    assert [node.name for node in await instances.path(instance.key) if node.type == "END_EVENT"] == ["Order rejected"]


async def test_a_rejected_order_can_be_mended_and_started_again(
    engine: ZeebeClient, world: World, new_order: NewOrder
) -> None:
    order = new_order(items=[{"sku": "PHLOGISTON", "quantity": 1}])
    assert (await ended(engine, order))["outcome"] == "rejected"
    assert (await ended(engine, new_order(orderId=order["orderId"])))["outcome"] == "fulfilled"
    assert (await world.effects(order["orderId"])).shipped == 3


async def test_a_cancellation_before_dispatch_undoes_the_order(
    engine: ZeebeClient, world: World, stack: Stack, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    with stack.halted("payment"):  # The order stands at its payment while the customer cancels.
        running = asyncio.create_task(ended(engine, order))
        await eventually(lambda: world.effects(order_id), lambda effects: effects.reserved == 3)
        await engine.publish_message("CancelOrder", order_id, {"card": "4000000000000002"})
        await eventually(lambda: world.effects(order_id), lambda effects: effects.decision == "cancellation")
    result = await running
    assert (result["outcome"], result["refusal"]["code"]) == ("cancelled", "ORDER_CANCELLED")
    assert result["cancellation"] == {"accepted": True}
    assert result["card"] == order["card"], "who may cancel an order must not change it"
    effects = await world.effects(order_id)
    assert effects.total
    assert effects == Effects("cancelled", 1, "cancellation", effects.total, 3, 3, effects.total, effects.total, 0)
    assert (await world.events(order_id))[-3:] == [REFUNDED, RELEASED, CANCELLED]


async def test_a_cancellation_after_dispatch_comes_too_late(
    engine: ZeebeClient, world: World, stack: Stack, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    with stack.halted("shipping"):  # The order is past the point of no return, and not yet shipped.
        running = asyncio.create_task(ended(engine, order))
        await eventually(lambda: world.effects(order_id), lambda effects: effects.decision == "dispatch")
        await engine.publish_message("CancelOrder", order_id)
        await eventually(lambda: world.events(order_id), lambda events: "orders.cancellation.done" in events)
    result = await running
    assert result["outcome"] == "fulfilled"
    assert result["cancellation"] == {"accepted": False}
    effects = await world.effects(order_id)
    assert (effects.status, effects.refunded, effects.shipped) == ("shipping", 0, 3)
