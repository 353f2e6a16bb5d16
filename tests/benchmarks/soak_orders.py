"""The soak's orders: a steady stream of every kind, each created again under its id until the engine has it."""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import grpc

from saga.common.backoff import EQUAL_JITTER, ExponentialBackoff
from tests.benchmarks.orders import placing
from tests.benchmarks.orders.ledger import FULFILLED

_TIMEOUT = 300.0
"""Seconds until an order that cannot be created is given up: far longer than a broker takes to come back."""
_WRONG = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED})
"""The engine will never take such a creation: the soak itself is at fault."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which an order can go."""

    example: str
    """The name of its file in `bpmn/examples`."""
    outcome: str
    end: str
    """The id of the end event that its instance reaches."""
    deeds: tuple[str, ...]
    """What the participants do for it, in this order and each once."""
    pieces: int
    records: int
    """That the engine writes for it where nothing is retried."""


_CANCELLED = "EndEvent_OrderCancelled"
KINDS = (
    Kind("fulfilled", "fulfilled", "EndEvent_OrderFulfilled", FULFILLED, 3, 107),
    Kind(
        "out-of-stock",
        "cancelled",
        _CANCELLED,
        ("orders.order.done", "inventory.reservation.refused", "orders.order.undone"),
        1,
        132,
    ),
    Kind(
        "payment-declined",
        "cancelled",
        _CANCELLED,
        (*FULFILLED[:2], "payment.payment.refused", "inventory.reservation.undone", "orders.order.undone"),
        3,
        163,
    ),
    Kind(
        "address-unserviceable",
        "cancelled",
        _CANCELLED,
        (
            *FULFILLED[:4],
            "shipping.shipment.refused",
            "payment.payment.undone",
            "inventory.reservation.undone",
            "orders.order.undone",
        ),
        3,
        192,
    ),
    Kind("invalid", "rejected", "EndEvent_OrderRejected", (), 1, 69),
)
_SHARES = (12, 2, 2, 2, 2)
"""Of twenty orders, how many are of each kind."""


@dataclass(slots=True)
class Order:
    """One order of the stream."""

    order_id: str
    kind: Kind
    due: datetime
    """When it was to be placed; what it waits for a broker that is away counts as its time."""
    accepted: bool = False
    """Whether the engine said that there is an instance."""


@dataclass(slots=True)
class Stream:
    """Orders at a steady rate, whatever becomes of the ones before."""

    channel: grpc.aio.Channel
    per_second: float
    random: Random
    orders: list[Order] = field(default_factory=list)
    refused: int = 0
    """Creations that the broker was too busy for: it says so before it takes them up."""
    ambiguous: int = 0
    """Creations that the broker's end left without a reply, so that nobody knows; each was tried again."""

    async def run(self, seconds: float) -> None:
        """Place orders for so many seconds; return when the engine has taken or finally refused each of them."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        kinds = _kinds(self.random)
        async with asyncio.TaskGroup() as creations:
            for number in range(round(seconds * self.per_second)):
                await asyncio.sleep(begin + number / self.per_second - loop.time())
                order = Order(f"soak-{number}", next(kinds), datetime.now(UTC))
                self.orders.append(order)
                creations.create_task(self._create(order))

    async def _create(self, order: Order) -> None:
        (variables,) = placing.orders([order.order_id], order.kind.example)
        backoff = ExponentialBackoff(base=0.1, cap=2.0, jitter=EQUAL_JITTER, random=self.random)
        loop = asyncio.get_running_loop()
        end = loop.time() + _TIMEOUT
        while loop.time() < end:
            try:
                await placing.create(self.channel, variables)
            except grpc.aio.AioRpcError as error:
                self._count(error)
            else:
                order.accepted = True
                return
            await asyncio.sleep(next(backoff))

    def _count(self, error: grpc.aio.AioRpcError) -> None:
        if error.code() in _WRONG:
            raise error
        if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED:
            self.refused += 1
        else:
            self.ambiguous += 1


def _kinds(random: Random) -> Iterator[Kind]:
    """Yield kinds for ever: of each twenty in a row the same share of each kind, in any order."""
    twenty = list(itertools.chain.from_iterable([kind] * share for kind, share in zip(KINDS, _SHARES, strict=True)))
    while True:
        yield from random.sample(twenty, len(twenty))
