"""Placing: publishes the orders that were placed at the orders service to the engine, each as the message OrderPlaced.

Nothing has to be remembered in between. What was published and not marked, because something died or was away, is
published again: the broker refuses the message's id while it keeps the message, and after that the instance that is one
too many finds its order claimed. For the same reasons any number of publishers may run.
"""

import asyncio
import json
import time
from collections.abc import Coroutine, Mapping, Sequence
from random import SystemRandom
from typing import Any

import grpc
import structlog
from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pyzeebe.proto.gateway_pb2 import PublishMessageRequest

from order_fulfillment.names import ORDER_PLACED, PROCESS
from saga.clients.failure import Failure
from saga.clients.gateway import MESSAGE_TTL_MS, NotDeployed, require_deployed
from saga.clients.participant import Participant
from saga.kit.gateway.backoff import Backoff
from saga.kit.gateway.channel_watch import ChannelWatch
from saga.kit.gateway.connection import stub
from saga.kit.gateway.credentials import code_of

CALLER = "publish-orders"
"""The caller whose token the orders service wants."""
_BATCH = 16
"""Orders that are published at once: a broker on two cores pushes back when there are more, and has other work too."""
_POLL = 1.0
"""Seconds between two looks for new orders."""
_WARN_AFTER = 5.0
"""Seconds for which orders wait before the log says so: a broker is often busy for a moment."""
_DEADLINE = 10.0
"""Seconds that the broker has for one message: as long as it is busy, it answers at once."""

_log = structlog.get_logger(__name__)


class NotPublished(Exception):
    """Orders wait; the message says who is in the way, and holds nothing of them."""

    def __init__(self, why: str, code: grpc.StatusCode | None = None) -> None:
        """`code` is the broker's status, where it is the broker."""
        super().__init__(why)
        self.code = code


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, hide_input_in_errors=True)


class _Placement(_Part):
    order_id: str
    order: dict[str, Any]


class _Placements(_Part):
    placements: list[_Placement]


class OrderPublisher:
    """Publishes orders from the orders service to one engine."""

    def __init__(self, orders: Participant, channel: grpc.aio.Channel, *, warn_after: float = _WARN_AFTER) -> None:
        """Read from the orders service, publish over `channel`, and log that orders wait after so many seconds."""
        self._orders = orders
        self._gateway = stub(channel)
        self._channel_watch = ChannelWatch(channel)
        self._backoff = Backoff(SystemRandom(), self._channel_watch, base=0.1, cap=5.0)
        self._warn_after = warn_after
        self._waiting_since: float | None = None
        self._told: str | None = None
        """What the log says is in the way."""

    async def run(self, stop: asyncio.Event) -> None:
        """Publish whatever is placed until `stop` is set; what is in hand then is marked before this returns."""
        watching = asyncio.create_task(self._channel_watch.watch())
        try:
            while not stop.is_set():
                await _unless(stop, await self._pass())
        finally:
            watching.cancel()

    async def publish(self) -> int:
        """Publish the oldest placed orders, up to a bound, and return how many of them the engine took.

        Raises:
            NotPublished: It took none, for the broker or the orders service is away, or refuses; or the orders service
                could not be told.
        """
        try:
            placements = (await self._orders.read(CALLER, "/placements", _Placements, limit=_BATCH)).placements
        except Failure as failure:
            raise NotPublished(str(failure)) from None
        if placements:
            await self._require_process()
        refusals = await asyncio.gather(*(self._publish(each) for each in placements))
        taken = [each.order_id for each, refusal in zip(placements, refusals, strict=True) if refusal is None]
        if taken:
            await self._mark(taken)
            _log.info("orders published", orders=len(taken))
        elif refusal := next(iter(refusals), None):
            message = f"broker: {refusal.name}"
            raise NotPublished(message, refusal)
        return len(taken)

    async def _require_process(self) -> None:
        try:
            await require_deployed(self._gateway, PROCESS)
        except NotDeployed as failure:
            raise NotPublished(str(failure)) from None
        except grpc.aio.AioRpcError as error:
            code = code_of(error)
            message = f"broker: {code.name}"
            raise NotPublished(message, code) from None

    async def _pass(self) -> Coroutine[None, None, None]:
        """Publish once; return the pause before the next time."""
        try:
            published = await self.publish()
        except NotPublished as error:
            self._tell(str(error))
            return self._backoff.pause(error.code)
        self._tell(None)
        self._backoff.reset()
        return asyncio.sleep(0 if published else _POLL)

    async def _publish(self, placement: _Placement) -> grpc.StatusCode | None:
        """Return None once the engine has the order, else with what status the broker did not take it."""
        request = PublishMessageRequest(
            name=ORDER_PLACED,
            correlationKey=placement.order_id,
            # The placement's own: a message that somebody else has sent for the order may have ended as rejected.
            messageId=f"placement/{placement.order_id}",
            timeToLive=MESSAGE_TTL_MS,
            variables=json.dumps(placement.order),
        )
        try:
            await self._gateway.PublishMessage(request, timeout=_DEADLINE)
        except grpc.aio.AioRpcError as error:
            code = code_of(error)
            return None if code is grpc.StatusCode.ALREADY_EXISTS else code
        return None

    async def _mark(self, published: Sequence[str]) -> None:
        try:
            await self._orders.ask(CALLER, "POST", "/placements/published", json={"orderIds": published})
        except Failure as failure:
            raise NotPublished(str(failure)) from None

    def _tell(self, trouble: str | None) -> None:
        """Log what has been in the way for a while, when it is new, and its end."""
        if trouble is None:
            if self._told:
                _log.info("placed orders are published again")
            self._waiting_since = self._told = None
            return
        self._waiting_since = self._waiting_since or time.monotonic()
        if trouble != self._told and time.monotonic() - self._waiting_since > self._warn_after:
            _log.warning("placed orders wait", why=trouble)
            self._told = trouble


def make_publisher(participants: Mapping[str, Participant], channel: grpc.aio.Channel) -> OrderPublisher:
    """Return the publisher of the orders that are placed at the orders service."""
    return OrderPublisher(participants["orders"], channel)


async def _unless(stop: asyncio.Event, pause: Coroutine[None, None, None]) -> None:
    """Wait for the pause's end, or until `stop` is set."""
    waits = [asyncio.create_task(pause), asyncio.create_task(stop.wait())]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
