"""Our OAuth tokens, against a token server that is a fake and a gateway that looks at each call's token."""

import asyncio
import logging
import os
import subprocess
import time
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import grpc
import pytest
import trustme
from pydantic import HttpUrl, SecretStr
from pyzeebe.proto.gateway_pb2 import CompleteJobRequest
from pyzeebe.proto.gateway_pb2_grpc import add_GatewayServicer_to_server
from structlog.testing import capture_logs

from saga.kit.definition.discovery import handlers
from saga.kit.execution.wiring import create_worker
from saga.kit.gateway.connection import open_channel, stub
from saga.kit.gateway.credentials import MAX_AGE, RETRY_INTERVAL, ClientCredentials, code_of, why_no_token
from saga.kit.settings import EngineSettings, WorkerSettings
from tests.kit.bench import AT_ONCE, Bench, until
from tests.kit.gateway import ScriptedGateway
from tests.kit.tokens import TOKEN, Doorman, FakeClock, FakeTokenServer, FastClock
from tests.stack import SAGA
from tests.world import eventually

SECRET = "s3cret-of-the-client"  # noqa: S105 - the fake's
BODY = "b0dy-of-an-answer"


@pytest.fixture
def tokens() -> Iterator[FakeTokenServer]:
    tokens = FakeTokenServer()
    yield tokens
    tokens.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
async def environment(
    gateway: ScriptedGateway, tokens: FakeTokenServer, authority: trustme.CA, tmp_path: Path
) -> AsyncIterator[dict[str, str]]:
    """Serve the gateway over TLS behind the doorman; what says how to get in."""
    certificate = authority.issue_cert("localhost")
    chain = b"".join(each.bytes() for each in certificate.cert_chain_pems)
    server = grpc.aio.server(interceptors=[Doorman(tokens)])
    add_GatewayServicer_to_server(gateway, server)
    port = server.add_secure_port(
        "localhost:0", grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    )
    await server.start()
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(trusted)
    yield {
        "CAMUNDA_CLIENT_ID": "workers",
        "CAMUNDA_CLIENT_SECRET": SECRET,
        "CAMUNDA_TOKEN_AUDIENCE": "engine",
        "CAMUNDA_TOKEN_SCOPE": "jobs",
        "ZEEBE_ADDRESS": f"localhost:{port}",
        "ZEEBE_CA_CERTIFICATE_PATH": str(trusted),
        "CAMUNDA_OAUTH_URL": tokens.url,
    }
    await server.stop(grace=None)


