"""What the channel's settings and options bring about."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import TYPE_CHECKING
from unittest.mock import Mock

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.clients.environment import read
from saga.clients.failure import Failure
from saga.kit.gateway import connection
from saga.kit.gateway.connection import OPTIONS, open_channel, plain_text, stub
from saga.kit.gateway.credentials import ClientCredentials
from saga.kit.settings import EngineSettings
from tests.kit.gateway import ScriptedGateway, serving
from tests.world import eventually

if TYPE_CHECKING:
    from tests.kit.gateway import Context

CLIENT = {"CAMUNDA_CLIENT_ID": "workers", "CAMUNDA_CLIENT_SECRET": "s3cret"}
SAAS = {"CAMUNDA_CLUSTER_ID": "c1", "CAMUNDA_CLUSTER_REGION": "syd-1"}
OAUTH = {
    "ZEEBE_ADDRESS": "engine:443",
    "CAMUNDA_OAUTH_URL": "https://login/token",
    "CAMUNDA_TOKEN_AUDIENCE": "engine",
    "CAMUNDA_TOKEN_SCOPE": "jobs",
}
ZEEBE_NAMES = {
    "CAMUNDA_OAUTH_URL": "ZEEBE_AUTHORIZATION_SERVER_URL",
    "CAMUNDA_TOKEN_AUDIENCE": "ZEEBE_TOKEN_AUDIENCE",
    "CAMUNDA_TOKEN_SCOPE": "ZEEBE_TOKEN_SCOPE",
    "CAMUNDA_CLIENT_ID": "ZEEBE_CLIENT_ID",
    "CAMUNDA_CLIENT_SECRET": "ZEEBE_CLIENT_SECRET",
}

SAAS_OAUTH = "https://login.cloud.camunda.io/oauth/token"


def _renamed(environment: dict[str, str]) -> dict[str, str]:
    return {ZEEBE_NAMES.get(name, name): value for name, value in environment.items()}


def _settings(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> EngineSettings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read(EngineSettings)


@pytest.mark.parametrize(
    ("environment", "asked"),
    [
        (CLIENT | SAAS, ["c1.syd-1.zeebe.camunda.io:443", SAAS_OAUTH, "zeebe.camunda.io", None]),
        (CLIENT | SAAS | OAUTH, ["c1.syd-1.zeebe.camunda.io:443", "https://login/token", "engine", "jobs"]),
        (CLIENT | OAUTH, ["engine:443", "https://login/token", "engine", "jobs"]),
        (_renamed(CLIENT | OAUTH), ["engine:443", "https://login/token", "engine", "jobs"]),
    ],
)
async def test_the_oauth_server_is_the_one_that_the_environment_names(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], asked: list[str]
) -> None:
    settings = _settings(monkeypatch, environment)
    credentials = Mock(wraps=ClientCredentials)
    monkeypatch.setattr(connection, "ClientCredentials", credentials)
    dial = Mock(wraps=grpc.aio.secure_channel)
    monkeypatch.setattr(grpc.aio, "secure_channel", dial)
    async with open_channel(settings):
        pass
    url, client_id, secret, audience, scope = credentials.call_args.args
    assert (client_id, secret.get_secret_value()) == ("workers", "s3cret")
    assert [dial.call_args.args[0], str(url), audience, scope] == asked


@pytest.mark.parametrize("name", ["CAMUNDA_OAUTH_URL", "CAMUNDA_TOKEN_AUDIENCE"])
def test_what_is_missing_for_a_token_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    settings = _settings(monkeypatch, CLIENT | {key: value for key, value in OAUTH.items() if key != name})
    with pytest.raises(ValueError, match=f"set {name}"):
        open_channel(settings)


def test_a_wrong_oauth_address_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failure, match="CAMUNDA_OAUTH_URL: ") as caught:
        _settings(monkeypatch, CLIENT | OAUTH | {"CAMUNDA_OAUTH_URL": "login:s3cret"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "insecure", "target"),
    [
        ("engine:443", False, "engine:443"),
        ("engine", False, "engine:26500"),
        ("localhost:26500", True, "localhost:26500"),
        ("[::1]:26500", True, "[::1]:26500"),
        ("dns:///engine:443", False, "engine:443"),
        ("DNS:///127.0.0.1:26500", True, "127.0.0.1:26500"),
        ("http://engine:8080", True, "engine:8080"),
        ("HTTP://engine:8080/", True, "engine:8080"),
        ("GRPC://engine:8080", True, "engine:8080"),
        ("https://localhost:443", False, "localhost:443"),
        ("Grpcs://[::1]:443", False, "[::1]:443"),
        (" engine:443 ", False, "engine:443"),
    ],
)
def test_an_address_means_what_it_says_in_each_form(
    monkeypatch: pytest.MonkeyPatch, address: str, target: str, *, insecure: bool
) -> None:
    assert plain_text(_settings(monkeypatch, {"ZEEBE_ADDRESS": address})) == (insecure, target)


@pytest.mark.parametrize(
    "address",
    [
        *("dns://8.8.8.8/engine:443", "dns://", "xds:///engine", "unix:/tmp/engine", "ftp://engine:1", "://engine"),
        *("http://", "http://engine:26500/path", "http://user@engine:1", "engine:port", "engine:1:2", "?", "[::1"),
    ],
)
def test_an_address_of_another_form_is_refused_and_never_taken_for_this_machine(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    with pytest.raises(ValueError, match=r"."):
        open_channel(_settings(monkeypatch, {"ZEEBE_ADDRESS": address}))


class NameServer(asyncio.DatagramProtocol):
    """Says one IPv4 address for every name, for no longer than the question takes."""

    def __init__(self, address: str) -> None:
        self.address = address

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.DatagramTransport = transport  # type: ignore[assignment] # of a datagram endpoint

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        end = data.index(b"\0", 12) + 5
        question, is_ipv4 = data[12:end], data[end - 4 : end - 2] == b"\0\x01"
        head = data[:2] + b"\x81\x80\0\x01" + (b"\0\x01" if is_ipv4 else b"\0\0") + b"\0\0\0\0"
        answer = b"\xc0\x0c\0\x01\0\x01\0\0\0\0\0\x04" + socket.inet_aton(self.address) if is_ipv4 else b""
        self.transport.sendto(head + question + answer, addr)


async def test_a_name_whose_address_changes_is_found_again_within_two_seconds(gateway: ScriptedGateway) -> None:
    loop = asyncio.get_running_loop()
    transport, names = await loop.create_datagram_endpoint(lambda: NameServer("127.0.0.1"), local_addr=("127.0.0.1", 0))
    name_server = transport.get_extra_info("sockname")[1]
    async with AsyncExitStack() as before:
        address = await before.enter_async_context(serving(gateway))
        port = int(address.rpartition(":")[2])
        target = f"dns://127.0.0.1:{name_server}/engine.test:{port}"
        async with grpc.aio.insecure_channel(target, OPTIONS) as channel:
            await stub(channel).CompleteJob(pb.CompleteJobRequest(jobKey=1), wait_for_ready=True, timeout=10.0)
            names.address = "127.0.0.2"
            async with serving(gateway, port, host="127.0.0.2"):
                await before.aclose()
                begun = time.monotonic()
                await stub(channel).CompleteJob(pb.CompleteJobRequest(jobKey=1), wait_for_ready=True, timeout=20.0)
                assert time.monotonic() - begun < 4.0, "two seconds, and what a loaded machine adds"
    transport.close()


async def test_a_link_that_takes_its_time_is_waited_for(gateway: ScriptedGateway) -> None:
    async with (
        serving(gateway) as address,
        _slow_link(address) as slow,
        open_channel(EngineSettings(ZEEBE_ADDRESS=slow)) as channel,
    ):
        await stub(channel).CompleteJob(pb.CompleteJobRequest(jobKey=1), timeout=20.0, wait_for_ready=True)
    assert len(gateway.told) == 1


@asynccontextmanager
async def _slow_link(address: str) -> AsyncIterator[str]:
    """Bring what opens a connection to `address` there and back a second and a half late, what follows at once."""
    host, port = address.split(":")

    async def carry(source: asyncio.StreamReader, to: asyncio.StreamWriter) -> None:
        late = 1.5
        with suppress(OSError):
            while data := await source.read(65_536):
                await asyncio.sleep(late)
                late = 0.0
                to.write(data)
        to.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(host, int(port))
        await asyncio.gather(carry(reader, forth), carry(back, writer))

    async with await asyncio.start_server(connect, "127.0.0.1", 0) as server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"


class LongRefusals(ScriptedGateway):
    """Refuses each completion with a long text."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.text = "x" * size

    async def CompleteJob(  # noqa: N802 - gateway.proto names the calls
        self, request: pb.CompleteJobRequest, context: "Context"
    ) -> pb.CompleteJobResponse:
        del request
        await context.abort(grpc.StatusCode.INVALID_ARGUMENT, self.text)


