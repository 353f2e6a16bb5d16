"""The REST client: pages, credentials and what it says when the cluster refuses. The cluster is faked by respx."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import respx
from pydantic import BaseModel

from saga.clients.failure import Failure
from saga.clients.rest import RestClient
from saga.kit.gateway.credentials import RETRY_INTERVAL
from tests.kit.tokens import FakeClock, FakeTokenServer

URL = "http://engine"
SECRET = "hunter2"  # noqa: S105 - none
PROBLEM = {"content-type": "application/problem+json"}


class Thing(BaseModel):
    n: int


def page(numbers: list[int], total: int, cursor: str | None, *, more: bool | None = False) -> httpx.Response:
    """Return a page of things; `more` None leaves it out whether the total is capped."""
    info: dict[str, Any] = {"totalItems": total, "startCursor": None, "endCursor": cursor}
    if more is not None:
        info["hasMoreTotalItems"] = more
    return httpx.Response(200, json={"items": [{"n": n} for n in numbers], "page": info})


@pytest.fixture
async def client() -> AsyncIterator[RestClient]:
    client = RestClient(URL)
    yield client
    await client.close()


async def numbers(client: RestClient) -> list[int]:
    return [thing.n async for found in client.pages("/v2/things/search", Thing, {}, ["n"]) for thing in found]


def pages_asked_for(route: respx.Route) -> list[dict[str, Any]]:
    return [json.loads(call.request.content)["page"] for call in route.calls]


async def test_pages_are_followed_by_their_cursor(
    respx_mock: respx.MockRouter,
) -> None:
    client = RestClient(URL, page_size=2)
    answers = [page([1, 2], 5, "a"), page([3, 4], 5, "b"), page([5], 5, "c")]
    route = respx_mock.post("/v2/things/search").mock(side_effect=answers)
    assert await numbers(client) == [1, 2, 3, 4, 5]
    assert pages_asked_for(route) == [{"limit": 2}, {"limit": 2, "after": "a"}, {"limit": 2, "after": "b"}]
    assert json.loads(route.calls[0].request.content)["sort"] == [{"field": "n", "order": "ASC"}]


@pytest.mark.parametrize("more", [True, None], ids=["capped", "not-said"])
async def test_a_capped_total_ends_nothing(
    client: RestClient, respx_mock: respx.MockRouter, *, more: bool | None
) -> None:
    answers = [page([1], 1, "a", more=more), page([2], 1, "b", more=more), page([], 1, None, more=more)]
    respx_mock.post("/v2/things/search").mock(side_effect=answers)
    assert await numbers(client) == [1, 2]


@pytest.mark.parametrize("last", [None, "", "a"], ids=["none", "empty", "repeated"])
async def test_pages_end_where_the_cursor_leads_nowhere(
    client: RestClient, respx_mock: respx.MockRouter, last: str | None
) -> None:
    """A total that counts what has gone meanwhile must not make us ask for ever."""
    respx_mock.post("/v2/things/search").mock(side_effect=[page([1], 9, "a"), page([2], 9, last)])
    assert await numbers(client) == [1, 2]


async def test_nothing_found_is_one_question(client: RestClient, respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post("/v2/things/search").mock(return_value=page([], 0, None))
    assert await numbers(client) == []
    assert route.call_count == 1


async def test_a_count_asks_for_one_item(client: RestClient, respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post("/v2/things/search").mock(return_value=page([1], 7, "a"))
    assert await client.count("/v2/things/search", {}) == 7
    assert pages_asked_for(route) == [{"limit": 1}]


async def test_what_the_cluster_does_not_have_is_none(client: RestClient, respx_mock: respx.MockRouter) -> None:
    respx_mock.get("/v2/things/1").mock(return_value=httpx.Response(404, headers=PROBLEM, json={"status": 404}))
    assert await client.item("/v2/things/1", Thing) is None


async def test_a_404_that_is_not_the_clusters_is_told(client: RestClient, respx_mock: respx.MockRouter) -> None:
    """Of a wrong address, each instance would look as if it were gone."""
    respx_mock.get("/v2/things/1").mock(return_value=httpx.Response(404, text="<html>"))
    with pytest.raises(Failure, match=r"at http://engine answers GET /v2/things/1 with 404\. CAMUNDA_REST_ADDRESS"):
        await client.item("/v2/things/1", Thing)


async def test_a_refusal_is_told_with_its_detail(client: RestClient, respx_mock: respx.MockRouter) -> None:
    refusal = httpx.Response(400, headers=PROBLEM, json={"detail": "Request property [filter.x] cannot be parsed"})
    respx_mock.post("/v2/things/search").mock(return_value=refusal)
    said = r"answers POST /v2/things/search with 400 \(Request property \[filter.x\] cannot be parsed\)\. CAMUNDA_REST"
    with pytest.raises(Failure, match=said):
        await numbers(client)


@pytest.mark.parametrize(
    "body", [b"<html>sign in</html>", b"[]", b'{"items": []}', b'{"items": [{"m": 1}], "page": {"totalItems": 1}}']
)
async def test_an_answer_that_is_not_of_the_api_is_told(
    client: RestClient, respx_mock: respx.MockRouter, body: bytes
) -> None:
    respx_mock.post("/v2/things/search").mock(return_value=httpx.Response(200, content=body))
    with pytest.raises(Failure, match=r"at http://engine answers POST /v2/things/search with something that is not"):
        await numbers(client)


async def test_a_cluster_that_is_away_is_told_with_its_address(
    client: RestClient, respx_mock: respx.MockRouter
) -> None:
    respx_mock.get("/v2/things/1").mock(side_effect=httpx.ConnectError)
    with pytest.raises(Failure, match=r"at http://engine does not answer \(ConnectError\)\. Start it with `saga up`"):
        await client.item("/v2/things/1", Thing)


@pytest.mark.parametrize("error", [httpx.ReadError, httpx.RemoteProtocolError])
async def test_a_kept_connection_that_is_just_closed_costs_a_second_try(
    client: RestClient, respx_mock: respx.MockRouter, error: type[httpx.TransportError]
) -> None:
    route = respx_mock.get("/v2/things/1").mock(side_effect=[error, httpx.Response(200, json={"n": 1}), error, error])
    assert await client.item("/v2/things/1", Thing) == Thing(n=1)
    with pytest.raises(Failure, match=f"does not answer \\({error.__name__}\\)"):
        await client.item("/v2/things/1", Thing)
    assert route.call_count == 4


async def test_a_command_is_sent_once(client: RestClient, respx_mock: respx.MockRouter) -> None:
    route = respx_mock.post("/v2/things/1/deletion").mock(side_effect=httpx.ReadError)
    with pytest.raises(Failure, match=r"does not answer \(ReadError\)"):
        await client.command("/v2/things/1/deletion", {})
    assert route.call_count == 1


@pytest.mark.parametrize("address", ["http://engine/base", "http://engine/base/", "http://engine/base/v2"])
async def test_the_address_may_have_a_path_and_the_apis_version(respx_mock: respx.MockRouter, address: str) -> None:
    respx_mock.get("http://engine/base/v2/things/1").mock(return_value=httpx.Response(200, json={"n": 1}))
    client = RestClient(address)
    assert await client.item("/v2/things/1", Thing) == Thing(n=1)
    await client.close()


# Credentials


async def refused(status: int, respx_mock: respx.MockRouter) -> tuple[str, httpx.Request]:
    """Ask, be refused, and return what is said and what was sent."""
    route = respx_mock.get(f"{URL}/v2/things/1").mock(return_value=httpx.Response(status, headers=PROBLEM, json={}))
    client = RestClient(URL)
    with pytest.raises(Failure) as failure:
        await client.item("/v2/things/1", Thing)
    await client.close()
    return str(failure.value), route.calls[0].request


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refusal_without_credentials_says_which_variables_to_set(
    respx_mock: respx.MockRouter, status: int
) -> None:
    said, request = await refused(status, respx_mock)
    assert said == (
        f"The cluster's REST API at {URL} refuses us ({status}). Set CAMUNDA_BASIC_AUTH_USERNAME and "
        "CAMUNDA_BASIC_AUTH_PASSWORD, or CAMUNDA_CLIENT_ID and CAMUNDA_CLIENT_SECRET."
    )
    assert "authorization" not in request.headers


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_basic_credentials_are_named_and_not_repeated(
    respx_mock: respx.MockRouter, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    monkeypatch.setenv("CAMUNDA_BASIC_AUTH_USERNAME", "ada")
    monkeypatch.setenv("CAMUNDA_BASIC_AUTH_PASSWORD", SECRET)
    said, request = await refused(status, respx_mock)
    assert f"({status}). Check CAMUNDA_BASIC_AUTH_USERNAME and CAMUNDA_BASIC_AUTH_PASSWORD." in said
    assert SECRET not in said
    assert request.headers["authorization"] == "Basic YWRhOmh1bnRlcjI="


@pytest.mark.parametrize(("there", "missing"), [("USERNAME", "PASSWORD"), ("PASSWORD", "USERNAME")])
def test_half_of_the_basic_credentials_is_refused(monkeypatch: pytest.MonkeyPatch, there: str, missing: str) -> None:
    monkeypatch.setenv(f"CAMUNDA_BASIC_AUTH_{there}", SECRET)
    with pytest.raises(Failure, match=f"CAMUNDA_BASIC_AUTH_{missing} is not set") as failure:
        RestClient(URL)
    assert SECRET not in str(failure.value)


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTokenServer]:
    tokens = FakeTokenServer()
    monkeypatch.setenv("CAMUNDA_CLIENT_ID", "workers")
    monkeypatch.setenv("CAMUNDA_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("CAMUNDA_TOKEN_AUDIENCE", "engine")
    monkeypatch.setenv("CAMUNDA_OAUTH_URL", tokens.url)
    yield tokens
    tokens.close()


async def test_a_token_of_the_oauth_server_is_sent_and_kept(
    respx_mock: respx.MockRouter, tokens: FakeTokenServer
) -> None:
    respx_mock.route(host="127.0.0.1").pass_through()
    route = respx_mock.get("https://engine/v2/things/1").mock(return_value=httpx.Response(200, json={"n": 1}))
    client = RestClient("https://engine")
    for _ in range(3):
        await client.item("/v2/things/1", Thing)
    await client.close()
    assert {tokens.takes(call.request.headers["authorization"]) for call in route.calls} == {True}
    assert len(tokens.asked) == 1


async def test_a_token_that_the_cluster_refuses_is_replaced_and_the_question_asked_again(
    respx_mock: respx.MockRouter, tokens: FakeTokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    monkeypatch.setattr("saga.kit.gateway.credentials.time", clock)
    respx_mock.route(host="127.0.0.1").pass_through()

    def cluster(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200 if tokens.takes(request.headers["authorization"]) else 401, json={"n": 1})

    respx_mock.get("https://engine/v2/things/1").mock(side_effect=cluster)
    client = RestClient("https://engine")
    await client.item("/v2/things/1", Thing)
    tokens.revoke()
    clock.now += RETRY_INTERVAL
    assert await client.item("/v2/things/1", Thing) == Thing(n=1)
    await client.close()
    assert len(tokens.asked) == 2


async def test_a_want_of_a_token_is_told_and_nothing_is_sent(
    respx_mock: respx.MockRouter, tokens: FakeTokenServer
) -> None:
    respx_mock.route(host="127.0.0.1").pass_through()
    tokens.status = 401
    client = RestClient("https://engine")
    with pytest.raises(Failure, match=r"no token: 127\.0\.0\.1 answers 401\. CAMUNDA_CLIENT_ID and CAMUNDA_CLIENT_SEC"):
        await client.item("/v2/things/1", Thing)
    await client.close()


def test_a_token_is_not_sent_in_plain_text(tokens: FakeTokenServer) -> None:
    with pytest.raises(Failure, match="CAMUNDA_REST_ADDRESS: http://engine is plain text"):
        RestClient(URL)
    assert tokens.asked == []


def test_half_of_the_oauth_settings_is_told(tokens: FakeTokenServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAMUNDA_TOKEN_AUDIENCE")
    with pytest.raises(Failure, match="set CAMUNDA_TOKEN_AUDIENCE, as CAMUNDA_CLIENT_ID is set"):
        RestClient("https://engine")
    assert tokens.asked == []
