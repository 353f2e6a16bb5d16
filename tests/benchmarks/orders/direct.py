"""What the participants can do by themselves: the commands of an order one after the other, with no engine and no job.

`python -m tests.benchmarks.orders.direct WARM-UP ORDER...` carries out the orders of these ids, the first WARM-UP of
which do not count, and prints the seconds that the others took. The environment says where everything is.
"""
# mypy: disable-error-code="arg-type"
# (the types of pyzeebe's decorator fit no function: mypy solves its ParamSpec with Never)

import asyncio
import sys
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

from tests.benchmarks.orders import placing, plain

_AT_ONCE = 16
"""Orders: with more the participants do no more in a second."""


async def carry_out(order: Mapping[str, Any]) -> None:
    """Send the commands of one order."""
    order_id, items = order["orderId"], order["items"]
    claimant = SimpleNamespace(process_instance_key=order_id)
    accepted: dict[str, Any] = await plain.accept_order(claimant, order_id, order["customerId"], items)
    await plain.reserve_inventory(order_id, items)
    await plain.process_payment(order_id, order["card"], accepted["acceptance"])
    await plain.ship_order(order_id, items, order["shipTo"])


async def _all(order_ids: list[str]) -> None:
    orders = placing.orders(order_ids)

    async def in_turn() -> None:
        for order in orders:
            await carry_out(order)

    await asyncio.gather(*(in_turn() for _ in range(_AT_ONCE)))


async def _main(warm_up: int, order_ids: list[str]) -> None:
    async with plain.http:
        await _all(order_ids[:warm_up])
        begun = time.perf_counter()
        await _all(order_ids[warm_up:])
        sys.stdout.write(f"{time.perf_counter() - begun}\n")


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2:]))
