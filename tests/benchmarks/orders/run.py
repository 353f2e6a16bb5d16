"""Measure whole orders per second: the same orders, services and broker, with our workers and with plain ones.

What counts is the time from the first order placed until the last one is with the carrier, as the participants' tables
say. Both sets take turns on one stack, so that what else the machine does hits both alike.
"""

import asyncio
import itertools
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random

import grpc

import services
from saga.clients.addresses import Addresses
from saga.kit.gateway.connection import open_channel
from saga.stack.stack import Stack
from tests.benchmarks.orders import embedded, ledger, placing
from tests.benchmarks.orders.records import Records
from tests.benchmarks.orders.usage import cpu_seconds, part_pids
from tests.world import World, eventually

SETS = {"ours": ("saga.cli", "workers"), "plain": ("tests.benchmarks.orders.plain",)}
"""What `python -m` is told for each worker set."""
_WARM_UP = 150
"""Orders before the first measurement, with each set: connections are opened once."""
_LEAD = 20
"""Orders before each measurement: when they are with the carrier, the worker set is ready and warm."""
_STEADY = 60
"""Orders at the end, at a rate that each set can follow."""
_STEADY_RATE = 3.0
"""Orders per second."""
_SECONDS = 600.0
"""The longest that one batch may take; a worker set that needs longer has stalled."""
_LOOK = 0.02
"""Seconds between two looks at the tables."""
_PIECES = 3
"""What the example order has of pieces."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Orders that one worker set carried out."""

    orders: int
    seconds: float
    """From the first one placed to the last one with the carrier."""
    cpu: dict[str, float]
    """CPU seconds by part, over the same time; the worker set's under `workers`."""

    @property
    def per_second(self) -> float:
        """Whole orders per second."""
        return self.orders / self.seconds

    def cpu_per_order(self, part: str) -> float:
        """Return the part's CPU seconds per order."""
        return self.cpu[part] / self.orders


@dataclass(frozen=True, slots=True)
class Sample:
    """One batch of each, one right after the other."""

    ours: Batch
    plain: Batch
    participants: float
    """Orders per second where the participants are all there is."""

    @property
    def ratio(self) -> float:
        """How many times as many orders per second ours carry out."""
        return self.ours.per_second / self.plain.per_second


async def run(offset: int, repetitions: int, orders: int) -> list[Sample]:
    """Bring up a stack without workers at the port offset and measure both sets, `orders` at a time, in turn.

    At the end each set gets orders at a steady rate below what it can do, of which it may not lose any either.

    Raises:
        AssertionError: an order was lost, or an effect was taken twice.
    """
    async with (
        embedded.running(offset, ("engine", *services.PORTS)) as stack,
        open_channel(Addresses.of(offset).engine) as channel,
        World(stack.database_url) as world,
        Records(stack.addresses["management"] or "") as records,
    ):
        bench = _Bench(stack, channel, world, records)
        for name in SETS:
            await bench.batch(name, _WARM_UP)
        samples = []
        for number in range(repetitions):
            # Each one begins as often as the other: what the first batch leaves to the second evens out.
            turns = list(SETS) if number % 2 == 0 else list(reversed(SETS))
            batches = {name: await bench.batch(name, orders) for name in turns}
            samples.append(Sample(**batches, participants=await bench.participants(orders)))
        for name in SETS:
            await bench.batch(name, _STEADY, _STEADY_RATE)
        return samples


class _Bench:
    """A running stack, and the orders that were placed in it."""

    def __init__(self, stack: Stack, channel: grpc.aio.Channel, world: World, records: Records) -> None:
        self._stack = stack
        self._channel = channel
        self._world = world
        self._records = records
        self._random = Random(1)  # noqa: S311 - jitter
        self._numbers = itertools.count(1)
        self._placed = 0

    async def batch(self, name: str, orders: int, per_second: float | None = None) -> Batch:
        """Carry out so many orders with the worker set of that name, and check what came of each.

        Without a rate they are placed as fast as the broker takes them.
        """
        async with _working(self._stack, SETS[name], name) as pid:
            await self._carry_out(_LEAD, None)
            pids = {**part_pids(self._stack), "workers": pid}
            before = cpu_seconds(pids)
            begin = time.monotonic()
            order_ids = await self._carry_out(orders, per_second)
            seconds = time.monotonic() - begin
            after = cpu_seconds(pids)
            await self._check(order_ids)
            # The last answers are on their way: the next batch begins in quiet.
            await eventually(self._records.instances, lambda found: found[1] == self._placed, _SECONDS)
        return Batch(orders, seconds, {part: after[part] - before[part] for part in pids})

    async def participants(self, orders: int) -> float:
        """Have the participants alone do so many orders, check what came of each, and return the orders per second."""
        order_ids = self._order_ids(_LEAD + orders)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.benchmarks.orders.direct", str(_LEAD), *order_ids),
            env={**os.environ, **self._stack.application_environment()},
            stdout=asyncio.subprocess.PIPE,
        )
        seconds, _ = await process.communicate()
        assert process.returncode == 0
        await self._check(order_ids)
        return orders / float(seconds)

    def _order_ids(self, orders: int) -> list[str]:
        return [f"bench-{next(self._numbers)}" for _ in range(orders)]

    async def _carry_out(self, orders: int, per_second: float | None) -> list[str]:
        """Place the orders and return their ids when all are with the carrier."""
        order_ids = self._order_ids(orders)
        placing_all = asyncio.create_task(
            placing.place(self._channel, placing.orders(order_ids), self._random, per_second)
        )
        async with asyncio.timeout(_SECONDS):
            while await ledger.unshipped(self._world, order_ids):
                if placing_all.done():
                    placing_all.result()
                await asyncio.sleep(_LOOK)
            await placing_all
        self._placed += orders
        return order_ids

    async def _check(self, order_ids: Sequence[str]) -> None:
        for order_id, entry in (await ledger.entries(self._world, order_ids)).items():
            assert ledger.is_fulfilled_once(entry, _PIECES), (order_id, entry)
        await self._world.check_stock()


@asynccontextmanager
async def _working(stack: Stack, module: Sequence[str], name: str) -> AsyncIterator[int]:
    """Run a worker set as a process of its own; give its process id."""
    with stack.layout.log(f"workers-{name}").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *module),
            env={**os.environ, **stack.application_environment()},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield process.pid
        assert process.returncode is None, f"{name} ended by itself with status {process.returncode}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
