"""The engine's searches as a cluster's are: behind the engine, each kind of record by itself, or of another disk.

A cluster's searches read indices of their own, which an exporter fills a second or more after the engine has written
its log. They stand still while the exporter does, and outlive the engine's disk.
"""

import asyncio
import socket
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Self, cast

import httpx
import pytest

from tests.asgi import Message, body_of
from tests.stack import Stack
from workers.addresses import Addresses
from workers.cluster import stack as embedded
from workers.engine import rest
from workers.engine.access import Access, ASGIApp, Receive, Send
from workers.engine.projection import Replica
from workers.engine.web import HttpServer
from workers.engine.writer import Writer

LAGS = (0.0, 1.5)
"""Seconds by which searches lag in tests that run both ways: the engine's own do not, a cluster's do."""
_STEP = 0.1
"""Seconds between two looks at the log."""
_NOBODY = cast("Writer", None)
"""Searches need no writer."""


class LaggingSearches:
    """The v2 API of an engine whose log is at `log`: searches show its records late, commands go to `target` at once.

    `target` is the base URL of an engine's own REST API; that engine may have another log.
    """

    def __init__(self, log: Path, target: str, lag: float = 0.0, **by_type: float) -> None:
        """Show records `lag` seconds late, and those of a value type in `by_type`, such as `INCIDENT=3`, by its own."""
        self.looks: Counter[str] = Counter()
        """How many questions were answered, by their path."""
        self._log_uri = f"{log.as_uri()}?mode=ro"
        self._target = target
        self._lag = lag
        self._by_type = by_type
        self._seen: deque[tuple[float, int]] = deque([(0.0, 0)])
        """When the log's end was at which position, as far back as anything lags."""
        self._held = False

    async def __aenter__(self) -> Self:
        self._replica = Replica(self._log_uri)
        self._searches: ASGIApp = rest.app(_NOBODY, self._replica.reader, Access())
        self._engine = httpx.AsyncClient(base_url=self._target, timeout=60.0, trust_env=False)
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self._server = HttpServer(self._answer, listening)
        self._serving = self._server.begin()
        # What was there before has long been shown.
        self._seen[0] = (0.0, self._replica.position())
        self._replica.show(self._seen[0][1])
        self._following = asyncio.create_task(self._follow())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._following.cancel()
        self._server.should_exit = True
        await self._serving
        await self._engine.aclose()
        self._replica.close()

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

    async def _answer(self, scope: Message, receive: Receive, send: Send) -> None:
        is_question = scope["method"] == "GET" or scope["path"].endswith("/search")
        if is_question and scope["path"] != "/v2/topology":
            self.looks[scope["path"]] += 1
            await self._searches(scope, receive, send)
            return
        await self._forward(scope, receive, send)

    async def _forward(self, scope: Message, receive: Receive, send: Send) -> None:
        headers = [(name, value) for name, value in scope["headers"] if name not in {b"host", b"connection"}]
        url = httpx.URL(self._target, path=scope["path"], query=scope["query_string"])
        reply = await self._engine.request(scope["method"], url, content=await body_of(receive), headers=headers)
        kept = [(b"content-type", reply.headers.get("content-type", "").encode())]
        await send({"type": "http.response.start", "status": reply.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": reply.content})


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
