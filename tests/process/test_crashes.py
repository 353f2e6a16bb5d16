"""What dies and comes back: the order goes on from its last persisted state, with one effect each."""

import asyncio
import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest
from pyzeebe import ZeebeClient

from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.kit.gateway.connection import open_channel
from services.card_processor.cards import FAULTS, Fault
from tests.process.test_paths import ACCEPTED, CHARGED, DISPATCHED, RESERVED, SHIPPED
from tests.proxy import HoldingProxy
from tests.stack import Stack
from tests.world import Effects, World, eventually

NewOrder = Callable[..., dict[str, Any]]


async def fulfilled_once(world: World, order_id: str) -> None:
    effects = await eventually(lambda: world.effects(order_id), lambda effects: effects.shipped == 3, seconds=90)
    assert effects == Effects("shipping", 1, "dispatch", effects.total, 3, 0, effects.total or -1, 0, 3)
    assert await world.events(order_id) == [ACCEPTED, RESERVED, CHARGED, DISPATCHED, SHIPPED]


async def back_again(stack: Stack, part: str, dead: int) -> None:
    async def part_now() -> dict[str, Any]:
        status = await asyncio.to_thread(stack.status)
        return dict(next(each for each in status["parts"] if each["name"] == part))

    await eventually(part_now, lambda now: now["state"] == "ready" and now["pid"] != dead, seconds=90)


async def test_a_worker_killed_between_the_charge_and_its_completion_charges_once(
    engine: ZeebeClient,
    world: World,
    instances: Instances,
    stack: Stack,
    payment_proxy: HoldingProxy,
    new_order: NewOrder,
) -> None:
    order = new_order()
    order_id = order["orderId"]
    worker = stack.pid("workers")
    with payment_proxy.hold_reply("PUT", f"/payments/{order_id}") as held:
        instance = (await engine.run_process("order-fulfillment", order)).process_instance_key
        await asyncio.to_thread(held.wait_until_applied)
        assert (await world.effects(order_id)).captured > 0, "the charge is committed"
        os.kill(worker, signal.SIGKILL)
        await asyncio.to_thread(psutil.wait_procs, [psutil.Process(worker)] if psutil.pid_exists(worker) else [])
    await fulfilled_once(world, order_id)
    charges = [node for node in await instances.path(instance) if node.element_id == "Task_ProcessPayment"]
    assert [node.state for node in charges] == ["COMPLETED"]
    await back_again(stack, "workers", worker)


async def test_a_broker_killed_in_the_middle_of_an_order_goes_on_from_where_it_was(
    engine: ZeebeClient,
    world: World,
    addresses: Addresses,
    stack: Stack,
    payment_proxy: HoldingProxy,
    new_order: NewOrder,
) -> None:
    order = new_order()
    order_id = order["orderId"]
    broker = stack.pid("engine")
    with payment_proxy.hold_reply("PUT", f"/payments/{order_id}") as held:
        await engine.run_process("order-fulfillment", order)
        await asyncio.to_thread(held.wait_until_applied)
        os.kill(broker, signal.SIGKILL)
        await eventually(lambda: _is_away(addresses), bool)
    await back_again(stack, "engine", broker)
    await fulfilled_once(world, order_id)


async def _is_away(addresses: Addresses) -> bool:
    async with open_channel(addresses.engine) as channel:
        try:
            await ZeebeClient(channel).topology()
        except Exception:  # noqa: BLE001 - whatever it says, it does not serve
            return True
    return False


@pytest.mark.parametrize("service", ["orders", "inventory", "payment", "shipping", "card_processor"])
async def test_an_order_outlives_the_death_of_a_service(
    engine: ZeebeClient, world: World, stack: Stack, new_order: NewOrder, service: str
) -> None:
    order = new_order()
    dead = stack.pid(service)
    os.kill(dead, signal.SIGKILL)
    await engine.run_process("order-fulfillment", order)
    await fulfilled_once(world, order["orderId"])
    await back_again(stack, service, dead)


async def test_a_service_killed_after_its_commit_is_asked_again_with_the_same_key(
    engine: ZeebeClient, world: World, stack: Stack, payment_proxy: HoldingProxy, new_order: NewOrder
) -> None:
    order = new_order()
    order_id = order["orderId"]
    dead = stack.pid("payment")
    with payment_proxy.lose_reply("PUT", f"/payments/{order_id}") as lost:
        await engine.run_process("order-fulfillment", order)
        await asyncio.to_thread(lost.wait_until_applied)
        os.kill(dead, signal.SIGKILL)
    await fulfilled_once(world, order_id)
    keys = payment_proxy.keys(f"/payments/{order_id}")
    assert len(keys) >= 2
    assert set(keys) == {f'"{order_id}/process-payment"'}
    await back_again(stack, "payment", dead)


@pytest.mark.parametrize(
    "fault",
    [
        *(pytest.param(each, marks=pytest.mark.proof) for each in (Fault.UNANSWERED, Fault.UNHEARD, Fault.LATE)),
        Fault.FAILED,
    ],
)
async def test_a_card_processor_that_answers_nothing_of_use_charges_once(
    engine: ZeebeClient, world: World, new_order: NewOrder, fault: Fault
) -> None:
    order = new_order(card=next(card for card, each in FAULTS.items() if each is fault))
    await engine.run_process("order-fulfillment", order)
    await fulfilled_once(world, order["orderId"])
    query = "SELECT captured, refunded FROM card_processor.charges WHERE reference = $1"
    [theirs] = await world.fetch(query, order["orderId"])
    ours = await world.effects(order["orderId"])
    assert theirs == {"captured": ours.captured, "refunded": 0}


async def test_a_killed_database_loses_nothing(
    engine: ZeebeClient, world: World, stack: Stack, new_order: NewOrder
) -> None:
    orders = [new_order() for _ in range(5)]
    dead = stack.pid("postgres")
    for order in orders:
        await engine.run_process("order-fulfillment", order)
    os.kill(dead, signal.SIGKILL)
    await back_again(stack, "postgres", dead)
    await world.reconnect()
    for order in orders:
        await fulfilled_once(world, order["orderId"])
