"""Every HTTP client of ours, before somebody who answers without an end: the status counts, and little is read."""

import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from pydantic import HttpUrl, SecretStr

from saga.clients.failure import Failure
from saga.clients.participant import Participant
from saga.clients.rest import RestClient
from saga.common.responses import MOST, fetch, media_type, retry_after, why_unread
from saga.common.tokens import Tokens
from saga.kit import Broken, Receipt, Service, Unavailable
from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Complete
from saga.kit.definition.registry import discover_sagas
from saga.kit.execution.doubt import Doubt
from saga.kit.execution.middleware import JobOutcome
from saga.kit.gateway.credentials import ClientCredentials, NoToken
from saga.operations.reconcile.doubts import Reporter
from services.participant.database import Database
from services.participant.problems import Problem
from services.participant.relay import Relay
from services.payment.processor import CardProcessor

ENDLESS = 128 * MOST
"""Bytes after which even the fake gives up."""
TOKENS = Tokens({"TOKEN_READ": "t", "TOKEN_CARD_PROCESSOR": "t", "TOKEN_RECORD_EVENTS": "t"})


class Paid(Receipt):
    payment_id: str


class Endless:
    """Answers each request with `status`, and a body until the connection is closed."""

    def __init__(self) -> None:
        self.status = 502
        self.trickles = False
        self.sent = 0
        self.ended = asyncio.Event()
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(f"HTTP/1.1 {self.status} Scripted\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
            part = b"x" if self.trickles else b"x" * 65_536
            while self.sent < ENDLESS and not reader.at_eof():
                writer.write(b"%x\r\n%s\r\n" % (len(part), part))
                await writer.drain()
                self.sent += len(part)
                await asyncio.sleep(0.05 if self.trickles else 0)
        self.ended.set()
        writer.close()


@pytest.fixture
async def endless() -> AsyncIterator[Endless]:
    endless = Endless()
    server = await asyncio.start_server(endless.answer, "127.0.0.1", 0)
    endless.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield endless
    server.close()


async def by_a_step(http: httpx.AsyncClient) -> None:
    service = Service("payment", http, "4711/process-payment", "1/2", lambda *_, **__: "t")
    with pytest.raises(Unavailable, match="payment answered 502"):
        await service.put("/payments/4711", Paid)


async def by_a_command(http: httpx.AsyncClient) -> None:
    with pytest.raises(Failure, match=r"payment at .* answers 502"):
        await Participant("payment", http, TOKENS).ask("read", "GET", "/payments/4711")


async def by_the_rest_client(http: httpx.AsyncClient) -> None:
    client = RestClient(str(http.base_url))
    with pytest.raises(Failure, match="502"):
        await client.get("/v2/topology")
    await client.close()


async def by_payment(http: httpx.AsyncClient) -> None:
    with pytest.raises(Problem, match="OUTCOME_UNKNOWN"):
        await CardProcessor(http, TOKENS).ask("4711")


async def by_the_relay(http: httpx.AsyncClient) -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/none", "payment")
    relay = Relay(database, f"{http.base_url}/events", tokens=TOKENS, retention=timedelta(days=1))
    failed = await relay._post(http, ["{}"])  # noqa: SLF001 - one delivery without a database
    assert failed is not None
    assert failed.status == 502
    await database.close()


async def by_the_oauth_client(http: httpx.AsyncClient) -> None:
    credentials = ClientCredentials(HttpUrl(str(http.base_url)), "workers", SecretStr("s"), "engine", None)
    with pytest.raises(NoToken, match="answers 502"):
        await asyncio.to_thread(credentials.bearer)


async def by_the_reporter(http: httpx.AsyncClient) -> None:
    reporter = Reporter(http, discover_sagas())
    job = Job(1, "accept-order", 1, 1, "p", "e", 1, 0.0, variables='{"orderId": "4711"}')
    reporter.ended(JobOutcome(job, Complete("{}"), Doubt.UNANSWERED, 0.0))
    await reporter.close()


CLIENTS = [
    *(by_a_step, by_a_command, by_the_rest_client, by_payment, by_the_relay, by_the_oauth_client, by_the_reporter)
]


@pytest.mark.parametrize("client", CLIENTS)
async def test_an_answer_without_an_end_is_judged_by_its_status_and_not_read(
    endless: Endless, client: Callable[[httpx.AsyncClient], Awaitable[None]]
) -> None:
    async with httpx.AsyncClient(base_url=endless.url, timeout=4.0) as http:
        await client(http)
        async with asyncio.timeout(5.0):
            await endless.ended.wait()
    assert endless.sent < ENDLESS / 2


@pytest.mark.parametrize("coding", ["gzip", "br", "GZip"])
@pytest.mark.parametrize(("status", "error"), [(502, Unavailable), (200, Broken)])
async def test_an_answer_in_a_coding_that_nobody_asked_for_is_judged_by_its_status_and_not_unpacked(
    coding: str, status: int, error: type[Exception]
) -> None:
    bomb = gzip.compress(b"x" * 4 * MOST)
    unpacked: list[httpx.Request] = []

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield bomb

    def answer(request: httpx.Request) -> httpx.Response:
        unpacked.append(request)
        return httpx.Response(status, headers={"Content-Encoding": coding}, stream=Body())

    async with client_of(answer) as http:
        service = Service("payment", http, "4711/process-payment", "1/2", lambda *_, **__: "t")
        with pytest.raises(error, match=str(status)):
            await service.put("/payments/4711", Paid)
    assert unpacked[0].headers["Accept-Encoding"] == "identity"


async def test_a_receipt_beyond_the_bound_is_an_incident_that_says_so(endless: Endless) -> None:
    endless.status = 200
    async with httpx.AsyncClient(base_url=endless.url) as http:
        service = Service("payment", http, "4711/process-payment", "1/2", lambda *_, **__: "t")
        with pytest.raises(Broken, match="payment answered 200 with a body of more than 1 MB"):
            await service.put("/payments/4711", Paid)


async def test_an_answer_that_trickles_ends_at_a_deadline_over_all(
    endless: Endless,
) -> None:
    endless.trickles = True
    async with httpx.AsyncClient(base_url=endless.url) as http:
        begin = time.monotonic()
        with pytest.raises(httpx.ReadTimeout):
            await fetch(http, "GET", "/", deadline=0.3)
        assert time.monotonic() - begin < 3.0


async def test_a_body_of_just_the_bound_is_read() -> None:
    async with client_of(lambda _: httpx.Response(200, content=b"x" * MOST)) as http:
        response = await fetch(http, "GET", "/")
        assert len(response.content) == MOST
        assert why_unread(response) is None
        assert why_unread(await fetch(http, "GET", "/", most=MOST - 1))


@pytest.mark.parametrize(
    "value", ["application/problem+json", "Application/Problem+JSON", " application/problem+json ;x=y"]
)
def test_a_media_type_is_read_without_case_and_parameters(value: str) -> None:
    assert media_type(httpx.Response(409, headers={"Content-Type": value})) == "application/problem+json"


@pytest.mark.parametrize(("ahead", "least", "most"), [(30, 25.0, 30.0), (-30, 0.0, 0.0), (1000, 300.0, 300.0)])
def test_a_wish_to_be_asked_later_may_be_a_date(ahead: float, least: float, most: float) -> None:
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=ahead), usegmt=True)
    seconds = retry_after(httpx.Response(503, headers={"Retry-After": at}), 300.0)
    assert seconds is not None
    assert least <= seconds <= most


@asynccontextmanager
async def client_of(answer: Callable[[httpx.Request], httpx.Response]) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url="http://participant.test", transport=httpx.MockTransport(answer)) as http:
        yield http
