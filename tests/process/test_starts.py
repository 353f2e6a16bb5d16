"""Starting once: however often and by whatever ways an order is started, over a broker's death too, it is one saga."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any
from uuid import uuid4

import pytest

from saga.stack import stack as embedded
from tests.amount import bounded
from tests.benchmarks.orders import ledger
from tests.benchmarks.orders.records import Records
from tests.process.starts import Ways
from tests.stack import Stack
from tests.world import World, eventually

PIECES = 3
"""What each order has of pieces; the shelves hold a million of either article."""
_BY_ZBCTL = 5
"""Orders that are started with zbctl, which is a process for each start."""
_AT_ONCE = 8
"""Orders whose three starts are on their way at the same time."""
_SECONDS = 400.0
"""The longest that anything is waited for, on a machine that has other work too."""
_TASKS = ("Task_AcceptOrder", "Task_ReserveInventory", "Task_ProcessPayment", "Task_ShipOrder")


@dataclass
class Fate:
    """What the engine has written down of an instance."""

    order_id: str
    tasks: list[str] = field(default_factory=list)
    """Every service task that was begun, undos included, in that order."""
    ends: list[str] = field(default_factory=list)
    """The end events that were reached."""
    has_ended: bool = False
    incidents: list[str] = field(default_factory=list)
    """What the workers or the engine said of each."""

    @property
    def is_the_saga(self) -> bool:
        """Whether the instance went the whole way."""
        return (tuple(self.tasks), self.ends) == (_TASKS, ["EndEvent_OrderFulfilled"])

    @property
    def was_ignored(self) -> bool:
        """Whether the instance found its order claimed, and did and undid nothing."""
        return (self.tasks, self.ends) == ([_TASKS[0]], ["EndEvent_DuplicateOrderIgnored"])


@pytest.fixture
async def records(stack: Stack, world: World) -> AsyncIterator[Records]:
    del world  # It makes the stack's data directory known to this process.
    async with Records(embedded.Stack(stack.offset).addresses["management"] or "") as records:
        yield records


async def fates(records: Records, run: str) -> dict[int, Fate]:
    """Return what became of every instance of every order of a run."""
    found = {
        value["processInstanceKey"]: Fate(value["value"].strip('"'))
        for value in await records.find("variable", ["CREATED"], name="orderId")
        if value["value"].startswith(f'"{run}-')
    }

    async def elements(kind: str, *intents: str) -> AsyncIterator[tuple[Fate, str]]:
        for value in await records.find("process-instance", intents, bpmnElementType=kind):
            if value["processInstanceKey"] in found:
                yield found[value["processInstanceKey"]], value["elementId"]

    async for fate, task in elements("SERVICE_TASK", "ELEMENT_ACTIVATED"):
        fate.tasks.append(task)
    async for fate, end in elements("END_EVENT", "ELEMENT_COMPLETED"):
        fate.ends.append(end)
    async for fate, _ in elements("PROCESS", "ELEMENT_COMPLETED", "ELEMENT_TERMINATED"):
        fate.has_ended = True
    for value in await records.find("incident", ["CREATED"]):
        if value["processInstanceKey"] in found:
            found[value["processInstanceKey"]].incidents.append(value["errorMessage"])
    return found


@pytest.fixture
def start_all(
    stack: Stack, world: World, records: Records, starter: Ways, new_order: Callable[..., dict[str, Any]]
) -> Callable[[int], Awaitable[None]]:
    """Start so many orders three times each, kill the engine meanwhile, and check what became of them."""
    return partial(_start_all, stack, world, records, starter, new_order)


@pytest.mark.proof
async def test_orders_started_three_times_each_while_the_broker_dies_are_as_many_sagas(
    start_all: Callable[[int], Awaitable[None]],
) -> None:
    await start_all(bounded(1_000, 100))


async def _start_all(
    stack: Stack,
    world: World,
    records: Records,
    starter: Ways,
    new_order: Callable[..., dict[str, Any]],
    count: int,
) -> None:
    run = f"starts-{uuid4().hex[:8]}"
    orders = [new_order(orderId=f"{run}-{number}") for number in range(count)]
    order_ids = [order["orderId"] for order in orders]
    mixes = list(islice(starter.mixes(_BY_ZBCTL), count))
    broker = stack.pid("engine")

    queue = iter(zip(orders, mixes, strict=True))

    async def start_in_turn() -> None:
        for order, mix in queue:
            await asyncio.gather(*(way(order) for way in mix))

    async with asyncio.timeout(_SECONDS), asyncio.TaskGroup() as starting:
        for _ in range(_AT_ONCE):
            starting.create_task(start_in_turn())
        while starter.taken < count:  # noqa: ASYNC110 - a count wakes nobody
            await asyncio.sleep(0.01)
        # A third of all starts were acknowledged.
        os.kill(broker, signal.SIGKILL)
    assert starter.taken == 3 * count
    assert starter.unanswered, "the broker died while orders were started"
    assert stack.pid("engine") != broker

    async def unshipped() -> list[str]:
        return await ledger.unshipped(world, order_ids)

    async def unpublished() -> int:
        rows = "SELECT count(*) AS rows FROM orders.placements WHERE order_id = ANY($1) AND body IS NOT NULL"
        return int((await world.fetch(rows, order_ids))[0]["rows"])

    await eventually(unshipped, lambda orders: not orders, _SECONDS)
    # Orders that were started in another way are shipped while their placements still wait behind others.
    await eventually(unpublished, lambda rows: not rows, _SECONDS)
    await assert_instances(records, run, starter, Counter(dict.fromkeys(order_ids, 3)))
    # Only now, for the last instance of an order may do harm as well.
    await assert_books(world, order_ids)


async def assert_books(world: World, order_ids: list[str]) -> None:
    """Check in the participants' own tables that each order took all its effects once, and none was undone."""
    entries = await ledger.entries(world, order_ids)
    wrong = [entry for entry in entries.values() if not ledger.is_fulfilled_once(entry, PIECES)]
    assert not wrong, (len(wrong), wrong[:5])
    await world.check_stock()
    charges = await world.fetch(
        "SELECT reference, captured, refunded FROM card_processor.charges WHERE reference = ANY($1)", order_ids
    )
    theirs = {charge["reference"]: charge["captured"] - charge["refunded"] for charge in charges}
    assert theirs == {order_id: entry.effects.total for order_id, entry in entries.items()}


async def assert_instances(records: Records, run: str, starter: Ways, started: Counter[str]) -> None:
    """Check in the engine's records that each instance has ended, one per order on the saga's way, all others ignored.

    `started` says how many instances each order has at least: a creation without a reply was tried again.
    """

    async def missing() -> list[object]:
        found = await fates(records, run)
        few = started - Counter(fate.order_id for fate in found.values())
        return [*(starter.instances - found.keys()), *few, *(each for each in found.values() if not each.has_ended)][:5]

    await eventually(missing, lambda some: not some, 120)
    found = await fates(records, run)
    assert len(found) <= started.total() + starter.unanswered
    assert Counter(fate.order_id for fate in found.values() if fate.is_the_saga) == Counter(started.keys())
    wrong = [fate for fate in found.values() if not (fate.is_the_saga or fate.was_ignored)]
    assert not wrong, (len(wrong), wrong[:5])
    print(f"{len(found)} instances of {len(started)} orders, {starter.unanswered} calls unanswered")  # noqa: T201 - a figure