@pytest.fixture
def clock(tokens: FakeTokenServer, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """The clock by which tokens are asked for, and end."""
    clock = FakeClock()
    tokens.clock = clock.monotonic
    monkeypatch.setattr("saga.kit.gateway.credentials.time", clock)
    return clock


class Caller:
    """Calls the gateway, over the channel that a worker's would be."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel

    async def call(self, calls: int = 1) -> None:
        request = CompleteJobRequest(jobKey=1)
        await asyncio.gather(*(stub(self.channel).CompleteJob(request, timeout=10.0) for _ in range(calls)))

    async def fail(self) -> grpc.aio.AioRpcError:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call()
        return caught.value

    async def works(self) -> bool:
        try:
            await self.call()
        except grpc.aio.AioRpcError as error:
            code_of(error)
            return False
        return True


@pytest.fixture
async def caller(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with open_channel(EngineSettings()) as channel:
        yield Caller(channel)


@pytest.fixture
async def hasty(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Caller]:
    """A caller that waits a second for a token."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    async with open_channel(EngineSettings(), token_timeout=1.0) as channel:
        yield Caller(channel)


async def test_calls_at_once_share_one_token(caller: Caller, tokens: FakeTokenServer) -> None:
    await caller.call(200)
    await caller.call(200)
    assert tokens.asked == [
        {
            "grant_type": "client_credentials",
            "client_id": "workers",
            "client_secret": SECRET,
            "audience": "engine",
            "scope": "jobs",
        }
    ]


async def test_a_token_is_replaced_before_it_ends_and_no_call_fails(
    clock: FakeClock, caller: Caller, tokens: FakeTokenServer
) -> None:
    tokens.life = 3.0
    begin = clock.now
    while len(tokens.asked) < 3:
        await caller.call(5)
        clock.now += 0.1
        assert clock.now < begin + 3 * tokens.life


async def test_a_token_that_ended_unused_is_replaced_and_no_call_fails(caller: Caller, tokens: FakeTokenServer) -> None:
    tokens.life = 0.5
    await caller.call()
    await until(tokens.knows_none)
    tokens.life = 3600.0
    await caller.call(50)
    assert len(tokens.asked) == 2


async def test_a_token_that_the_gateway_refuses_is_replaced_at_once(
    clock: FakeClock, caller: Caller, tokens: FakeTokenServer
) -> None:
    await caller.call()
    tokens.revoke()
    clock.now += RETRY_INTERVAL
    with capture_logs() as lines:
        await eventually(caller.works, bool, seconds=5)
    assert len(tokens.asked) == 2
    assert [line["event"] for line in lines] == ["token refused, another one is asked for"]


async def test_a_gateway_that_refuses_every_token_costs_the_oauth_server_one_question_in_two_seconds(
    clock: FakeClock, caller: Caller, tokens: FakeTokenServer
) -> None:
    await caller.call()
    with capture_logs() as lines:
        for _ in range(32):  # 6.4 seconds
            clock.now += 0.2
            tokens.revoke()
            await caller.works()
    assert 2 <= len(tokens.asked) <= 5
    assert [line["event"] for line in lines] == ["token refused, another one is asked for"]


async def test_a_worker_whose_token_is_revoked_goes_on_with_another_one(
    clock: FakeClock, caller: Caller, gateway: ScriptedGateway, tokens: FakeTokenServer, bench: Bench
) -> None:
    random = Random(1)  # noqa: S311 - jitter
    worker = create_worker(caller.channel, handlers([bench.step]), {}, WorkerSettings(), random, timing=AT_ONCE)
    running = asyncio.create_task(worker.run())
    gateway.leave(gateway.job())
    await until(lambda: bench.running == 1)
    await asyncio.to_thread(tokens.revoke)
    clock.now += RETRY_INTERVAL
    bench.go.set()
    await until(lambda: len(gateway.told) == 1)
    worker.stop()
    await running
    assert len(tokens.asked) == 2


@pytest.mark.parametrize("trouble", ["away", "broken", "hanging"])
async def test_a_good_token_is_used_on_whatever_becomes_of_the_oauth_server(
    clock: FakeClock, caller: Caller, tokens: FakeTokenServer, trouble: str
) -> None:
    await caller.call()
    clock.now += MAX_AGE
    match trouble:
        case "away":
            tokens.close()
        case "broken":
            tokens.status = 503
        case "hanging":
            tokens.hangs.set()
    asked, longest = len(tokens.asked), 0.0
    for _ in range(40):
        begin = time.monotonic()
        await caller.call()
        longest = max(longest, time.monotonic() - begin)
        clock.now += RETRY_INTERVAL / 10
    assert len(tokens.asked) - asked <= 5, "it is left in peace between two tries"
    assert longest < 1.0, "no call waits for a new token while it has one"
    if trouble == "away":
        tokens.open()


@pytest.mark.parametrize("slow", ["hangs", "trickles"])
async def test_a_slow_oauth_server_costs_a_call_no_more_than_the_deadline(
    hasty: Caller, tokens: FakeTokenServer, slow: str
) -> None:
    tokens.trickles = slow == "trickles"
    if slow == "hangs":
        tokens.hangs.set()
    begin = time.monotonic()
    errors = await asyncio.gather(*(hasty.fail() for _ in range(20)))
    assert time.monotonic() - begin < 3.0
    assert len(tokens.asked) == 1
    assert {why_no_token(error) for error in errors} == {"127.0.0.1 does not answer within 1 seconds"}
    assert {error.code() for error in errors} == {grpc.StatusCode.UNAVAILABLE}


async def test_a_worker_recovers_alone_from_an_oauth_server_that_is_away(
    caller: Caller, gateway: ScriptedGateway, tokens: FakeTokenServer, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FastClock()
    tokens.clock = clock.monotonic
    monkeypatch.setattr("saga.kit.gateway.credentials.time", clock)
    tokens.close()
    tokens.life = 10.0
    gateway.leave(gateway.job())
    random = Random(1)  # noqa: S311 - jitter
    worker = create_worker(caller.channel, handlers([bench.step]), {}, WorkerSettings(), random, timing=AT_ONCE)
    with capture_logs() as lines:
        running = asyncio.create_task(worker.run())
        await until(lambda: any(line["event"] == "no new token" for line in lines))
        tokens.open()
        await until(lambda: bench.running == 1)
        tokens.close()
        await until(tokens.knows_none)
        bench.go.set()
        await until(lambda: sum(line["event"] == "no new token" for line in lines) == 2)
        assert not gateway.told
        tokens.open()
        await until(lambda: len(gateway.told) == 1)
        worker.stop()
        await running
    assert bench.runs == 1
    assert [line["event"] for line in lines if "token" in line["event"]] == ["no new token", "new token again"] * 2


async def test_nothing_secret_is_told(
    clock: FakeClock, caller: Caller, tokens: FakeTokenServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[object] = []
    with capture_logs() as lines:
        for status, body in [
            (401, BODY),
            (302, BODY),
            (200, BODY),
            (200, f'{{"access_token": "{TOKEN}\\n{BODY}"}}'),
            (200, f'{{"access_token": "{TOKEN}", "expires_in": "{BODY}"}}'),
        ]:
            tokens.status, tokens.body = status, body
            clock.now += RETRY_INTERVAL
            error = await caller.fail()
            assert why_no_token(error) in {
                f"127.0.0.1 answers {status}",
                "127.0.0.1 answers with something that is no token",
            }
            told += [error, repr(error), *traceback.format_exception(error)]
        tokens.status, tokens.body = 200, None
        clock.now += RETRY_INTERVAL
        await caller.call()
        tokens.revoke()
        told.append(await caller.fail())
    plugin = ClientCredentials(HttpUrl(tokens.url), "workers", SecretStr(SECRET), "engine", None)
    await asyncio.to_thread(plugin._renew)  # noqa: SLF001 - a token in hand, to look at
    assert plugin._token.end > 0.0  # noqa: SLF001 - the same
    held = [plugin, plugin._token, EngineSettings()]  # noqa: SLF001 - the same
    everything = "\n".join(str(each) for each in [*told, *held, *lines, caplog.text])
    assert len(lines) >= 4
    assert not [each for each in (SECRET, TOKEN, BODY) if each in everything]


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (
            401,
            "There is no token for the engine: 127.0.0.1 answers 401. Look at CAMUNDA_OAUTH_URL, client id and secret.",
        ),
        (200, "answers UNAUTHENTICATED. Is it this engine, and are the credentials right?"),
    ],
)
async def test_deploying_with_wrong_credentials_says_what_is_wrong(
    environment: dict[str, str], tokens: FakeTokenServer, status: int, said: str
) -> None:
    tokens.status = status
    tokens.body = BODY if status != 200 else '{"access_token": "of-another-engine"}'
    done = await asyncio.to_thread(
        subprocess.run,
        [str(SAGA), "deploy"],
        check=False,
        env={**os.environ, **environment, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60.0,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not [each for each in (SECRET, BODY, "of-another-engine") if each in done.stdout + done.stderr]