@pytest.mark.parametrize("size", [100, 12_000, 60_000])
async def test_a_refusal_arrives_as_what_it_is_however_long_its_text(size: int) -> None:
    gateway = LongRefusals(size)  # type: ignore[abstract] # it refuses, and no more
    async with serving(gateway) as address, open_channel(EngineSettings(ZEEBE_ADDRESS=address)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub(channel).CompleteJob(pb.CompleteJobRequest(jobKey=1), timeout=5)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details() == gateway.text


class Flood(ScriptedGateway):
    """Pushes jobs as fast as they are taken."""

    pushed = 0
    """Bytes."""

    async def StreamActivatedJobs(  # noqa: N802 - gateway.proto names the calls
        self, request: pb.StreamActivatedJobsRequest, context: "Context"
    ) -> AsyncIterator[pb.ActivatedJob]:
        del request, context
        while True:
            job = self.job(text="x" * 2_000)
            yield job
            self.pushed += job.ByteSize()


async def test_what_is_read_ahead_of_a_full_worker_is_bounded() -> None:
    gateway = Flood()  # type: ignore[abstract] # it pushes, and no more
    async with serving(gateway) as address, open_channel(EngineSettings(ZEEBE_ADDRESS=address)) as channel:
        stream = stub(channel).StreamActivatedJobs(pb.StreamActivatedJobsRequest(type="work"))
        for _ in range(500):
            await stream.read()
        seen = [-1]

        async def still() -> bool:
            seen.append(gateway.pushed)
            return len(seen) > 10 and len(set(seen[-10:])) == 1

        read = gateway.pushed
        await eventually(still, bool)
        stream.cancel()
    assert gateway.pushed - read < 40 * 1024
