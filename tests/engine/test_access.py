"""Who is let in: each refusal as a raw request, and starts that are refused."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from saga.engine.access import AccessError, access_rules
from tests.engine.process import ANY_PORTS, TIMEOUT, EngineProcess, activate, refusal, running

POST = "POST /v2/process-instances/search HTTP/1.1"
JSON = "Content-Type: application/json"


@pytest.fixture(scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EngineProcess]:
    """An engine that wants a token, and may be called by another name."""
    tokens = tmp_path_factory.mktemp("tokens") / "tokens"
    tokens.write_text("secret-1\n\nanna:pass:word\n")
    async with running("--token-file", str(tokens), "--allowed-host", "Engine.Example") as engine:
        yield engine


async def ask(address: str, lines: Sequence[str], body: str = "") -> tuple[int, str, str]:
    """Send a raw request; return the answer's status, headers and body."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    length = [f"Content-Length: {len(body)}"] if body and "Transfer-Encoding: chunked" not in lines else []
    writer.write("\r\n".join((*lines, *length, "Connection: close", "", body)).encode())
    answer = (await asyncio.wait_for(reader.read(), TIMEOUT)).decode()
    writer.close()
    await writer.wait_closed()
    headers, _, content = answer.partition("\r\n\r\n")
    return int(headers.split()[1]), headers.lower(), content


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "LOCALHOST", "127.0.0.1:1", "saga.localhost"])
async def test_this_machine_is_let_in_by_each_of_its_names(saga_engine: EngineProcess, host: str) -> None:
    status, _, _ = await ask(saga_engine.rest, [POST, f"Host: {host}", JSON], "{}")
    assert status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "", "[", "8.8.8.8"]
)
@pytest.mark.parametrize("port", ["rest", "management"])
async def test_a_request_for_another_host_is_misdirected(saga_engine: EngineProcess, host: str, port: str) -> None:
    path = "/v2/topology" if port == "rest" else "/ready"
    status, headers, body = await ask(getattr(saga_engine, port), [f"GET {path} HTTP/1.1", f"Host: {host}"])
    assert status == 421
    assert "application/problem+json" in headers
    assert json.loads(body)["status"] == 421


@pytest.mark.parametrize("hosts", [[], ["localhost", "evil.example"], ["localhost:1", "evil.example"]])
async def test_a_request_with_no_host_or_two_is_not_let_in(saga_engine: EngineProcess, hosts: list[str]) -> None:
    named = [f"Host: {host}" for host in hosts]
    status, _, _ = await ask(saga_engine.rest, ["GET /v2/topology HTTP/1.1", *named])
    assert status == 400


async def test_a_name_that_was_allowed_is_let_in_and_no_other(guarded: EngineProcess) -> None:
    known = "Authorization: Bearer secret-1"
    status, _, _ = await ask(guarded.rest, [POST, "Host: engine.example", known, JSON], "{}")
    assert status == 200
    status, _, _ = await ask(guarded.rest, [POST, "Host: other.example", known, JSON], "{}")
    assert status == 421


@pytest.mark.parametrize(
    "header",
    [
        "Origin: https://evil.example",
        "Origin: null",
        "Origin: http://localhost:1",
        "Origin: http://localhost.evil.example",
        "Sec-Fetch-Site: cross-site",
    ],
)
@pytest.mark.parametrize("port", ["rest", "management"])
async def test_a_page_of_another_origin_is_refused(saga_engine: EngineProcess, header: str, port: str) -> None:
    path = "/v2/topology" if port == "rest" else "/actuator/prometheus"
    status, headers, _ = await ask(getattr(saga_engine, port), [f"GET {path} HTTP/1.1", "Host: localhost:80", header])
    assert status == 403
    assert "access-control" not in headers


async def test_a_page_of_this_engine_is_let_in(saga_engine: EngineProcess) -> None:
    own = [f"Host: {saga_engine.rest}", f"Origin: http://{saga_engine.rest}", "Sec-Fetch-Site: same-origin"]
    status, headers, _ = await ask(saga_engine.rest, [POST, *own, JSON], "{}")
    assert status == 200
    assert "access-control" not in headers


async def test_a_browser_gets_no_leave_to_ask_from_elsewhere(saga_engine: EngineProcess) -> None:
    asks = ["Origin: https://evil.example", "Access-Control-Request-Method: POST"]
    status, headers, _ = await ask(saga_engine.rest, ["OPTIONS /v2/topology HTTP/1.1", "Host: localhost", *asks])
    assert status == 403
    assert "access-control" not in headers


@pytest.mark.parametrize(
    "kind",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonx",
        "",
        None,
    ],
)
async def test_a_body_that_is_not_json_is_refused(saga_engine: EngineProcess, kind: str | None) -> None:
    headers = [] if kind is None else [f"Content-Type: {kind}"]
    status, _, _ = await ask(saga_engine.rest, [POST, "Host: localhost", *headers], "{}")
    assert status == 415


