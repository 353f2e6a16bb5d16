"""A consumer of events that does what a test says: the real one is the orders service."""

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import uvicorn

from tests.asgi import Message, body_of


def _set() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass
class Delivery:
    """One request, and what it was answered with."""

    events: list[dict[str, str]]
    headers: dict[str, str]
    at: float
    status: int


@dataclass
class FakeConsumer:
    """Answers with the statuses it is given, one after the other, then with 204."""

    answers: list[int]
    retry_after: str | None = None
    takes: float = 0.0
    """Seconds that it needs for one event."""
    deliveries: list[Delivery] = field(default_factory=list)
    url: str = ""
    first_held: asyncio.Event = field(default_factory=_set)
    """The answer to the first delivery waits for it."""

    @property
    def accepted(self) -> list[dict[str, str]]:
        """The events that were acknowledged, in that order."""
        return [event for delivery in self.deliveries if delivery.status == 204 for event in delivery.events]

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeConsumer"]:
        config = uvicorn.Config(
            self._serve, interface="asgi3", lifespan="off", ws="none", log_config=None, access_log=False
        )
        server = uvicorn.Server(config)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/events"
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield self
            finally:
                server.should_exit = True
                await serving

    async def _serve(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        body = await body_of(receive)
        status = self.answers.pop(0) if self.answers else 204
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        self.deliveries.append(Delivery(json.loads(body), headers, time.monotonic(), status))
        if len(self.deliveries) == 1:
            await self.first_held.wait()
        await asyncio.sleep(self.takes * len(self.deliveries[-1].events))
        wait = [(b"retry-after", self.retry_after.encode())] if status == 503 and self.retry_after else []
        await send({"type": "http.response.start", "status": status, "headers": wait})
        await send({"type": "http.response.body"})
