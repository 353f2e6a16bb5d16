"""Variables of the wrong shape, at every step: one incident that names the field and not its value, and that heals."""

import asyncio
import re
from collections.abc import Callable
from functools import partial
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import order_fulfillment.steps
from order_fulfillment.docs import DIAGRAM
from saga.clients.instances import Instances
from saga.kit.definition import compensate
from saga.kit.definition.discovery import discover, handlers
from tests.stack import Stack
from tests.standing import Standing
from tests.world import World, eventually

Order = dict[str, Any]
Case = tuple[str, str, str]
NewOrder = Callable[..., Order]
VALUE = "Ada Lovelace"
MISSING = object()
POISON: dict[str, object] = {
    "a number": 987654321,
    "a truth": True,
    "a text": VALUE,
    "a list": [VALUE],
    "an object": {VALUE: VALUE},
    "null": None,
    "missing": MISSING,
    "a megabyte": VALUE * 90_000,
    "many levels": [[[[[VALUE]]]]],
    "too many levels": None,
}
for _ in range(500):
    POISON["too many levels"] = [POISON["too many levels"]]
HANDLERS = handlers(discover(order_fulfillment.steps))
ELEMENTS = {
    task.find("{*}extensionElements/{*}taskDefinition").get("type"): task.get("id")  # type: ignore[union-attr]
    for task in ET.parse(DIAGRAM).iter("{http://www.omg.org/spec/BPMN/20100524/MODEL}serviceTask")  # noqa: S314 - ours
}
# What cannot be read before anything was done is a rejected order: test_paths.py. The engine itself refuses an instance
# with an order id of a megabyte, which is a correlation key too.
CASES = [
    (handler.task_type, field, kind)
    for handler in HANDLERS.values()
    if handler.invalid is None
    for field in handler.fetch
    if field != compensate.VARIABLE  # Of any other shape than its own it says nothing.
    for kind in POISON
    if (field, kind) != ("orderId", "a megabyte")
]


def is_undo(case: Case) -> bool:
    return HANDLERS[case[0]].undoes is not None


@pytest.fixture(scope="module")
async def orders(standing: Standing, new_order: NewOrder) -> dict[bool, Order]:
    """A fulfilled order for the dos and an undone one for the undos, which have no further effect then."""
    return {False: await standing.ended(new_order()), True: await standing.ended(new_order("address-unserviceable"))}


@pytest.fixture(scope="module")
async def poisoned(orders: dict[bool, Order], standing: Standing) -> dict[Case, int]:
    """For each case, an instance at the step in question, with that one variable poisoned."""
    room = asyncio.Semaphore(8)

    async def start(case: Case) -> int:
        task_type, field, kind = case
        variables = {**orders[is_undo(case)], field: POISON[kind]}
        async with room:
            return await standing.start(
                {name: value for name, value in variables.items() if value is not MISSING}, at=ELEMENTS[task_type]
            )

    return dict(zip(CASES, await asyncio.gather(*map(start, CASES)), strict=True))


@pytest.mark.parametrize("case", CASES, ids="-".join)
async def test_poison_is_one_incident_that_names_the_field_and_not_its_value(
    poisoned: dict[Case, int], standing: Standing, case: Case
) -> None:
    task_type, field, _ = case
    incident = await standing.incident(poisoned[case])
    assert (await standing.element(incident)).element_id == ELEMENTS[task_type]
    errors, mend, stands = incident["message"].partition(". Mend them, then retry.")
    assert errors.startswith(f"{task_type} cannot read its variables. ")
    named = errors.removeprefix(f"{task_type} cannot read its variables. ").split("; ")
    assert {re.split(r"\W", error)[0] for error in named} == {field}
    assert mend
    assert ("counts as standing" in stands) == is_undo(case)
    for value in ("Ada", "987654321"):
        assert value not in incident["message"]
    assert len(await standing.all_incidents(poisoned[case])) == 1, "it is not tried again and again"


async def test_the_worker_lives_and_carries_out_other_orders(
    poisoned: dict[Case, int], world: World, stack: Stack, standing: Standing, new_order: NewOrder
) -> None:
    for instance in poisoned.values():
        await standing.incident(instance)
    before = stack.pid("workers")
    order = new_order()
    assert (await standing.ended(order))["outcome"] == "fulfilled"
    assert (await world.effects(order["orderId"])).shipped == 3
    assert stack.pid("workers") == before


async def test_mended_variables_and_a_retry_heal_every_one(
    poisoned: dict[Case, int],
    orders: dict[bool, Order],
    standing: Standing,
    instances: Instances,
    world: World,
    stack: Stack,
) -> None:
    effects = [await world.effects(order["orderId"]) for order in orders.values()]
    for case, instance in poisoned.items():
        await standing.incident(instance)
        await standing.set(instance, **{case[1]: orders[is_undo(case)][case[1]]})
    for undo, order in orders.items():
        count = [is_undo(case) for case in poisoned].count(undo)
        look = partial(instances.with_variable, "orderId", order["orderId"])
        assert len(await eventually(look, lambda seen: len(seen) > count)) == count + 1  # noqa: B023 - called at once
        retry = ("incidents", "retry", "--order", order["orderId"], "--yes", "--count", str(count))
        done = await asyncio.to_thread(stack.saga, *retry)
        assert done.status == 0, done.output + done.errors
    for instance in poisoned.values():
        shown = await eventually(
            partial(instances.get, instance), lambda shown: shown is not None and shown.state != "ACTIVE"
        )
        assert shown is not None
        assert shown.state == "COMPLETED"
    assert [await world.effects(order["orderId"]) for order in orders.values()] == effects
