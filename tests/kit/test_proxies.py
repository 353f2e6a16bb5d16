"""Proxies of the environment: none of them stands before this machine, and one in the way of another is named."""

import ast
import asyncio
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import grpc
import httpx
import pytest

from saga.clients.addresses import Addresses
from saga.clients.environment import read
from saga.clients.failure import Failure
from saga.clients.participant import Participant
from saga.clients.rest import RestClient
from saga.clients.zeebe import engine
from saga.common.http_clients import open_client, proxy_hint
from saga.common.responses import fetch
from saga.common.tokens import Tokens
from saga.kit.gateway.connection import oauth, open_channel, stub
from saga.kit.gateway.credentials import NoToken
from saga.kit.gateway.proto import pb
from saga.kit.settings import EngineSettings
from tests.kit.gateway import ScriptedGateway, serving
from tests.kit.tokens import FakeTokenServer

ROOT = Path(__file__).parents[2]
NAMES = ("grpc_proxy", "http_proxy", "https_proxy", "all_proxy", "no_proxy", "no_grpc_proxy")
DEAD = "http://127.0.0.1:9"
AMBIENT = {
    "http": {"http_proxy": DEAD, "https_proxy": DEAD},
    "socks": {"all_proxy": "socks5://127.0.0.1:9"},
    "none of the kinds": {"all_proxy": "carrier-pigeon://loft"},
    "upper case": {"HTTP_PROXY": DEAD, "HTTPS_PROXY": DEAD, "ALL_PROXY": DEAD},
}


@pytest.fixture(autouse=True)
def no_ambient_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=AMBIENT.values(), ids=list(AMBIENT))
def ambient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in request.param.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server() -> Iterator[str]:
    """A server on this machine that answers everything with an empty object."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://localhost:{http.server_port}"
        http.shutdown()
        thread.join()


@pytest.mark.usefixtures("ambient")
async def test_this_machine_is_never_asked_through_a_proxy_by_http(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_client(server) as http:
        assert (await fetch(http, "GET", "/")).status_code == 200
    rest = RestClient(server)
    assert await rest.get("/v2/topology") is not None
    await rest.close()
    monkeypatch.setenv("ORDERS_URL", server)
    async with Participant.at(Addresses.of(0), "orders", Tokens({"TOKEN_READ": "t" * 43})) as orders:
        assert (await orders.ask("read", "GET", "/")).is_success


@pytest.mark.usefixtures("ambient")
def test_an_oauth_server_on_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTokenServer()
    _set_oauth(monkeypatch, fake.url)
    token = oauth(read(EngineSettings))
    assert token
    assert token.bearer().startswith("Bearer ")
    fake.close()


@pytest.mark.usefixtures("ambient")
async def test_an_engine_on_this_machine_is_never_asked_through_a_proxy(
    gateway: ScriptedGateway,
) -> None:
    async with serving(gateway) as address, open_channel(EngineSettings(ZEEBE_ADDRESS=address)) as channel:
        request = pb.PublishMessageRequest(name="OrderPlaced", correlationKey="4711")
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(channel).PublishMessage(request, timeout=5)
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED, "it was reached"


async def test_a_proxy_in_the_way_of_another_machine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://user:hunter2@127.0.0.1:9")
    monkeypatch.setenv("ORDERS_URL", "http://orders.example")
    named = r"http_proxy names a proxy for orders\.example, http://127\.0\.0\.1:9: .* add orders\.example to NO_PROXY"
    async with Participant.at(Addresses.of(0), "orders", Tokens({"TOKEN_READ": "t" * 43})) as orders:
        with pytest.raises(Failure, match=named) as failure:
            await orders.ask("read", "GET", "/")
    assert "hunter2" not in str(failure.value)
    rest = RestClient("http://engine.example")
    with pytest.raises(Failure, match="http_proxy names a proxy for engine"):
        await rest.get("/v2/topology")
    await rest.close()
    _set_oauth(monkeypatch, "http://login.example/token")
    token = oauth(read(EngineSettings))
    assert token
    with pytest.raises(NoToken, match="http_proxy names a proxy for login"):
        await asyncio.to_thread(token.bearer)


async def test_a_proxy_in_the_way_of_the_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", DEAD)
    monkeypatch.setenv("ZEEBE_ADDRESS", "grpc://engine.example:26500")
    with pytest.raises(Failure, match=r"https_proxy names a proxy for engine\.example"):
        async with engine(Addresses.of(0)) as client:
            await client.topology()


async def test_a_proxy_of_an_unknown_kind_fails_the_request_and_not_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    async with open_client("http://orders.example") as http:
        with pytest.raises(httpx.ProxyError, match="ALL_PROXY names a proxy that is not supported"):
            await http.get("http://orders.example")


def test_a_proxy_that_the_host_needs_not_is_no_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", DEAD)
    monkeypatch.setenv("no_proxy", "example")
    assert not proxy_hint("http://orders.example")
    assert not proxy_hint("http://127.0.0.2")
    assert proxy_hint("http://orders.org")


def test_every_http_client_is_opened_where_its_proxy_is_decided() -> None:
    """`transport` and `trust_env=False` leave the environment out."""
    calls = [
        (path, call)
        for package in ("services", "workers")
        for path in (ROOT / package).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in {"httpx.AsyncClient", "httpx.Client"}
    ]
    assert calls
    ambient = [
        path.name
        for path, call in calls
        if path.name != "http_clients.py" and not {each.arg for each in call.keywords} & {"transport", "trust_env"}
    ]
    assert ambient == []


def _set_oauth(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("CAMUNDA_OAUTH_URL", url)
    monkeypatch.setenv("CAMUNDA_TOKEN_AUDIENCE", "engine")
    monkeypatch.setenv("CAMUNDA_CLIENT_ID", "workers")
    monkeypatch.setenv("CAMUNDA_CLIENT_SECRET", "s3cret")