async def test_a_body_in_pieces_that_is_not_json_is_refused(saga_engine: EngineProcess) -> None:
    pieces = "2\r\n{}\r\n0\r\n\r\n"
    status, _, _ = await ask(saga_engine.rest, [POST, "Host: localhost", "Transfer-Encoding: chunked"], pieces)
    assert status == 415


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_is_accepted_however_it_is_written(saga_engine: EngineProcess, kind: str) -> None:
    status, _, _ = await ask(saga_engine.rest, [POST, "Host: localhost", f"Content-Type: {kind}"], "{}")
    assert status == 200


async def test_multipart_is_for_deployments_only(saga_engine: EngineProcess) -> None:
    deploy = "POST /v2/deployments HTTP/1.1"
    status, _, _ = await ask(saga_engine.rest, [deploy, "Host: localhost", JSON], "{}")
    assert status == 415
    kind = "Content-Type: multipart/form-data; boundary=x"
    status, _, _ = await ask(saga_engine.rest, [deploy, "Host: localhost", kind], "--x--\r\n")
    assert status == 400


def basic(user: str) -> str:
    return f"Basic {b64encode(user.encode()).decode()}"


ACCEPTED = ["Bearer secret-1", "bearer secret-1", basic("anna:pass:word")]
UNKNOWN = ["Bearer secret-2", "Bearer ", "secret-1", "Basic secret-1", basic("anna:other"), ""]


@pytest.mark.parametrize("authorization", [*ACCEPTED, *UNKNOWN])
async def test_rest_wants_a_token_that_is_in_the_file(guarded: EngineProcess, authorization: str) -> None:
    status, headers, _ = await ask(
        guarded.rest, [POST, "Host: localhost", f"Authorization: {authorization}", JSON], "{}"
    )
    assert status == (200 if authorization in ACCEPTED else 401)
    assert ("www-authenticate: bearer, basic" in headers) == (status == 401)


@pytest.mark.parametrize("authorization", [*ACCEPTED, *UNKNOWN])
async def test_grpc_wants_a_token_that_is_in_the_file(guarded: EngineProcess, authorization: str) -> None:
    async with guarded.stub() as stub:
        call = stub.Topology(pb.TopologyRequest(), metadata=(("authorization", authorization),))
        if authorization in ACCEPTED:
            await call
        else:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await call
            assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_no_call_of_grpc_goes_without_a_token(guarded: EngineProcess) -> None:
    async with guarded.stub() as stub:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await activate(stub, "work")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_probes_need_no_token_and_counters_do(guarded: EngineProcess) -> None:
    statuses = {}
    for path in ("/ready", "/live", "/actuator/prometheus"):
        statuses[path], _, _ = await ask(guarded.management, [f"GET {path} HTTP/1.1", "Host: localhost"])
    assert statuses == {"/ready": 200, "/live": 200, "/actuator/prometheus": 401}


async def test_another_address_without_tokens_does_not_start() -> None:
    said = await refusal("--memory", *ANY_PORTS, "--host", "0.0.0.0")  # noqa: S104 - what is refused
    assert "Add --token-file FILE, or --insecure-host" in said


async def test_another_address_starts_without_tokens_where_it_is_told_to() -> None:
    async with running("--host", "0.0.0.0", "--insecure-host") as engine:  # noqa: S104 - containers do it
        port = engine.rest.split(":")[1]
        status, _, _ = await ask(f"127.0.0.1:{port}", [POST, "Host: localhost", JSON], "{}")
        assert status == 200
        status, _, _ = await ask(f"127.0.0.1:{port}", [POST, "Host: evil.example", JSON], "{}")
        assert status == 421


async def test_a_taken_port_is_refused_by_name(saga_engine: EngineProcess) -> None:
    for option, address in (("--port", saga_engine.gateway), ("--rest-port", saga_engine.rest)):
        port = address.split(":")[1]
        others = [*ANY_PORTS]
        others[others.index(option) + 1] = port
        assert f"Port {port} of 127.0.0.1 cannot be used" in await refusal("--memory", *others)


def test_an_empty_token_file_lets_nobody_start(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n \n")
    with pytest.raises(AccessError, match="is empty"):
        access_rules("127.0.0.1", tmp_path / "empty", [], insecure_host=False)
    with pytest.raises(AccessError, match="cannot be read"):
        access_rules("127.0.0.1", tmp_path / "none", [], insecure_host=False)


async def test_an_unknown_fault_is_refused_with_those_that_there_are() -> None:
    for name in ("lightning", "crash:after-commit", "crash:after-commit,0", "crash:after-commit,x"):
        said = await refusal("--memory", *ANY_PORTS, "--fault", name)
        assert f"There is no fault '{name}'. Known: crash:after-commit,N" in said
