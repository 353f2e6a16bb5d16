"""An engine in this process, with REST before it and no network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from saga.engine import projection, rest
from saga.engine.access import Access, ASGIApp
from saga.engine.core import Engine
from saga.engine.log import Log
from saga.engine.recovery import recover
from saga.engine.writer import Writer
from tests.engine.rest import diagrams, filled

ADDRESS = "http://127.0.0.1:8080"


class Service:
    """A running engine, by its REST."""

    def __init__(self, writer: Writer, application: ASGIApp, client: httpx.AsyncClient, log_uri: str) -> None:
        self.log_uri = log_uri
        self.writer = writer
        self.application = application
        self.client = client

    async def request(self, method: str, path: str, body: Any = None) -> httpx.Response:  # noqa: ANN401 - any JSON
        return await self.client.request(method, f"/v2/{path}", json=body)

    async def get(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        response = await self.request("GET", path)
        assert response.status_code == 200, response.text
        return response.json()

    async def post(self, path: str, body: Any = None, status: int = 200) -> Any:  # noqa: ANN401 - any JSON
        response = await self.request("POST", path, body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    async def search(self, things: str, **filters: object) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.post(f"{things}/search", {"filter": filters}))["items"]
        return items

    async def deploy(self, *files: tuple[str, bytes]) -> dict[str, Any]:
        parts = [("resources", (name, content, "application/octet-stream")) for name, content in files]
        response = await self.client.post("/v2/deployments", files=parts)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def start(self, process_id: str, **variables: object) -> str:
        """Start an instance and return its key."""
        created = await self.post("process-instances", {"processDefinitionId": process_id, "variables": variables})
        key: str = created["processInstanceKey"]
        return key

    async def job(self, job_type: str) -> dict[str, Any]:
        """Activate the one job of a type that there is."""
        body = {"type": job_type, "timeout": 60_000, "maxJobsToActivate": 1, "requestTimeout": -1}
        (job,) = (await self.post("jobs/activation", body))["jobs"]
        assert isinstance(job, dict)
        return job


@asynccontextmanager
async def serving(*, controlled_clock: bool = False, retention: int | None = None) -> AsyncIterator[Service]:
    """Run an engine in memory."""
    log = Log(None, projection)
    engine = Engine()
    recover(log, engine, now=1_700_000_000_000, first_key=0)
    writer = Writer(engine, log, retention=retention)
    run = asyncio.create_task(writer.run())
    reader = projection.Reader.of_uri(log.reader_uri)
    application = rest.app(writer, reader, Access(), controlled_clock=controlled_clock)
    transport = httpx.ASGITransport(app=application)
    try:
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
            yield Service(writer, application, client, log.reader_uri)
    finally:
        writer.stop()
        writer.close()
        await run
        reader.close()
        log.close()


@pytest.fixture
async def engine() -> AsyncIterator[Service]:
    """An engine of the test's own, with a process of each kind of wait."""
    async with serving() as service:
        await service.deploy(*diagrams.FILES)
        yield service


@pytest.fixture(scope="module")
async def quiet_engine() -> AsyncIterator[Service]:
    """One engine for all tests of a module that change nothing in it."""
    async with serving() as service:
        await service.deploy(*diagrams.FILES)
        yield service


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """REST before tables that were filled by hand; it takes no commands."""
    async with filled.asking() as client:
        yield client
