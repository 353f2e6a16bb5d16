"""A worker's own HTTP face: where it listens, and what it answers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
import pytest

from saga.kit.observability.health import Health, HealthServer, Receiver
from tests.stack import free_port


@asynccontextmanager
async def serving(host: str, messages: Mapping[str, Receiver] | None = None) -> AsyncIterator[httpx.AsyncClient]:
    async def health() -> Health:
        return Health(ready=True, unreachable=[])

    async def metrics() -> bytes:
        return b"a 1\n"

    port = free_port()
    server = HealthServer(host, port, health, metrics, messages)
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        yield http
    server.should_exit = True
    await running


@pytest.mark.parametrize("host", ["::", "127.0.0.1"])
async def test_probes_are_answered_over_ipv4_and_to_a_head(host: str) -> None:
    async with serving(host) as http:
        for path in ("/live", "/ready", "/metrics"):
            got, headed = await http.get(path), await http.head(path)
            assert (got.status_code, headed.status_code, headed.content) == (200, 200, b"")
            assert headed.headers["content-length"] == str(len(got.content))
        assert (await http.get("/metrics")).headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


async def test_what_is_not_there_is_404_and_a_wrong_method_405() -> None:
    async with serving("127.0.0.1", {"/notes": bool}) as http:
        for path in ("/live/", "/", "/other"):
            answer = await http.get(path)
            assert (answer.status_code, answer.json()) == (404, {})
        assert (await http.post("/live")).status_code == 405
        assert (await http.get("/notes")).status_code == 405


@pytest.mark.parametrize(
    ("body", "status", "received"),
    [(b"x" * 4096, 202, [b"x" * 4096]), (b"x" * 4097, 400, []), (b"x" * 10**6, 400, []), (b"", 400, [b""])],
    ids=["as long as is read", "longer", "much longer", "refused"],
)
async def test_a_message_is_taken_within_its_bounds_and_where_its_receiver_takes_it(
    body: bytes, status: int, received: list[bytes]
) -> None:
    seen: list[bytes] = []

    def take(body: bytes) -> bool:
        seen.append(body)
        return bool(body)

    async with serving("127.0.0.1", {"/notes": take}) as http:
        answer = await http.post("/notes", content=body)
    assert (answer.status_code, answer.json(), seen) == (status, {}, received)
