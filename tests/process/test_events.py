"""Every transition of an order is an event, and all of them are in one place."""

from collections.abc import Callable
from typing import Any

from pyzeebe import ZeebeClient

from tests.world import World, eventually


async def test_an_order_s_timeline_has_each_event_of_every_participant_once(
    engine: ZeebeClient, world: World, new_order: Callable[..., dict[str, Any]]
) -> None:
    for example in ("fulfilled", "payment-declined"):
        order = new_order(example)
        await engine.run_process_with_result("order-fulfillment", order)
        happened = await world.events(order["orderId"])
        assert happened

        async def shown(order_id: str = order["orderId"]) -> list[str]:
            timeline = await world.fetch("SELECT type FROM orders.timeline WHERE order_id = $1 ORDER BY time", order_id)
            return [row["type"].removeprefix("saga.") for row in timeline]

        await eventually(shown, lambda types, happened=happened: types == happened, seconds=20)
