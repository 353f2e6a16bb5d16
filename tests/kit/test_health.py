"""A worker's own HTTP face: where it listens, and what it answers."""

import asyncio

import httpx
import pytest

from saga.kit.observability.health import Health, HealthServer
from tests.stack import free_port


@pytest.mark.parametrize("host", ["::", "127.0.0.1"])
async def test_probes_are_answered_over_ipv4_and_to_a_head(host: str) -> None:
    async def health() -> Health:
        return Health(ready=True, unreachable=[])

    async def metrics() -> bytes:
        return b""

    port = free_port()
    server = HealthServer(host, port, health, metrics)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        for path in ("/live", "/ready"):
            got, headed = await http.get(path), await http.head(path)
            assert (got.status_code, headed.status_code, headed.content) == (200, 200, b"")
        assert (await http.get("/live/")).status_code == 404
    server.should_exit = True
    await serving
