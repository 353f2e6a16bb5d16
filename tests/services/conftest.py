import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest
import structlog

import services
from services.kit.database import Database
from services.kit.logs import configure_logging
from services.kit.provisioning import provision
from services.kit.server import make_server, router_of
from services.kit.settings import LimitSettings
from services.kit.tokens import Tokens
from tests.services.participant import OwnToken, Participant, Participants, known_to
from tests.services.postgres import Admin, Postgres

Logged: TypeAlias = Callable[[], list[dict[str, object]]]
"""Returns the lines that were logged."""


@asynccontextmanager
async def running(
    name: str, role_url: str, *, tokens: Tokens | None = None, limits: LimitSettings | None = None
) -> AsyncIterator[Participant]:
    """Run the service on a free port, in this process but over real HTTP."""
    database = Database(role_url, name)
    router = router_of(name)
    server = make_server(name, database, tokens or known_to(router), limits or LimitSettings(rate_limit=1_000_000))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        port = listener.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        pool = httpx.Limits(max_connections=200)
        try:
            async with httpx.AsyncClient(base_url=url, timeout=20, limits=pool, auth=OwnToken(router)) as http:
                yield Participant(http, router)
        finally:
            server.should_exit = True
            await serving
            await database.close()


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    server = Postgres()
    await server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
async def role_urls(postgres: Postgres) -> dict[str, str]:
    return {name: await provision(name, postgres.url()) for name in services.PORTS}


@pytest.fixture
async def admin(postgres: Postgres) -> AsyncIterator[Admin]:
    connection = await asyncpg.connect(postgres.url())
    yield connection
    await connection.close()


@pytest.fixture(scope="session")
async def participants(role_urls: dict[str, str]) -> AsyncIterator[Participants]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(running(name, url)) for name, url in role_urls.items()}


@pytest.fixture
def orders(participants: Participants) -> Participant:
    return participants["orders"]


@pytest.fixture
def inventory(participants: Participants) -> Participant:
    return participants["inventory"]


@pytest.fixture
def payment(participants: Participants) -> Participant:
    return participants["payment"]


@pytest.fixture
def shipping(participants: Participants) -> Participant:
    return participants["shipping"]


@pytest.fixture
def order_id() -> str:
    return f"order-{uuid4()}"


@pytest.fixture
def new_id() -> Callable[[], str]:
    return lambda: f"order-{uuid4()}"


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logged]:
    """Configure logging into memory, and put everything back as it was."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("payment")
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()
