"""A gRPC proxy in front of the engine, for faults of the way there: lost replies, stalls, resets, cut streams.

What is behind it is the embedded engine, so that what a fault leaves behind is what an engine holds.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Self

import grpc

from tests.stack import free_port

if TYPE_CHECKING:
    # Generic for type checkers only.
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Handler = grpc.RpcMethodHandler[bytes, bytes]
    Upstream = grpc.aio.UnaryStreamCall[bytes, bytes]

Send = Callable[[bytes], Awaitable[bytes]]
_STREAMING = frozenset({"StreamActivatedJobs", "ActivateJobs"})
_LARGE = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


def _as_it_is(message: bytes) -> bytes:
    return message


class FaultyGateway(grpc.GenericRpcHandler):
    """Forwards every call to the gateway at `target`, as bytes, and does to it what a test says."""

    def __init__(self, target: str) -> None:
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.cuts = 0
        """How many open streams were cut."""
        self.refused: Counter[str] = Counter()
        """How many calls of each method were refused."""
        self._target = target
        self._lose: Counter[str] = Counter()
        self._hang: Counter[str] = Counter()
        self._refuse: grpc.StatusCode | None = None
        self._streams: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._channel = grpc.aio.insecure_channel(self._target, _LARGE)
        await self._listen()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)
        await self._channel.close()

    def lose_replies(self, method: str, count: int) -> None:
        """Forward the next calls of a method and answer UNAVAILABLE in place of what the broker replied."""
        self._lose[method] += count

    def hang_replies(self, method: str, count: int) -> None:
        """Forward the next calls of a method and never answer them."""
        self._hang[method] += count

    def untold(self, method: str) -> int:
        """Return how many of the replies that were to be lost or to hang have not come yet."""
        return self._lose[method] + self._hang[method]

    @contextmanager
    def refusing(self, status: grpc.StatusCode) -> Iterator[None]:
        """Answer every new call with a status, and forward none."""
        self._refuse = status
        try:
            yield
        finally:
            self._refuse = None

    async def reset(self) -> None:
        """End every connection and listen again."""
        await self._server.stop(None)
        await self._listen()

    @asynccontextmanager
    async def cutting(self, seconds: float) -> AsyncIterator[None]:
        """End every open stream every so many seconds, from the gateway's side."""

        async def cut() -> None:
            while True:
                await asyncio.sleep(seconds)
                for stream in list(self._streams):
                    self.cuts += 1
                    stream.cancel()

        cutting = asyncio.create_task(cut())
        try:
            yield
        finally:
            cutting.cancel()

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler":
        path = handler_call_details.method
        method = path.rpartition("/")[2]

        async def unary(request: bytes, context: "Context") -> bytes:
            await self._pass(method, context)
            call = self._channel.unary_unary(path, _as_it_is, _as_it_is)

            async def send(request: bytes) -> bytes:
                reply: bytes = await call(request, timeout=context.time_remaining())
                return reply

            reply: bytes = await _told(self.answer(method, request, send, context), context)
            if self._takes(self._lose, method):
                await context.abort(grpc.StatusCode.UNAVAILABLE, "the reply was lost")
            if self._takes(self._hang, method):
                await asyncio.Event().wait()
            return reply

        async def stream(request: bytes, context: "Context") -> None:
            await self._pass(method, context)
            call = self._channel.unary_stream(path, _as_it_is, _as_it_is)(request, timeout=context.time_remaining())

            async def forward() -> None:
                await _told(self.forward(method, call, context), context)

            forwarding = asyncio.create_task(forward())
            if method == "StreamActivatedJobs":
                self._streams.add(forwarding)
                forwarding.add_done_callback(self._streams.discard)
            try:
                await asyncio.wait([forwarding])
            finally:
                self.end(method, call, forwarding)
            if not forwarding.cancelled():
                forwarding.result()

        streams: Callable[..., Any] = grpc.unary_stream_rpc_method_handler
        unaries: Callable[..., Any] = grpc.unary_unary_rpc_method_handler
        made: Handler = streams(stream) if method in _STREAMING else unaries(unary)
        return made

    def seen(self, method: str, message: bytes) -> None:
        """See what the broker sends over a stream; nobody does, here."""

    async def answer(self, method: str, request: bytes, send: Send, context: "Context") -> bytes:  # noqa: ARG002 - a fault may
        """Answer a call that is no stream with what the gateway replies to it."""
        return await send(request)

    async def forward(self, method: str, call: "Upstream", context: "Context") -> None:
        """Pass on what the gateway sends over a stream or as the answer to a poll."""
        async for message in call:
            self.seen(method, message)
            await context.write(message)

    def end(self, method: str, call: "Upstream", forwarding: asyncio.Task[None]) -> None:  # noqa: ARG002 - a fault may
        """End a stream or a poll: it is over, or its client is gone."""
        call.cancel()
        forwarding.cancel()

    async def _listen(self) -> None:
        self._server = grpc.aio.server(options=_LARGE)
        self._server.add_generic_rpc_handlers((self,))
        self._server.add_insecure_port(self.address)
        await self._server.start()

    async def _pass(self, method: str, context: "Context") -> None:
        if self._refuse is not None:
            self.refused[method] += 1
            await context.abort(self._refuse, "refused")

    @staticmethod
    def _takes(faults: Counter[str], method: str) -> bool:
        if not faults[method]:
            return False
        faults[method] -= 1
        return True


async def _told(awaited: Any, context: "Context") -> Any:  # noqa: ANN401 - whatever the call brings
    """Await a call, and hand on the status with which the gateway refuses it."""
    try:
        return await awaited
    except grpc.aio.AioRpcError as error:
        await context.abort(error.code(), error.details() or "")
