"""The line before a service: who has gone while waiting is left out, and probes do not wait."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from services.participant.database import Database
from services.participant.limits import Line

BODY: Message = {"type": "http.request", "body": b"{}", "more_body": False}
GONE: Message = {"type": "http.disconnect"}


class Service:
    """Carries out one request at a time; each lasts until it is let go."""

    def __init__(self) -> None:
        self.carried_out: list[tuple[str, bytes]] = []
        self.go = asyncio.Event()
        database = Database("postgresql://u:p@127.0.0.1:1/db", "inventory")
        self.line = Line(self._serve, database, frozenset({"/ready"}), concurrency=1)

    async def _serve(self, scope: Scope, receive: Receive, _send: Send) -> None:
        self.carried_out.append((scope["path"], (await receive())["body"]))
        if scope["path"] != "/ready":
            await self.go.wait()

    def send(self, path: str, *then: Message) -> "asyncio.Task[None]":
        """Send a request; `then` is what the connection tells after its body, else nothing comes."""
        told: Iterator[Message] = iter((BODY, *then))

        async def receive() -> Message:
            for message in told:
                return message
            return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return] # never

        async def sent(_message: Message) -> None:
            pytest.fail("it was answered")

        return asyncio.create_task(self.line({"type": "http", "path": path}, receive, sent))


async def test_a_request_whose_caller_is_gone_when_its_turn_comes_is_left_out() -> None:
    service = Service()
    requests = [service.send("/1"), service.send("/2", GONE), service.send("/3"), service.send("/ready")]
    await requests[-1]
    service.go.set()
    await asyncio.gather(*requests)
    assert service.carried_out == [("/1", b"{}"), ("/ready", b"{}"), ("/3", b"{}")]
