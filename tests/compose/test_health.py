"""The health checks' commands: what they say of a process that does not answer, or answers that it is not ready."""

import asyncio
from pathlib import Path

import httpx
import pytest

from saga.clients.ports import HOST
from tests.compose.composefile import ComposeFile
from tests.compose.image import Image
from tests.compose.processes import Processes

pytestmark = pytest.mark.proof  # The image is built for it, as its Dockerfile says.

_PARTICIPANTS = {"orders": 8101, "inventory": 8102, "payment": 8103, "shipping": 8104}
_CHECKED = {"engine": 9600, **_PARTICIPANTS, "card-processor": 8105, "workers": 8100, "reconciler": 8110}
"""The containers whose check runs on this machine, and the port that it asks."""


@pytest.fixture
def processes(compose: ComposeFile, image: Image, tmp_path: Path) -> Processes:
    return Processes(compose, image, tmp_path)


@pytest.mark.parametrize("name", _CHECKED)
async def test_a_container_that_does_not_answer_is_not_healthy(name: str, processes: Processes) -> None:
    assert not await _is_healthy(name, processes)


@pytest.mark.parametrize("name", _CHECKED)
@pytest.mark.parametrize(("status", "healthy"), [("200 OK", True), ("503 Service Unavailable", False)])
async def test_a_container_is_healthy_only_when_it_says_that_it_is_ready(
    name: str, status: str, *, healthy: bool, processes: Processes
) -> None:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readline()).decode().split()[1])
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, HOST, processes.port(name, _CHECKED[name])):
        assert await _is_healthy(name, processes) is healthy
    assert asked == ["/ready"]


async def _is_healthy(name: str, processes: Processes) -> bool:
    async with httpx.AsyncClient() as client:
        return await processes.healthy(name)(client)
