"""Whole orders per second with the real services: ours against plain pyzeebe and httpx."""

from tests.benchmarks.bars import ORDERS, Samples
from tests.benchmarks.orders.run import run
from tests.benchmarks.plan import Plan


async def orders(plan: Plan, samples: Samples, port_offset: int) -> None:
    """Measure both worker sets in turn, on a stack of their own with all participants."""
    for each in await run(port_offset, plan.repetitions, plan.orders):
        samples.ratio(ORDERS, each.ratio)
        samples.figure("whole orders: ours", "orders/s", each.ours.per_second)
        samples.figure("whole orders: plain pyzeebe and httpx", "orders/s", each.plain.per_second)
        samples.figure("whole orders: the participants alone", "orders/s", each.participants)
