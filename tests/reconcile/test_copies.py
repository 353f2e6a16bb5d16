"""Many reconcilers at once, and one that is killed in the middle: each effect is undone once, in order."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.proxy import HoldingProxy
from tests.reconcile.lab import Lab, kill
from tests.reconcile.test_faults import DOS, cases, operator_cancels, orphans
from tests.stack import free_port
from tests.world import eventually

NewOrder = Callable[..., dict[str, Any]]
SHIPPED_UNDONE = [
    "shipping.shipment.undone",
    "payment.payment.undone",
    "inventory.reservation.undone",
    "orders.order.undone",
]


async def test_three_reconcilers_undo_each_effect_once_and_the_last_one_first(lab: Lab, new_order: NewOrder) -> None:
    with lab.workers() as worker:
        async with cases(lab, new_order, [DOS[-1]] * 5) as made:
            await operator_cancels(lab, worker, made)
    assert (await orphans(lab, made)).total() == 4 * len(made)
    others = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
    async with lab.reconciler(), lab.reconciler(url=others[0]), lab.reconciler(url=others[1]):
        await eventually(lambda: orphans(lab, made), lambda left: not left, 30)
    for case in made:
        events = await lab.world.events(case.order_id)
        assert [event for event in events if event.endswith(".undone")] == SHIPPED_UNDONE


async def test_a_reconciler_that_is_killed_in_the_middle_is_gone_on_with_where_it_was(
    lab: Lab, new_order: NewOrder
) -> None:
    with lab.workers() as worker:
        async with cases(lab, new_order, [DOS[-1]]) as made:
            await operator_cancels(lab, worker, made)
    [case] = made
    await lab.ended(case.instance)
    with lab.hold("payment", "DELETE", f"/payments/{case.order_id}") as held:
        async with lab.reconciler() as process:
            await asyncio.to_thread(held.wait_until_applied)
            await asyncio.to_thread(kill, process)
    assert await lab.orphans(case.order_id, "TERMINATED") == 2, "reservation and order wait for the payment's undo"
    async with lab.reconciler():
        await eventually(lambda: orphans(lab, made), lambda left: not left, 30)
    events = await lab.world.events(case.order_id)
    assert [event for event in events if event.endswith(".undone")] == SHIPPED_UNDONE


async def test_an_undo_that_cannot_be_done_holds_back_those_before_it(lab: Lab, new_order: NewOrder) -> None:
    with lab.workers() as worker:
        async with cases(lab, new_order, [DOS[-1]]) as made:
            await operator_cancels(lab, worker, made)
    [case] = made
    await lab.ended(case.instance)
    async with lab.reconciler():
        way, path = lab.ways["payment"], f"/payments/{case.order_id}"
        with way.turning_away("DELETE", path):
            await eventually(lambda: _asked(way, path), lambda times: times >= 3, 30)
            assert await lab.orphans(case.order_id, "TERMINATED") == 3, "the parcel alone was called back"
        await eventually(lambda: orphans(lab, made), lambda left: not left, 30)
    events = await lab.world.events(case.order_id)
    assert [event for event in events if event.endswith(".undone")] == SHIPPED_UNDONE


async def _asked(way: HoldingProxy, path: str) -> int:
    """Return how often the undo came: the charge itself was one request."""
    return len(way.keys(path)) - 1
