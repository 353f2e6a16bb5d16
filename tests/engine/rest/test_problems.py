"""What is refused before the engine sees it, always as problem+json."""

import re
from collections.abc import AsyncIterator
from importlib.metadata import PackageNotFoundError
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from saga.engine.errors import Busy, Stopping
from saga.engine.rest import cluster
from saga.engine.rest.application import ROUTES
from saga.engine.rest.call import LARGEST_BODY
from tests.engine.rest import diagrams
from tests.engine.rest.conftest import Service, serving

EVERY_ROUTE = [(method, path) for path, methods in ROUTES.items() for method in methods]
WITH_BODY = [(method, path) for method, path in EVERY_ROUTE if method != "GET" and path != "/v2/deployments"]


def filled(path: str, key: object = 4242) -> str:
    """A route's path with a key in it."""
    return re.sub(r"\{\w+\}", str(key), path)


def problem(response: httpx.Response, status: int, title: str) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body.keys() == {"type", "title", "status", "detail", "instance"}
    assert (body["type"], body["title"], body["status"]) == ("about:blank", title, status)
    assert body["instance"] == response.request.url.path
    return body


async def test_an_unknown_path_is_404(quiet_engine: Service) -> None:
    for path in ("/v1/process-instances", "/v2/", "/v2/decision-definitions/search", "/v2/topology/"):
        problem(await quiet_engine.client.get(path), 404, "Not Found")


async def test_a_signal_is_501_and_told_why(quiet_engine: Service) -> None:
    response = await quiet_engine.request("POST", "signals/broadcast", {"signalName": "s"})
    assert "does not serve signals" in problem(response, 501, "UNIMPLEMENTED")["detail"]
    problem(await quiet_engine.request("GET", "signals/broadcast"), 405, "Method Not Allowed")


async def test_a_wrong_method_is_405_and_says_which_are_right(quiet_engine: Service) -> None:
    response = await quiet_engine.client.post("/v2/user-tasks/1")
    problem(response, 405, "Method Not Allowed")
    assert response.headers["allow"] == "GET, PATCH"
    problem(await quiet_engine.client.get("/v2/process-instances/search/"), 404, "Not Found")
    assert (await quiet_engine.client.head("/v2/topology")).status_code == 200


@pytest.mark.parametrize(("method", "path"), WITH_BODY)
async def test_another_media_type_is_415(quiet_engine: Service, method: str, path: str) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {"content-type": kind}
        response = await quiet_engine.client.request(method, filled(path), content=b"{}", headers=headers)
        problem(response, 415, "Unsupported Media Type")


async def test_json_with_a_charset_is_json(quiet_engine: Service) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    response = await quiet_engine.client.post("/v2/jobs/search", content=b"{}", headers=headers)
    assert response.status_code == 200


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"", "Required request body is missing"),
        (b"  ", "Required request body is missing"),
        (b"{", "Request body cannot be parsed: it is not valid JSON"),
        (b'{"a": NaN}', "Request body cannot be parsed: it is not valid JSON"),
        (b'{"a": "\xff"}', "Request body cannot be parsed: it is not valid JSON"),
        (b'{"a": "\\ud800"}', "Request body cannot be parsed: it is not valid JSON"),
        (b"[" * 100_000, "Request body cannot be parsed: its objects and arrays are nested too deeply"),
        (b"[]", "Request body cannot be parsed: it is not a JSON object"),
        (b"null", "Request body cannot be parsed: it is not a JSON object"),
    ],
)
async def test_a_body_that_is_no_json_object_is_400(quiet_engine: Service, content: bytes, detail: str) -> None:
    headers = {"content-type": "application/json"}
    response = await quiet_engine.client.post("/v2/process-instances", content=content, headers=headers)
    assert problem(response, 400, "Bad Request")["detail"] == detail


@pytest.mark.parametrize("route", ["process-instances", "process-instances/search"])
async def test_however_deep_a_body_is_nested_it_is_taken_or_refused(engine: Service, route: str) -> None:
    taken = refused = 0
    for depth in range(500, 1100, 7):
        nested = b"[" * depth + b"]" * depth
        name = b"variables" if route == "process-instances" else b"filter"
        content = b'{"processDefinitionId":"order","%s":{"a":%s}}' % (name, nested)
        headers = {"content-type": "application/json"}
        response = await engine.client.post(f"/v2/{route}", content=content, headers=headers)
        assert response.status_code in {200, 400}, response.text
        taken += response.status_code == 200
        refused += response.status_code == 400
    assert refused
    assert taken or route == "process-instances/search"


