"""The broker's disk is lost: what its instances had done is undone on a person's word, and on nothing else."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from saga.clients.addresses import Addresses
from saga.stack import stack as embedded
from tests.benchmarks.orders.records import Records
from tests.reconcile.conftest import PARTS, opened
from tests.reconcile.lab import Lab, kill
from tests.reconcile.test_faults import DOS, Case, cases
from tests.searches import LaggingSearches, asking, log_of
from tests.stack import Stack
from tests.world import eventually

NewOrder = Callable[..., dict[str, Any]]


@pytest.fixture
async def own_lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """A laboratory whose engine may be harmed for good."""
    async with opened(tmp_path_factory.mktemp("lost")) as lab:
        yield lab


def reconcile(stack: Stack, *arguments: str) -> dict[str, Any]:
    done = stack.saga("reconcile", "--older-than", "0", "--json", *arguments)
    report: dict[str, Any] = json.loads(done.output)
    assert done.status == 0, done.errors
    return report


async def lose_the_disk(lab: Lab) -> Path:
    """Stop the stack, take away what the broker has kept, and start it; return the lost log, which searches outlive."""
    assert lab.stack.saga("down").status == 0
    log = log_of(lab.stack)
    lost = log.parent.rename(log.parent.with_name("lost")) / log.name
    started = lab.stack.saga("up", *PARTS, "--detach", "--new-engine")
    assert started.status == 0, started.output + started.errors
    await lab.world.reconnect()
    return lost


async def brought(lab: Lab, new_order: NewOrder) -> tuple[list[Case], str]:
    """Bring an order to each do, and one to its end; return the orders on their way, and the one that has ended."""
    with lab.workers() as worker:
        finished = new_order()
        instance = await lab.start(finished)
        assert await lab.ended(instance) == "COMPLETED"
        async with cases(lab, new_order, DOS) as made:
            await asyncio.to_thread(kill, worker)
            for case in made:
                await eventually(partial(lab.state, case.instance), lambda state: state == "ACTIVE")
    return made, finished["orderId"]


@pytest.mark.proof
async def test_effects_of_a_lost_engine_are_undone_on_a_persons_word(own_lab: Lab, new_order: NewOrder) -> None:
    lab = own_lab
    made, finished = await brought(lab, new_order)
    lost = await lose_the_disk(lab)
    async with LaggingSearches(lost, Addresses.of(lab.stack.offset).rest or "") as searches:
        stack = asking(lab.stack, searches)
        untold = await asyncio.to_thread(reconcile, stack, "--yes")
        assert untold["counts"]["undo"] == untold["counts"]["ask"] == 0, "the searches may just lag behind"
        before = [await lab.orphans(case.order_id, "TERMINATED") for case in made]
        assert all(before)
        told = await asyncio.to_thread(reconcile, stack, "--yes", "--engine-lost-at", now())
        assert {line["instance"] for line in told["findings"]} == {"lost"}
        assert [await lab.orphans(case.order_id, "TERMINATED") for case in made] == [0] * len(made)
        assert await lab.orphans(finished, "COMPLETED") == 0, "an order that was fulfilled stays so"
        again = await asyncio.to_thread(reconcile, stack)
        assert again["counts"] == {"wait": 0, "keep": 0, "undo": 0, "ask": 0}
        await sees_the_question_again(lab, stack, finished)


async def sees_the_question_again(lab: Lab, stack: Stack, order_id: str) -> None:
    """What a person had been asked was lost with the disk as well: it is asked anew."""
    asked = "UPDATE orders.barrier SET settlement = 'asked' WHERE saga_id = $1 AND branch = 'order' AND op = 'do'"
    await lab.world.fetch(asked, order_id)
    assert (await asyncio.to_thread(reconcile, stack, "--yes"))["waiting"]["effects"] == 1
    assert (await asyncio.to_thread(stack.saga, "deploy")).status == 0
    await asyncio.to_thread(reconcile, stack, "--yes", "--engine-lost-at", now())
    # The searches do not show what a new broker does for as long as they have the old one's data; its records do.
    async with Records(embedded.Stack(lab.stack.offset).addresses["management"] or "") as records:
        tasks = partial(records.count, "process-instance", "ELEMENT_ACTIVATED", elementId="Task_SettleByHand")
        assert await eventually(tasks, bool) == 1


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
