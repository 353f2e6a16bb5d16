"""Each element of the process x each fault: with the reconciler, the world agrees with the engine in the end.

Each fault comes at the worst moment: the participant has committed, and its answer is on its way. First nobody
reconciles, and what is orphaned is counted; then the reconciler is started, and nothing may be left within its bound.
"""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from tests import warm
from tests.proxy import HeldReply
from tests.reconcile.lab import Lab, kill
from tests.world import eventually

BOUND = 30.0
"""Seconds after the last fault in which nothing may be left."""
LEASE = 1.0
"""Seconds of a job's lease: each that a stopped worker has got is waited for."""
NewOrder = Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class Moment:
    """A command that has taken effect while its answer is on its way."""

    element: str
    participant: str
    method: str
    path: str
    example: str = "fulfilled"
    by_customer: bool = False
    """Whether it takes a customer's `CancelOrder`, while the order waits for its payment."""

    @property
    def name(self) -> str:
        return f"{self.element} {self.method} {self.path}"


DOS = [
    Moment("Task_AcceptOrder", "orders", "PUT", "/orders/{}"),
    Moment("Task_ReserveInventory", "inventory", "PUT", "/reservations/{}"),
    Moment("Task_ProcessPayment", "payment", "PUT", "/payments/{}"),
    Moment("Task_ShipOrder", "orders", "PUT", "/orders/{}/dispatch"),
    Moment("Task_ShipOrder", "shipping", "PUT", "/shipments/{}"),
]
PAYING = DOS[2]
UNDOS = [
    Moment("Task_RefundPayment", "payment", "DELETE", "/payments/{}", "address-unserviceable"),
    Moment("Task_ReleaseInventory", "inventory", "DELETE", "/reservations/{}", "payment-declined"),
    Moment("Task_CancelOrder", "orders", "DELETE", "/orders/{}", "out-of-stock"),
]
RECORD = Moment("Task_RecordCancellation", "orders", "PUT", "/orders/{}/cancellation", by_customer=True)
# Cancel shipment is missing: nothing in the diagram refuses after Ship order; test_cancelling.py has it.
MOMENTS = [*DOS, *UNDOS, RECORD]


@dataclass
class Case:
    """One order in the middle of one command."""

    moment: Moment
    order_id: str
    instance: int
    held: list[HeldReply]
    """What is to be released; the last one is the moment's."""

    def release(self) -> None:
        for held in self.held:
            held.release()


@asynccontextmanager
async def cases(lab: Lab, new_order: NewOrder, moments: list[Moment]) -> AsyncIterator[list[Case]]:
    """Bring an order to each of the moments; what is held is released at the end."""
    async with AsyncExitStack() as stack:

        def hold(order_id: str, moment: Moment) -> HeldReply:
            held = lab.hold(moment.participant, moment.method, moment.path.format(order_id))
            return stack.enter_context(held)

        made = []
        for moment in moments:
            order = new_order(moment.example)
            order_id = order["orderId"]
            held = [hold(order_id, each) for each in ([PAYING, moment] if moment.by_customer else [moment])]
            made.append(Case(moment, order_id, await lab.start(order), held))
        for case in made:
            await asyncio.to_thread(case.held[0].wait_until_applied)
            if case.moment.by_customer:
                await lab.customer_cancels(case.order_id)
            await asyncio.to_thread(case.held[-1].wait_until_applied)
        yield made


async def orphans(lab: Lab, made: list[Case]) -> Counter[str]:
    """Wait until each instance has ended; count what its end does not account for, by the element of the moment."""
    counts: Counter[str] = Counter()
    for case in made:
        state = await lab.ended(case.instance)
        counts[f"{case.moment.element} {case.moment.method} {case.moment.path}"] += await lab.orphans(
            case.order_id, state
        )
    return +counts


Fault = Callable[[Lab, warm.Command, list[Case]], Awaitable[None]]


async def operator_cancels(lab: Lab, _: warm.Command, made: list[Case]) -> None:
    for case in made:
        await lab.cancel(case.instance)


async def customer_cancels(lab: Lab, _: warm.Command, made: list[Case]) -> None:
    for case in made:
        await lab.customer_cancels(case.order_id)


async def error_event_interrupts(lab: Lab, _: warm.Command, made: list[Case]) -> None:
    for case in made:
        await lab.throw(case.instance, case.moment.element)


async def complete_reply_is_lost(lab: Lab, _: warm.Command, made: list[Case]) -> None:
    lab.gateway.lose_replies("CompleteJob", len(made))


async def worker_is_killed(_: Lab, worker: warm.Command, __: list[Case]) -> None:
    await asyncio.to_thread(kill, worker)


async def lease_is_lost(_: Lab, worker: warm.Command, __: list[Case]) -> None:
    """The worker stands still: nobody extends its leases, and another one does the work."""
    os.kill(worker.pid, signal.SIGSTOP)


async def lease_is_lost_and_the_operator_cancels(lab: Lab, worker: warm.Command, made: list[Case]) -> None:
    await lease_is_lost(lab, worker, made)
    await operator_cancels(lab, worker, made)


FAULTS: list[tuple[Fault, list[Moment], bool]] = [
    (operator_cancels, MOMENTS, True),
    (customer_cancels, MOMENTS, False),
    # An undo throws no error: it is never refused.
    (error_event_interrupts, DOS, True),
    (complete_reply_is_lost, MOMENTS, False),
    (worker_is_killed, MOMENTS, False),
    (lease_is_lost, MOMENTS, False),
    (lease_is_lost_and_the_operator_cancels, MOMENTS, True),
]


@pytest.mark.long
@pytest.mark.parametrize(("fault", "moments", "leaves"), FAULTS, ids=[fault.__name__ for fault, _, _ in FAULTS])
async def test_nothing_is_left_of_a_fault(
    lab: Lab,
    new_order: NewOrder,
    capsys: pytest.CaptureFixture[str],
    fault: Fault,
    moments: list[Moment],
    leaves: bool,  # noqa: FBT001 - a parameter of the table
) -> None:
    with lab.workers(LEASE) as worker:
        async with cases(lab, new_order, moments) as made:
            await fault(lab, worker, made)
            with lab.workers(LEASE):
                for case in made:
                    case.release()
                left = await orphans(lab, made)
    with capsys.disabled():
        sys.stdout.write(f"\n{fault.__name__}: {left.total()} orphaned of {len(made)} orders, no reconciler: {left}\n")
    assert bool(left) is leaves, left
    async with lab.reconciler():

        async def now() -> Counter[str]:
            return await orphans(lab, made)

        await eventually(now, lambda counts: not counts, BOUND)
