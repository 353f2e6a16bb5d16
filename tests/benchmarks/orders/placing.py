"""Place orders: at a steady rate, or as fast as the broker takes them."""

import asyncio
import json
from collections.abc import Iterable, Iterator, Mapping
from random import Random
from typing import Any

import grpc
from pyzeebe.proto.gateway_pb2 import CreateProcessInstanceRequest

from order_fulfillment.names import PROCESS
from saga.common.project import BPMN
from saga.kit.gateway.connection import stub

_IN_FLIGHT = 16
"""Creations at once: more than a broker on two cores takes up, so that it is never without one."""
_PAUSE = 0.005, 0.02
"""Seconds before a creation that the broker pushed back is tried again."""
_DEADLINE = 30.0
"""Seconds for one creation."""


def orders(order_ids: Iterable[str], example: str = "fulfilled") -> Iterator[dict[str, Any]]:
    """Make the orders' variables from one of the diagram's examples."""
    variables = json.loads((BPMN / "examples" / f"{example}.json").read_text(encoding="utf-8"))
    return ({**variables, "orderId": order_id} for order_id in order_ids)


async def create(channel: grpc.aio.Channel, order: Mapping[str, Any]) -> None:
    """Create an instance for the order.

    Raises:
        grpc.aio.AioRpcError: RESOURCE_EXHAUSTED where none was created; with most others nobody knows.
    """
    request = CreateProcessInstanceRequest(bpmnProcessId=PROCESS, version=-1, variables=json.dumps(order))
    await stub(channel).CreateProcessInstance(request, timeout=_DEADLINE)


async def place(
    channel: grpc.aio.Channel, waiting: Iterator[Mapping[str, Any]], random: Random, per_second: float | None
) -> None:
    """Create an instance for each order, in pipeline; with a rate, so many per second.

    Raises:
        grpc.aio.AioRpcError: the broker refuses for another reason than that it is busy.
    """
    loop = asyncio.get_running_loop()
    due = loop.time()

    async def create_in_turn() -> None:
        nonlocal due
        for order in waiting:
            if per_second is not None:
                due += 1 / per_second
                await asyncio.sleep(due - loop.time())
            await _create_patiently(channel, order, random)

    await asyncio.gather(*(create_in_turn() for _ in range(_IN_FLIGHT)))


async def _create_patiently(channel: grpc.aio.Channel, order: Mapping[str, Any], random: Random) -> None:
    while True:
        try:
            await create(channel, order)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        else:
            return
        await asyncio.sleep(random.uniform(*_PAUSE))
