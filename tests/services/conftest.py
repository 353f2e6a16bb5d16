import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
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
from services.kit.server import make_server
from tests.services.participant import Participant, Participants
from tests.services.postgres import Admin, Postgres
from tests.services.processor import PROCESSOR_TOKEN, Books, CardProcessor

Logged: TypeAlias = Callable[[], list[dict[str, object]]]
"""Returns the lines that were logged."""


@asynccontextmanager
async def running(
    name: str, role_url: str, environment: Mapping[str, str] | None = None, *, port: int = 0
) -> AsyncIterator[Participant]:
    """Run the service on a free port, in this process but over real HTTP; `environment` is for its start."""
    database = Database(role_url, name)
    server = make_server(name, database)
    with socket.create_server(("127.0.0.1", port)) as listener:
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in (environment or {}).items():
                patch.setenv(variable, value)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.001)
        port = listener.getsockname()[1]
        limits = httpx.Limits(max_connections=200)
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, limits=limits) as http:
                yield Participant(http)
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
async def participants(
    role_urls: dict[str, str], monkeypatch_session: pytest.MonkeyPatch
) -> AsyncIterator[Participants]:
    monkeypatch_session.setenv("TOKEN_CARD_PROCESSOR", PROCESSOR_TOKEN)
    async with AsyncExitStack() as stack:
        card_processor = await stack.enter_async_context(running("card_processor", role_urls["card_processor"]))
        address = {"CARD_PROCESSOR_URL": str(card_processor.http.base_url)}
        others = {
            name: await stack.enter_async_context(running(name, url, address))
            for name, url in role_urls.items()
            if name != "card_processor"
        }
        yield {"card_processor": card_processor, **others}


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
def card_processor(participants: Participants, admin: Admin) -> CardProcessor:
    return CardProcessor(participants["card_processor"].http, admin)


@pytest.fixture
def books(admin: Admin, card_processor: CardProcessor) -> Books:
    return Books(admin, card_processor)


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