@pytest.mark.parametrize("path", ["process-instances", "deployments"])
async def test_a_body_that_is_too_large_is_413(quiet_engine: Service, path: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 65536 + 1):
            yield b" " * 65536

    kind = "application/json" if path == "process-instances" else "multipart/form-data; boundary=x"
    for content in (chunks(), b" " * (LARGEST_BODY + 1)):
        response = await quiet_engine.client.post(f"/v2/{path}", content=content, headers={"content-type": kind})
        problem(response, 413, "Content Too Large")


@pytest.mark.parametrize(
    ("files", "detail"),
    [
        ({}, "Command 'CREATE' rejected with code 'INVALID_ARGUMENT': Expected to deploy at least one resource"),
        ({"resource": ("a.bpmn", b"<x/>")}, "Request property [resource] cannot be parsed"),
        ({"resources": ("a.bpmn", b"<x/>")}, "Command 'CREATE' rejected with code 'INVALID_ARGUMENT': "),
        ({"resources": ("a.txt", b"hello")}, "Command 'CREATE' rejected with code 'INVALID_ARGUMENT': "),
        ({"resources": (None, b"<x/>")}, "Request property [resources] cannot be parsed"),
        ({"tenantId": (None, b"acme")}, "Expected to handle request with tenant identifier 'acme'"),
    ],
)
async def test_a_deployment_that_cannot_be_is_400(quiet_engine: Service, files: dict[str, Any], detail: str) -> None:
    if files:
        response = await quiet_engine.client.post("/v2/deployments", files=files)
    else:
        headers = {"content-type": "multipart/form-data; boundary=x"}
        response = await quiet_engine.client.post("/v2/deployments", content=b"--x--\r\n", headers=headers)
    assert response.status_code == 400, response.text
    assert response.json()["detail"].startswith(detail)


async def test_a_deployment_that_is_no_form_is_refused(quiet_engine: Service) -> None:
    for boundary, content in (("; boundary=x", b"hello"), ("", b"hello")):
        headers = {"content-type": f"multipart/form-data{boundary}"}
        response = await quiet_engine.client.post("/v2/deployments", content=content, headers=headers)
        assert response.status_code == 400, response.text
    response = await quiet_engine.request("POST", "deployments", {"resources": []})
    problem(response, 415, "Unsupported Media Type")


async def test_a_diagram_with_a_doctype_is_refused_by_name(quiet_engine: Service) -> None:
    xml = b'<!DOCTYPE d [<!ENTITY e "x">]>' + diagrams.task("evil").partition(b"?>")[2]
    response = await quiet_engine.client.post("/v2/deployments", files=[("resources", ("evil.bpmn", xml))])
    assert "evil.bpmn" in problem(response, 400, "INVALID_ARGUMENT")["detail"]


@pytest.mark.parametrize(("error", "title"), [(Busy("do it"), "RESOURCE_EXHAUSTED"), (Stopping(), "UNAVAILABLE")])
async def test_an_engine_that_takes_no_commands_is_503(
    engine: Service, monkeypatch: pytest.MonkeyPatch, error: Exception, title: str
) -> None:
    async def send(_command: object) -> dict[str, Any]:
        raise error

    monkeypatch.setattr(engine.writer, "send", send)
    response = await engine.request("POST", "process-instances", {"processDefinitionId": "order"})
    problem(response, 503, title)


