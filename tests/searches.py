"""The engine's searches as a cluster's are: behind the engine, each kind of record by itself, or of another disk.

A cluster's searches read indices of their own, which an exporter fills a second or more after the engine has written
its log. They stand still while the exporter does, and outlive the engine's disk.
"""

import asyncio
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self, cast

import httpx
import pytest

from saga.clients.addresses import Addresses
from saga.engine import rest
from saga.engine.access import Access, ASGIApp, Receive, Send
from saga.engine.projection import Replica
from saga.engine.web import HttpServer
from saga.engine.writer import Writer
from saga.stack import stack as embedded
from tests.asgi import Message, body_of
from tests.stack import Stack

LAGS = [
    pytest.param(0.0, id="at-once", marks=pytest.mark.proof),
    pytest.param(0.3, id="lagging"),
    pytest.param(1.5, id="lagging-as-a-cluster-does", marks=pytest.mark.proof),
]
"""Seconds by which searches lag in tests that run each way: the engine's own do not, a cluster's do, by 1.5.

What holds with a lag is the harder claim: `make test` runs a short one, `make proof` all of them.
"""
_STEP = 0.1
"""Seconds between two looks at the log."""
_TIMEOUT = 60.0
"""Seconds for a thread to begin or to end."""
_NOBODY = cast("Writer", None)
"""Searches need no writer."""


class RestProxy:
    """A way to an engine's REST API; what is asked over it may be answered in another way.

    It has a thread and a loop of its own: tests call commands in their loop and wait for them.
    """

    def __init__(self, target: str) -> None:
        """`target` is the engine's base URL."""
        self.looks: Counter[str] = Counter()
        """How many requests came, by their path."""
        self._target = target
        self._begun = threading.Event()

    async def __aenter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._server = HttpServer(self, listening)
        self._thread = threading.Thread(target=asyncio.run, args=(self._run(),), daemon=True)
        self._thread.start()
        assert await asyncio.to_thread(self._begun.wait, _TIMEOUT)
        return self

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Be the application that the server serves."""
        self.looks[scope["path"]] += 1
        await self.answer(scope, receive, send)

    async def __aexit__(self, *_: object) -> None:
        self._server.should_exit = True
        await asyncio.to_thread(self._thread.join, _TIMEOUT)

    async def _run(self) -> None:
        # A server may close a kept connection just when it is used again.
        limits = httpx.Limits(max_keepalive_connections=0)
        async with httpx.AsyncClient(timeout=60.0, trust_env=False, limits=limits) as self._engine, self.working():
            self._begun.set()
            await self._server.begin()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Do what is to be done while it answers."""
        yield

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request."""
        reply = await self.reply(scope, receive)
        kept = [(b"content-type", reply.headers.get("content-type", "").encode())]
        await send({"type": "http.response.start", "status": reply.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": reply.content})

    async def reply(self, scope: Message, receive: Receive) -> httpx.Response:
        """Return what the engine replies to a request."""
        headers = [(name, value) for name, value in scope["headers"] if name not in {b"host", b"connection"}]
        url = httpx.URL(self._target, path=scope["path"], query=scope["query_string"])
        return await self._engine.request(scope["method"], url, content=await body_of(receive), headers=headers)


class LaggingSearches(RestProxy):
    """The v2 API of an engine whose log is at `log`: searches show its records late, commands go to `target` at once.

    `target` is the base URL of an engine's own REST API; that engine may have another log.
    """

    def __init__(self, log: Path, target: str, lag: float = 0.0, **by_type: float) -> None:
        """Show records `lag` seconds late, and those of a value type in `by_type`, such as `INCIDENT=3`, by its own."""
        super().__init__(target)
        self._log_uri = f"{log.as_uri()}?mode=ro"
        self._lag = lag
        self._by_type = by_type
        self._seen: deque[tuple[float, int]] = deque()
        """When the log's end was at which position, as far back as anything lags."""
        self._held = False

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        with closing(Replica(self._log_uri)) as self._replica:
            self._searches: ASGIApp = rest.app(_NOBODY, self._replica.reader, Access())
            # What was there before has long been shown.
            self._seen.append((0.0, self._replica.position()))
            self._show()
            following = asyncio.create_task(self._follow())
            try:
                yield
            finally:
                following.cancel()

    async def answer(self, scope: Message, receive: Receive, send: Send) -> None:
        is_question = scope["method"] == "GET" or scope["path"].endswith("/search")
        if is_question and scope["path"] != "/v2/topology":
            await self._searches(scope, receive, send)
        else:
            await super().answer(scope, receive, send)

    def hold(self) -> None:
        """Let the searches stand still."""
        self._held = True

    def release(self) -> None:
        """Let the searches go on."""
        self._held = False

    async def _follow(self) -> None:
        while True:
            if not self._held:
                self._show()
            await asyncio.sleep(_STEP)

    def _show(self) -> None:
        now = time.monotonic()
        self._seen.append((now, self._replica.position()))
        oldest = now - max(self._lag, *self._by_type.values(), 0)
        while len(self._seen) > 1 and self._seen[1][0] <= oldest:
            self._seen.popleft()
        late = {each: self._at(now - lag) for each, lag in self._by_type.items()}
        self._replica.show(self._at(now - self._lag), late)

    def _at(self, moment: float) -> int:
        """Return where the log's end was at a moment."""
        return max(position for seen, position in self._seen if seen <= moment)


@asynccontextmanager
async def searching(stack: Stack, lag: float) -> AsyncIterator[tuple[Stack, Addresses]]:
    """Return a running stack whose commands ask searches that lag, and its addresses; its parts ask the engine."""
    addresses = Addresses.of(stack.offset)
    if not lag:
        yield stack, addresses
        return
    async with LaggingSearches(log_of(stack), addresses.rest or "", lag) as searches:
        yield asking(stack, searches), replace(addresses, rest=searches.url)


def asking(stack: Stack, searches: LaggingSearches) -> Stack:
    """Return a running stack whose commands ask these searches."""
    other = copy(stack)
    other.environment = {**stack.environment, "CAMUNDA_REST_ADDRESS": searches.url}
    return other


def log_of(stack: Stack) -> Path:
    """Return the log of a stack's engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SAGA_HOME", stack.environment["SAGA_HOME"])
        return embedded.Stack(stack.offset).layout.engine / "engine.sqlite"
