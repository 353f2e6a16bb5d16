"""Every transition of an order is an event, and all of them are in one place."""

from collections.abc import Callable
from typing import Any

import pytest
from pyzeebe import ZeebeClient

from tests.world import World, eventually


@pytest.mark.parametrize("example", ["fulfilled", "payment-declined"])
async def test_an_order_s_timeline_has_each_event_of_every_participant_once(
    engine: ZeebeClient, world: World, new_order: Callable[..., dict[str, Any]], example: str
) -> None:
    order = new_order(example)
    await engine.run_process_with_result("order-fulfillment", order)
    happened = await world.events(order["orderId"])
    assert happened

    async def shown() -> list[str]:
        query = "SELECT type FROM orders.timeline WHERE order_id = $1 ORDER BY time"
        return [row["type"].removeprefix("saga.") for row in await world.fetch(query, order["orderId"])]

    await eventually(shown, lambda types: types == happened, seconds=20)
