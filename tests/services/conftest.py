import asyncio
import io
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import httpx
import pytest
import structlog
from sqlalchemy import make_url

import services
from saga.common.logs import configure_logging
from saga.common.tokens import Tokens
from services.participant.auth import Callers, callers_of
from services.participant.database import TIMEOUTS, Database, DatabaseTimeouts
from services.participant.limits import BOUNDS, RequestBounds
from services.participant.provisioning import provision
from services.participant.relay import Relay, RelayTimes
from services.participant.server import make_server, router_of
from services.participant.settings import LimitSettings
from tests.proxy import HoldingProxy, proxy_before
from tests.services.participant import OwnToken, Participant, Participants, known_to, token
from tests.services.postgres import Admin, Postgres
from tests.services.processor import PROCESSOR_TOKEN, Books, CardProcessor

Logged: TypeAlias = Callable[[], list[dict[str, object]]]
"""Returns the lines that were logged."""


PATIENT = DatabaseTimeouts(connect=20.0)
"""On a machine that does much else a connection may take longer than a service waits in production."""
SOON = RelayTimes(poll=0.1)
"""What commits out of order, or after another process led, is seen by the next look only."""
RELAY_TOKENS = Tokens({"TOKEN_RECORD_EVENTS": token("record-events")})


@asynccontextmanager
async def running(
    name: str,
    role_url: str,
    environment: Mapping[str, str] | None = None,
    *,
    port: int = 0,
    tokens: Tokens | None = None,
    limits: LimitSettings | None = None,
    events_url: str | None = None,
    relay_tokens: Tokens = RELAY_TOKENS,
    relay_times: RelayTimes = SOON,
    bounds: RequestBounds = BOUNDS,
    timeouts: DatabaseTimeouts = TIMEOUTS,
) -> AsyncIterator[Participant]:
    """Run the service in this process but over real HTTP; its relay too, where `events_url` is given.

    `environment` is for its start.
    """
    database = Database(role_url, name, timeouts)
    router = router_of(name)
    limits = limits or LimitSettings(rate_limit=1_000_000)
    callers = Callers(callers_of(router), tokens or known_to(router))
    server = make_server(name, router, database, callers, limits, bounds)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(database.close)
        listener = stack.enter_context(socket.create_server(("127.0.0.1", port)))
        if events_url:
            relay = Relay(database, events_url, tokens=relay_tokens, retention=limits.retention, times=relay_times)
            await stack.enter_async_context(relay.running())
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in (environment or {}).items():
                patch.setenv(variable, value)
            serving = asyncio.create_task(server.serve(sockets=[listener]))
            while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells nobody
                await asyncio.sleep(0.001)
        pool = httpx.Limits(max_connections=200)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            async with httpx.AsyncClient(base_url=url, timeout=20, limits=pool, auth=OwnToken(router)) as http:
                yield Participant(http, router)
        finally:
            server.should_exit = True
            await serving


@dataclass(frozen=True)
class OwnDatabase:
    """A database that no other test sees: as new as a first start leaves it."""

    url: str
    """An administrator's."""
    admin: Admin
    role_urls: dict[str, str]

    async def connect(self) -> Admin:
        """Open another connection of an administrator's."""
        return await asyncpg.connect(self.url)


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[Postgres]:
    server = Postgres()
    await server.start()
    yield server
    server.remove()


@pytest.fixture(scope="module")
async def mortal() -> AsyncIterator[Postgres]:
    """A database server of its own, which a test may kill."""
    server = Postgres()
    await server.start()
    for name in services.participants():
        await provision(name, server.url())
    yield server
    server.remove()


@pytest.fixture
async def own_postgres() -> AsyncIterator[Postgres]:
    """A server of a test's own, which it may stop or suspend."""
    server = Postgres()
    await server.start()
    yield server
    server.remove()


@pytest.fixture(scope="session")
async def role_urls(postgres: Postgres) -> dict[str, str]:
    return {name: await provision(name, postgres.url()) for name in services.PORTS}


