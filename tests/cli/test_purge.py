"""`saga purge`: what has ended and is old is forgotten, what is alive or cannot be told is kept."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from pyzeebe import ZeebeClient

from saga.clients.instances import Instances
from tests.proxy import HoldingProxy
from tests.stack import Result, Stack
from tests.world import World, eventually

NewOrder = Callable[..., dict[str, Any]]
NOBODY = "http://127.0.0.1:9"
PARTICIPANTS = ("orders", "inventory", "payment", "shipping")


async def age(world: World, order_id: str, days: int = 401) -> None:
    """Let all barrier rows of an order have been written that long ago, and all its effects be settled."""
    for service in PARTICIPANTS:
        await world.fetch(
            f"UPDATE {service}.barrier SET created_at = created_at - make_interval(days => $2), "  # noqa: S608
            "settlement = CASE op WHEN 'do' THEN coalesce(settlement, 'kept') END WHERE saga_id = $1",
            order_id,
            days,
        )


async def rows(world: World, order_id: str) -> dict[str, int]:
    """Return how many barrier rows each participant has of an order."""
    counts = {}
    for service in PARTICIPANTS:
        query = f"SELECT count(*) AS rows FROM {service}.barrier WHERE saga_id = $1"  # noqa: S608
        counts[service] = (await world.fetch(query, order_id))[0]["rows"]
    return counts


NONE = dict.fromkeys(PARTICIPANTS, 0)


def told(done: Result, order_id: str) -> dict[str, str]:
    """Return what `--json` says of an order at each participant."""
    return {line["participant"]: line["verdict"] for line in json.loads(done.output) if line["saga"] == order_id}


@pytest.fixture
async def ended(engine: ZeebeClient, shown: Instances, world: World, new_order: NewOrder) -> AsyncIterator[str]:
    """An order that ended long ago, as the cluster shows."""
    order = new_order()
    instance = await engine.run_process_with_result("order-fulfillment", order)
    await shown.path(instance.process_instance_key)
    await age(world, order["orderId"])
    yield order["orderId"]
    await age(world, order["orderId"], -401)


async def test_an_order_that_ended_long_ago_is_forgotten_and_only_if_that_is_said(
    asked: Stack, world: World, ended: str
) -> None:
    before = await rows(world, ended)
    tried = await asyncio.to_thread(asked.saga, "purge", "--json")
    assert (tried.status, told(tried, ended)) == (0, dict.fromkeys(PARTICIPANTS, "forgettable"))
    assert await rows(world, ended) == before
    effects = await world.effects(ended)
    done = await asyncio.to_thread(asked.saga, "purge", "--yes", "--json")
    assert (done.status, told(done, ended)) == (0, dict.fromkeys(PARTICIPANTS, "forgotten"))
    assert await rows(world, ended) == NONE
    assert await world.effects(ended) == effects, "the business rows stay"
    again = await asyncio.to_thread(asked.saga, "purge", "--yes", "--json")
    assert (again.status, told(again, ended)) == (0, {})


async def test_an_order_that_is_alive_is_never_forgotten_however_old_it_is(
    asked: Stack,
    world: World,
    engine: ZeebeClient,
    shown: Instances,
    payment_proxy: HoldingProxy,
    new_order: NewOrder,
) -> None:
    order = new_order()
    order_id = order["orderId"]
    with payment_proxy.hold_replies("PUT", f"/payments/{order_id}") as held:
        await engine.run_process("order-fulfillment", order)
        await asyncio.to_thread(held.wait_until_applied)
        await eventually(lambda: shown.has_active("orderId", order_id), bool)
        await age(world, order_id)
        before = await rows(world, order_id)
        done = await asyncio.to_thread(asked.saga, "purge", "--yes", "--json")
        assert (done.status, told(done, order_id)) == (0, dict.fromkeys(("orders", "inventory", "payment"), "live"))
        assert await rows(world, order_id) == before
        await age(world, order_id, -401)
    await eventually(lambda: world.effects(order_id), lambda effects: effects.shipped == 3)


async def test_an_order_with_a_young_row_is_not_asked_for(asked: Stack, world: World, ended: str) -> None:
    await world.fetch("UPDATE payment.barrier SET created_at = now() WHERE saga_id = $1", ended)
    done = await asyncio.to_thread(asked.saga, "purge", "--yes", "--json")
    assert told(done, ended) == dict.fromkeys(("orders", "inventory", "shipping"), "forgotten")
    assert await rows(world, ended) == {**NONE, "payment": 1}


async def test_without_a_rest_api_everything_is_kept_and_that_is_said(asked: Stack, world: World, ended: str) -> None:
    before = await rows(world, ended)
    elsewhere = {"CAMUNDA_REST_ADDRESS": NOBODY}
    done = await asyncio.to_thread(asked.saga, "purge", "--yes", environment=elsewhere)
    assert done.status == 1
    assert f"payment {ended}: The cluster's REST API at {NOBODY} does not answer (ConnectError)." in done.output
    assert await rows(world, ended) == before


async def test_a_participant_that_is_away_keeps_its_sagas_and_the_others_do_not_wait_for_it(
    asked: Stack, world: World, ended: str
) -> None:
    before = await rows(world, ended)
    done = await asyncio.to_thread(asked.saga, "purge", "--yes", environment={"PAYMENT_URL": NOBODY})
    assert done.status == 1
    assert f"payment: payment at {NOBODY} does not answer (ConnectError)." in done.output
    assert await rows(world, ended) == {**NONE, "payment": before["payment"]}


async def test_a_card_processor_that_is_away_or_another_s_has_nothing_to_forget(
    asked: Stack, world: World, ended: str
) -> None:
    done = await asyncio.to_thread(asked.saga, "purge", "--yes", "--json", environment={"CARD_PROCESSOR_URL": NOBODY})
    assert (done.status, told(done, ended)) == (0, dict.fromkeys(PARTICIPANTS, "forgotten"))
    assert await rows(world, ended) == NONE
