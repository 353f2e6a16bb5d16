"""What a real Zeebe does to its clients now and then and the embedded engine does not, scripted at the proxy.

Our runtime was hardened against each of these when its tests ran on Zeebe 8.6.0. A test that uses one of them fails
where the hardening is missing.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeVar

import grpc
from pyzeebe.proto import gateway_pb2 as pb

from saga.clients.addresses import Addresses
from saga.kit.settings import EngineSettings
from tests.runtime.faulty import FaultyGateway, Send

if TYPE_CHECKING:
    from tests.runtime.faulty import Context, Upstream

_G = TypeVar("_G", bound=FaultyGateway)
_FOR_EVER = 10**9
"""Milliseconds of a backoff that no test sees the end of."""
_WAY = 0.02
"""Seconds that a message is on its way between gateway and broker."""
_LATE = 0.2
"""Seconds that a reply to FailJob takes."""


@asynccontextmanager
async def through_one_of(kind: type[_G], addresses: Addresses) -> AsyncIterator[tuple[_G, EngineSettings]]:
    """Open a way to the engine of a kind of gateway's; yield the gateway and its address."""
    async with kind(addresses.engine.address) as gateway:
        yield gateway, addresses.engine.model_copy(update={"address": gateway.address})


class ForgettingGateway(FaultyGateway):
    """Forgets each job that fails with a backoff, as 8.6.0 forgets one in hundreds (camunda/camunda#29735)."""

    async def answer(self, method: str, request: bytes, send: Send, context: "Context") -> bytes:
        if method == "FailJob":
            failure = pb.FailJobRequest.FromString(request)
            if failure.retryBackOff > 0:
                failure.retryBackOff = _FOR_EVER
            request = failure.SerializeToString()
        return await super().answer(method, request, send, context)


class PushFirstGateway(FaultyGateway):
    """Pushes a job that failed without a backoff well before it replies to the failure."""

    async def answer(self, method: str, request: bytes, send: Send, context: "Context") -> bytes:
        reply = await super().answer(method, request, send, context)
        if method == "FailJob":
            await asyncio.sleep(_LATE)
        return reply


class SeveringGateway(FaultyGateway):
    """Closes its connection to the broker, with all that is on it, when one request runs out (camunda/camunda#25596).

    A call that is on its way there is not carried out, one that is on its way back is, and both are ABORTED. Polls end
    so, too: the jobs that one of them brings are leased and never seen. Streams live on.
    """

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.severed: Counter[str] = Counter()
        """How many calls of each method were on the connection when it closed."""
        self.swallowed = 0
        """How many answers of polls were."""
        self._closed = asyncio.Event()

    async def answer(self, method: str, request: bytes, send: Send, context: "Context") -> bytes:
        await self._travel(method, context)
        try:
            reply = await super().answer(method, request, send, context)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                self._closed.set()
                self._closed = asyncio.Event()
            raise
        await self._travel(method, context)
        return reply

    async def forward(self, method: str, call: "Upstream", context: "Context") -> None:
        if method != "ActivateJobs":
            await super().forward(method, call, context)
            return
        messages: list[bytes] = []
        if await self._closes_during(self._read(call, messages)):
            self.swallowed += len(messages)
            await self._sever(method, context)
        for message in messages:
            await context.write(message)

    async def _read(self, call: "Upstream", messages: list[bytes]) -> None:
        messages += [message async for message in call]
        await asyncio.sleep(_WAY)

    async def _travel(self, method: str, context: "Context") -> None:
        if await self._closes_during(asyncio.sleep(_WAY)):
            await self._sever(method, context)

    async def _closes_during(self, doing: Coroutine[None, None, None]) -> bool:
        working = asyncio.create_task(doing)
        closing = asyncio.create_task(self._closed.wait())
        try:
            await asyncio.wait([working, closing], return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return True
            await working
            return False
        finally:
            working.cancel()
            closing.cancel()

    async def _sever(self, method: str, context: "Context") -> None:
        self.severed[method] += 1
        await context.abort(grpc.StatusCode.ABORTED, "the connection was closed")


class WireLosingGateway(FaultyGateway):
    """Loses jobs on the wire, as they are when a client cancels its stream: leased, and nobody has them."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.lost = 0
        """How many jobs were lost."""
        self._loses = False

    def lose_one(self) -> None:
        """Lose the next job that is pushed."""
        self._loses = True

    async def forward(self, method: str, call: "Upstream", context: "Context") -> None:
        if method != "StreamActivatedJobs":
            await super().forward(method, call, context)
            return
        async for message in call:
            if self._loses:
                self._loses = False
                self.lost += 1
            else:
                await context.write(message)


class UnboundedGateway(FaultyGateway):
    """Takes from the broker all that it pushes, whether or not the client reads: a buffer without end."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.most_buffered = 0
        """How many jobs of one stream it held at most."""

    async def forward(self, method: str, call: "Upstream", context: "Context") -> None:
        if method != "StreamActivatedJobs":
            await super().forward(method, call, context)
            return
        buffer: asyncio.Queue[bytes] = asyncio.Queue()

        async def write() -> None:
            while True:
                await context.write(await buffer.get())
                buffer.task_done()

        writing = asyncio.create_task(write())
        try:
            async for message in call:
                buffer.put_nowait(message)
                self.most_buffered = max(self.most_buffered, buffer.qsize())
            await buffer.join()
        finally:
            writing.cancel()