@pytest.fixture(scope="session")
async def pattern_urls(postgres: Postgres) -> dict[str, str]:
    """The services' roles, at a database that nobody uses: others are copied from it."""
    connection = await asyncpg.connect(postgres.url())
    await connection.execute("CREATE DATABASE pattern")
    await connection.close()
    return {name: await provision(name, postgres.url("pattern")) for name in services.PORTS}


@pytest.fixture
async def own_database(postgres: Postgres, pattern_urls: dict[str, str], admin: Admin) -> AsyncIterator[OwnDatabase]:
    name = f"own_{uuid4().hex}"
    await admin.execute(f"CREATE DATABASE {name} TEMPLATE pattern")
    role_urls = {
        service: make_url(url).set(database=name).render_as_string(hide_password=False)
        for service, url in pattern_urls.items()
    }
    connection = await asyncpg.connect(postgres.url(name))
    yield OwnDatabase(postgres.url(name), connection, role_urls)
    await connection.close()
    await admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def admin(postgres: Postgres) -> AsyncIterator[Admin]:
    connection = await asyncpg.connect(postgres.url())
    yield connection
    await connection.close()


@pytest.fixture(scope="package")
async def participants(role_urls: dict[str, str]) -> AsyncIterator[Participants]:
    async with AsyncExitStack() as stack:
        # A payment in this process reads it at each call; a stack that other tests start would hand it to its own.
        stack.enter_context(pytest.MonkeyPatch.context()).setenv("TOKEN_CARD_PROCESSOR", PROCESSOR_TOKEN)
        card_processor = await stack.enter_async_context(
            running("card_processor", role_urls["card_processor"], timeouts=PATIENT)
        )
        address = {"CARD_PROCESSOR_URL": str(card_processor.http.base_url)}
        others = {
            name: await stack.enter_async_context(running(name, url, address, timeouts=PATIENT))
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
async def consumer(own_database: OwnDatabase) -> AsyncIterator[Participant]:
    async with running("orders", own_database.role_urls["orders"]) as orders:
        yield orders


@pytest.fixture
def way(consumer: Participant) -> Iterator[HoldingProxy]:
    """The way from the relay to the consumer."""
    with proxy_before(str(consumer.http.base_url)) as proxy:
        yield proxy


@pytest.fixture
def outbox(own_database: OwnDatabase) -> Callable[[], Awaitable[list[tuple[str, str]]]]:
    """Read the inventory's events, and how far each is."""

    async def read() -> list[tuple[str, str]]:
        rows = await own_database.admin.fetch(
            "SELECT event ->> 'id' AS id, coalesce(rejected_with::text, CASE WHEN delivered_at IS NULL THEN 'waits' "
            "ELSE 'delivered' END) AS state FROM inventory.outbox ORDER BY position"
        )
        return [(row["id"], row["state"]) for row in rows]

    return read


@pytest.fixture
def timeline(own_database: OwnDatabase) -> Callable[[], Awaitable[list[str]]]:
    """Read the ids of the events that were applied, in that order."""

    async def read() -> list[str]:
        rows = await own_database.admin.fetch("SELECT id FROM orders.timeline ORDER BY arrival")
        return [row["id"] for row in rows]

    return read


@pytest.fixture
def order_id() -> str:
    return f"order-{uuid4()}"


@pytest.fixture
def new_id() -> Callable[[], str]:
    return lambda: f"order-{uuid4()}"


@contextmanager
def logging_to(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Configure logging with `stream` as standard error, and put everything back as it was."""
    root = logging.getLogger()
    before, level = root.handlers, root.level
    monkeypatch.setattr("sys.stderr", stream)
    configure_logging("payment")
    yield
    root.handlers = before
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Logged]:
    """Configure logging into memory."""
    stream = io.StringIO()
    with logging_to(stream, monkeypatch):
        yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