async def test_a_mistake_of_ours_is_500_and_raised_for_the_log(
    engine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def send(_command: object) -> dict[str, Any]:
        raise ZeroDivisionError

    monkeypatch.setattr(engine.writer, "send", send)
    transport = httpx.ASGITransport(engine.application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        response = await client.post("/v2/process-instances", json={"processDefinitionId": "order"})
        problem(response, 500, "INTERNAL")


async def test_another_origin_and_another_host_are_refused(quiet_engine: Service) -> None:
    response = await quiet_engine.client.get("/v2/topology", headers={"host": "evil.example"})
    problem(response, 421, "Misdirected Request")
    response = await quiet_engine.client.get("/v2/topology", headers={"origin": "http://evil.example"})
    problem(response, 403, "Forbidden")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *(
            "filter",
            "sort",
            "page",
            "variables",
            "name",
            "value",
            "state",
            "$or",
            "$eq",
            "$in",
            "$like",
            "$exists",
            "$gt",
        ),
        *(
            "field",
            "order",
            "limit",
            "after",
            "before",
            "from",
            "type",
            "timeout",
            "maxJobsToActivate",
            "requestTimeout",
        ),
        *("retries", "errorCode", "assignee", "changeset", "priority", "dueDate", "processDefinitionId", "timestamp"),
        *("processDefinitionKey", "startInstructions", "elementId", "activateInstructions", "terminateInstructions"),
        *(
            "elementInstanceKey",
            "variableInstructions",
            "processInstanceKey",
            "startDate",
            "hasIncident",
            "creationTime",
        ),
        *("correlationKey", "messageId", "timeToLive", "awaitCompletion", "fetchVariables", "local", "candidateGroup"),
    ]
)
BODIES = st.recursive(
    st.dictionaries(NAMES, VALUES, max_size=4),
    lambda inner: st.dictionaries(NAMES, inner | st.lists(inner, max_size=2) | VALUES, max_size=4),
    max_leaves=8,
)


@given(route=st.sampled_from(WITH_BODY), key=st.sampled_from([4242, 1 << 62, -1, "meow", 1 << 70]), body=BODIES)
@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
async def test_no_body_is_a_mistake_of_ours(
    quiet_engine: Service, route: tuple[str, str], key: object, body: dict[str, Any]
) -> None:
    method, path = route
    if body.get("awaitCompletion") is True or path.endswith("/activation"):
        body = {**body, "requestTimeout": -1}
    response = await quiet_engine.client.request(method, filled(path, key), json=body)
    assert response.status_code < 500 or response.status_code == 504, response.text
    if response.status_code >= 400:
        assert response.headers["content-type"] == "application/problem+json"


async def test_the_clock_is_the_machines_unless_it_is_controlled(quiet_engine: Service) -> None:
    problem(await quiet_engine.request("PUT", "clock", {"timestamp": 1}), 403, "FORBIDDEN")
    problem(await quiet_engine.request("POST", "clock/reset"), 403, "FORBIDDEN")


async def test_a_controlled_clock_is_pinned_and_reset() -> None:
    async with serving(controlled_clock=True) as service:
        await service.deploy(*diagrams.FILES)
        assert (await service.request("PUT", "clock", {"timestamp": 1_800_000_000_000})).status_code == 204
        instance = await service.start("order")
        shown = await service.get(f"process-instances/{instance}")
        assert shown["startDate"] == "2027-01-15T08:00:00.000Z"
        assert (await service.request("POST", "clock/reset")).status_code == 204
        shown = await service.get(f"process-instances/{await service.start('order')}")
        assert shown["startDate"] != "2027-01-15T08:00:00.000Z"
        problem(await service.request("PUT", "clock", {}), 400, "INVALID_ARGUMENT")
        problem(await service.request("PUT", "clock", {"timestamp": "now"}), 400, "Bad Request")


async def test_the_topology_is_one_broker_of_the_level_served(quiet_engine: Service) -> None:
    topology = await quiet_engine.get("topology")
    (broker,) = topology.pop("brokers")
    assert topology["gatewayVersion"] == broker["version"] == "8.9.0"
    assert topology["clusterSize"] == topology["partitionsCount"] == topology["replicationFactor"] == 1
    assert topology["clusterId"].startswith("saga-engine-")
    assert broker["partitions"] == [{"partitionId": 1, "role": "leader", "health": "healthy", "state": "active"}]
    assert (broker["host"], broker["port"]) == ("saga-engine", 26500)


async def test_the_topology_is_known_where_no_distribution_is_installed(
    quiet_engine: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(cluster, "version", not_installed)
    cluster._version.cache_clear()  # noqa: SLF001 - it is asked once in a process
    assert (await quiet_engine.get("topology"))["clusterId"] == "saga-engine-unreleased"
    cluster._version.cache_clear()  # noqa: SLF001 - for the tests after this one


async def test_the_status_is_empty(quiet_engine: Service) -> None:
    response = await quiet_engine.request("GET", "status")
    assert (response.status_code, response.content) == (204, b"")


async def test_the_page_says_what_this_is(quiet_engine: Service) -> None:
    response = await quiet_engine.client.get("/")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert "saga engine" in response.text
    assert "127.0.0.1:26500" in response.text
    assert "http://127.0.0.1:8080/v2" in response.text
    assert "<script" not in response.text
