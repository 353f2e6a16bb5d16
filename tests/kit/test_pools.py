"""Connections to a participant: many small pools that behave as one."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from saga.common.pools import Pools
from tests.kit.bench import until
from tests.world import eventually


class Participant:
    """Counts connections and requests, and answers when a test says so."""

    def __init__(self) -> None:
        self.connections = 0
        self.open = 0
        self.waiting = 0
        self.go = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        try:
            yield f"http://{host}:{port}"
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                self.waiting += 1
                await self.go.wait()
                self.waiting -= 1
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except asyncio.IncompleteReadError:
            writer.close()
            self.open -= 1


async def test_as_many_requests_are_on_their_way_at_once_as_there_are_connections() -> None:
    participant = Participant()
    async with (
        participant.serving() as url,
        httpx.AsyncClient(base_url=url, transport=Pools(64), timeout=30.0) as http,
    ):
        asked = [asyncio.create_task(http.get("/")) for _ in range(80)]
        await until(lambda: participant.waiting == 64)
        participant.go.set()
        assert [answer.text for answer in await asyncio.gather(*asked)] == ["ok"] * 80
        assert participant.connections == 64


async def test_connections_are_used_again() -> None:
    participant = Participant()
    participant.go.set()
    async with participant.serving() as url, httpx.AsyncClient(base_url=url, transport=Pools(64)) as http:
        for _ in range(20):
            await http.get("/")
    assert participant.connections == 1


async def test_the_connections_of_a_burst_are_closed_when_they_were_idle_for_a_while() -> None:
    participant, pools = Participant(), Pools(64, idle_timeout=0.5)
    async with participant.serving() as url, httpx.AsyncClient(base_url=url, transport=pools) as http:
        burst = [asyncio.create_task(http.get("/")) for _ in range(40)]
        await until(lambda: participant.waiting == 40)
        assert participant.open == 40
        participant.go.set()
        await asyncio.gather(*burst)

        async def now_and_then() -> int:
            await http.get("/")
            return participant.open

        await eventually(now_and_then, lambda count: count == 1, seconds=10)


async def test_a_participant_that_is_away_is_told_as_that() -> None:
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9", transport=Pools(64)) as http:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await http.get("/")
