"""The ways by which an order is started; each is tried again until somebody says that the start is taken."""

import asyncio
import itertools
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import grpc
import httpx
from pyzeebe.proto.gateway_pb2 import CreateProcessInstanceRequest, PublishMessageRequest

from order_fulfillment.names import ORDER_PLACED, PROCESS
from saga.clients.gateway import MESSAGE_TTL_MS
from tests.stack import Result

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

Order = dict[str, Any]
Way = Callable[[Order], Awaitable[None]]

_DEADLINE = 10.0
"""Seconds for one call."""
_PAUSE = (0.1, 0.5)
"""Seconds before a start is tried again."""
_WRONG = frozenset({grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.PERMISSION_DENIED})
"""The engine will never take such a start: the test itself is at fault."""

_ZBCTL_AGAIN = ("ResourceExhausted", "DeadlineExceeded", "Unavailable")
"""What zbctl says of a start that may be tried again."""


@dataclass
class Ways:
    """All ways into one engine."""

    gateway: "GatewayAsyncStub"
    shop: httpx.AsyncClient
    """Sends a shop's token to the orders service."""
    run_zbctl: Callable[..., Result]
    random: Random
    instances: set[int] = field(default_factory=set)
    """The instances that the engine said it had created."""
    taken: int = 0
    """Starts that were acknowledged, by whichever way."""
    unanswered: int = 0
    """Calls of which nobody knows whether they took effect."""

    def mixes(self, zbctl: int) -> Iterator[tuple[Way, Way, Way]]:
        """Yield three ways for each order, without end; the first `zbctl` orders are started with the real zbctl."""
        yield from [(self.create_by_zbctl, self.publish_by_zbctl, self.place)] * zbctl
        yield from itertools.cycle(
            (
                (self.create, self.create, self.publish),
                (self.create, self.create, self.place),
                (self.create, self.publish, self.place),
            )
        )

    async def create(self, order: Order) -> None:
        """Create an instance."""
        request = CreateProcessInstanceRequest(bpmnProcessId=PROCESS, version=-1, variables=json.dumps(order))
        created = await self._ask(lambda: self.gateway.CreateProcessInstance(request, timeout=_DEADLINE))
        self.instances.add(created.processInstanceKey)

    async def publish(self, order: Order) -> None:
        """Publish the message OrderPlaced."""
        request = PublishMessageRequest(
            name=ORDER_PLACED,
            correlationKey=order["orderId"],
            messageId=order["orderId"],
            timeToLive=MESSAGE_TTL_MS,
            variables=json.dumps(order),
        )
        await self._ask(lambda: self.gateway.PublishMessage(request, timeout=_DEADLINE))

    async def place(self, order: Order) -> None:
        """Place the order at the orders service; somebody else publishes it."""
        while not await self._placed(order):
            await self._pause(answered=True)
        self.taken += 1

    async def create_by_zbctl(self, order: Order) -> None:
        """Create an instance, as a person does."""
        output = await self._zbctl("create", "instance", PROCESS, "--variables", json.dumps(order))
        self.instances.add(int(json.loads(output)["processInstanceKey"]))

    async def publish_by_zbctl(self, order: Order) -> None:
        """Publish the message, as a person does."""
        keys = ("--correlationKey", order["orderId"], "--messageId", order["orderId"], "--ttl", "1h")
        await self._zbctl("publish", "message", ORDER_PLACED, *keys, "--variables", json.dumps(order))

    async def _placed(self, order: Order) -> bool:
        """Send an order as a shop does; return whether it was taken, False where it may be sent again."""
        try:
            answer = await self.shop.post("/orders", json=order)
        except httpx.TransportError:
            return False
        assert answer.status_code in {httpx.codes.ACCEPTED, httpx.codes.SERVICE_UNAVAILABLE}, answer.text
        return answer.status_code == httpx.codes.ACCEPTED

    async def _ask(self, call: Callable[[], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the call brings
        while True:
            try:
                reply = await call()
            except grpc.aio.AioRpcError as error:
                if error.code() in _WRONG:
                    raise
                if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                    reply = None
                else:
                    await self._pause(answered=error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED)
                    continue
            self.taken += 1
            return reply

    async def _zbctl(self, *arguments: str) -> str:
        while True:
            done = await asyncio.to_thread(self.run_zbctl, *arguments)
            if done.status == 0 or "AlreadyExists" in done.errors:
                self.taken += 1
                return done.output
            assert any(status in done.errors for status in _ZBCTL_AGAIN), done.errors
            await self._pause(answered="ResourceExhausted" in done.errors)

    async def _pause(self, *, answered: bool) -> None:
        self.unanswered += not answered
        await asyncio.sleep(self.random.uniform(*_PAUSE))
