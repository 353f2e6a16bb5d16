"""What the cluster shows of process instances, read from answers as Camunda's API description has them (respx)."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import respx

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure
from saga.clients.instances import Instances, search_delays

KEY = 2251799813685249
INSTANCE = {
    "processInstanceKey": str(KEY),
    "processDefinitionId": "order-fulfillment",
    "processDefinitionName": None,
    "processDefinitionKey": "2251799813685200",
    "state": "ACTIVE",
    "startDate": "2026-01-01T12:00:00.000Z",
    "endDate": None,
}
ELEMENT = {
    "elementInstanceKey": str(KEY + 1),
    "elementId": "Task_Pay",
    "elementName": "Pay",
    "type": "SERVICE_TASK",
    "state": "ACTIVE",
    "incidentKey": None,
    "processInstanceKey": str(KEY),
}
INCIDENT = {
    "incidentKey": str(KEY + 2),
    "errorType": "JOB_NO_RETRIES",
    "errorMessage": "gave up",
    "state": "ACTIVE",
    "creationTime": "2026-01-01T12:00:00.000Z",
    "elementId": "Task_Pay",
    "elementInstanceKey": str(KEY + 1),
    "jobKey": None,
    "processInstanceKey": str(KEY),
    "processDefinitionKey": "2251799813685200",
}
PROBLEM = {"content-type": "application/problem+json"}
GONE = httpx.Response(404, headers=PROBLEM, json={"title": "NOT_FOUND", "status": 404, "detail": "not found"})


def found(*items: object) -> httpx.Response:
    info = {"totalItems": len(items), "hasMoreTotalItems": False, "startCursor": None, "endCursor": None}
    return httpx.Response(200, json={"items": items, "page": info})


@pytest.fixture
async def instances() -> AsyncIterator[Instances]:
    instances = Instances("http://engine")
    yield instances
    await instances.close()


def sent(route: respx.Route) -> Any:  # noqa: ANN401 - any JSON
    return json.loads(route.calls.last.request.content)


async def test_keys_are_texts_on_the_wire_and_numbers_with_us(
    instances: Instances, respx_mock: respx.MockRouter
) -> None:
    respx_mock.get(f"/v2/process-instances/{KEY}").mock(return_value=httpx.Response(200, json=INSTANCE))
    elements = respx_mock.post("/v2/element-instances/search").mock(return_value=found(ELEMENT))
    incidents = respx_mock.post("/v2/incidents/search").mock(return_value=found(INCIDENT))
    shown = await instances.get(KEY)
    assert shown is not None
    assert (shown.key, shown.definition_key, shown.process_id) == (KEY, 2251799813685200, "order-fulfillment")
    [element] = await instances.elements(KEY)
    assert (element.key, element.incident_key) == (KEY + 1, None)
    assert sent(elements)["filter"] == {"processInstanceKey": str(KEY)}
    [incident] = [each async for page in instances.incidents(instance=KEY) for each in page]
    assert (incident.key, incident.element_instance_key, incident.job_key) == (KEY + 2, KEY + 1, None)
    assert sent(incidents)["filter"] == {"state": "ACTIVE", "processInstanceKey": str(KEY)}


@pytest.mark.parametrize(
    ("state", "has_ended", "is_alive"),
    [
        ("ACTIVE", False, True),
        ("SUSPENDED", False, True),
        ("COMPLETED", True, False),
        ("TERMINATED", True, False),
        ("HIBERNATING", False, False),
    ],
)
async def test_only_what_we_know_as_an_end_is_one(
    instances: Instances, respx_mock: respx.MockRouter, state: str, *, has_ended: bool, is_alive: bool
) -> None:
    shown = {**INSTANCE, "state": state}
    respx_mock.get(f"/v2/process-instances/{KEY}").mock(return_value=httpx.Response(200, json=shown))
    respx_mock.post("/v2/process-instances/search").mock(return_value=found(shown))
    instance = await instances.get(KEY)
    assert instance is not None
    assert (instance.has_ended, instance.is_alive) == (has_ended, is_alive)
    assert await instances.has_active("orderId", "4711") is not has_ended


async def test_what_is_not_shown_is_none_or_nothing(instances: Instances, respx_mock: respx.MockRouter) -> None:
    for thing in ("process-instances", "element-instances", "incidents"):
        respx_mock.get(f"/v2/{thing}/{KEY}").mock(return_value=GONE)
        respx_mock.post(f"/v2/{thing}/search").mock(return_value=found())
    respx_mock.post("/v2/variables/search").mock(return_value=found())
    assert (await instances.get(KEY), await instances.element(KEY), await instances.incident(KEY)) == (None,) * 3
    assert await instances.elements(KEY) == []
    assert await instances.with_variable("orderId", "4711") == []
    assert [page async for page in instances.incidents()] == [[]]
    assert await instances.pending_incidents() == 0
    assert await instances.variable(KEY, "orderId") is None
    assert not await instances.has_active("orderId", "4711")


async def test_a_definition_that_is_not_shown_is_told(instances: Instances, respx_mock: respx.MockRouter) -> None:
    respx_mock.get("/v2/process-definitions/7").mock(return_value=GONE)
    respx_mock.get("/v2/process-definitions/7/xml").mock(return_value=GONE)
    for question in (instances.definition, instances.diagram):
        with pytest.raises(Failure, match="does not show the process definition 7"):
            await question(7)


async def test_the_instance_itself_is_none_of_its_elements(instances: Instances, respx_mock: respx.MockRouter) -> None:
    itself = {**ELEMENT, "elementInstanceKey": str(KEY), "elementId": "order-fulfillment", "type": "UNKNOWN"}
    called = {**ELEMENT, "elementInstanceKey": str(KEY + 5), "elementId": "other", "type": "PROCESS"}
    respx_mock.post("/v2/element-instances/search").mock(return_value=found(itself, called, ELEMENT))
    assert [element.key for element in await instances.elements(KEY)] == [KEY + 1]


async def test_an_element_without_a_name_is_called_by_its_id(
    instances: Instances, respx_mock: respx.MockRouter
) -> None:
    respx_mock.post("/v2/element-instances/search").mock(return_value=found(ELEMENT, {**ELEMENT, "elementName": None}))
    assert [element.name for element in await instances.elements(KEY)] == ["Pay", "Task_Pay"]


async def test_instances_are_found_by_a_text_of_one_process_in_one_question(
    instances: Instances, respx_mock: respx.MockRouter
) -> None:
    route = respx_mock.post("/v2/process-instances/search").mock(return_value=found(INSTANCE))
    assert [each.key for each in await instances.with_variable("orderId", 'a"b', process="p")] == [KEY]
    assert sent(route)["filter"] == {
        "variables": [{"name": "orderId", "value": '"a\\"b"'}],
        "processDefinitionId": "p",
    }
    assert respx_mock.calls.call_count == 1


@pytest.mark.parametrize(
    ("text", "value"), [('"4711"', "4711"), ('{"a": [1, null]}', {"a": [1, None]}), ("null", None), ('"cut off', None)]
)
async def test_a_variable_is_whole_and_of_the_instances_own_scope(
    instances: Instances, respx_mock: respx.MockRouter, text: str, value: object
) -> None:
    variable = {"name": "orderId", "value": text, "isTruncated": False, "scopeKey": str(KEY)}
    route = respx_mock.post("/v2/variables/search", params={"truncateValues": "false"})
    route.mock(return_value=found(variable))
    assert await instances.variable(KEY, "orderId") == value
    assert sent(route)["filter"] == {"processInstanceKey": str(KEY), "scopeKey": str(KEY), "name": "orderId"}


async def test_a_path_is_that_of_an_instance_whose_end_and_last_elements_are_shown(
    instances: Instances, respx_mock: respx.MockRouter
) -> None:
    done = {**ELEMENT, "state": "COMPLETED"}
    end = {**done, "elementInstanceKey": str(KEY + 9), "elementId": "EndEvent", "type": "END_EVENT"}
    ended = {**INSTANCE, "state": "COMPLETED"}
    states = [httpx.Response(200, json=each) for each in (INSTANCE, ended, ended, ended)]
    respx_mock.get(f"/v2/process-instances/{KEY}").mock(side_effect=states)
    nodes = [found(done, end), found(ELEMENT, end), found(done), found(done, end)]
    respx_mock.post("/v2/element-instances/search").mock(side_effect=nodes)
    assert [element.element_id for element in await instances.path(KEY)] == ["Task_Pay", "EndEvent"]


async def test_an_instance_in_an_unknown_state_has_no_path(instances: Instances, respx_mock: respx.MockRouter) -> None:
    strange = httpx.Response(200, json={**INSTANCE, "state": "HIBERNATING"})
    respx_mock.get(f"/v2/process-instances/{KEY}").mock(return_value=strange)
    respx_mock.post("/v2/element-instances/search").mock(return_value=found())
    with pytest.raises(Failure, match=f"does not show instance {KEY} as ended after 0 seconds"):
        await instances.path(KEY, wait=0.0)


async def test_the_login_is_checked_by_the_topology(respx_mock: respx.MockRouter) -> None:
    route = respx_mock.get("/v2/topology")
    route.mock(return_value=httpx.Response(200, json={"brokers": []}))
    async with Instances("http://engine"):
        pass
    route.mock(return_value=httpx.Response(401))
    with pytest.raises(Failure, match=r"refuses us \(401\)\. Set CAMUNDA_BASIC_AUTH_USERNAME"):
        async with Instances("http://engine"):
            pass
    route.mock(return_value=GONE)
    with pytest.raises(Failure, match=r"What answers at http://engine has no v2 API"):
        async with Instances("http://engine"):
            pass


def test_without_an_address_the_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZEEBE_ADDRESS", "elsewhere:26500")
    addresses = Addresses.of(0)
    assert (addresses.rest, addresses.instance_page(KEY)) == (None, None)
    with pytest.raises(Failure, match="CAMUNDA_REST_ADDRESS is not set"):
        Instances.at(addresses)
    monkeypatch.setenv("CAMUNDA_REST_ADDRESS", "https://elsewhere")
    assert Addresses.of(0).rest == "https://elsewhere"


def test_an_instances_page_is_known_where_operate_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CAMUNDA_OPERATE_BASE_URL", "https://elsewhere/operate")
    assert Addresses.of(0).instance_page(KEY) == f"https://elsewhere/operate/processes/{KEY}"


def test_searches_are_repeated_soon_and_then_at_most_at_the_longest_delay() -> None:
    first = [delay for delay, _ in zip(search_delays(0.25), range(6), strict=False)]
    assert first == [0.02, 0.04, 0.08, 0.16, 0.25, 0.25]


PUBLISHED = {
    "/v2/process-instances/search": ({"variables", "processDefinitionId"}, {"processInstanceKey"}),
    "/v2/element-instances/search": ({"processInstanceKey"}, {"elementInstanceKey"}),
    "/v2/incidents/search": ({"state", "errorType", "processInstanceKey"}, {"creationTime", "incidentKey"}),
    "/v2/variables/search": ({"processInstanceKey", "scopeKey", "name"}, {"variableKey"}),
}
"""Filters and sort fields that we use: they are in the published description of Camunda 8.9's API."""


async def test_every_filter_and_sort_field_is_one_that_the_api_publishes(
    instances: Instances, respx_mock: respx.MockRouter
) -> None:
    """A misspelt one is refused by some clusters, and to others it means all."""
    respx_mock.post().mock(return_value=found())
    await instances.with_variable("orderId", "4711", process="p")
    await instances.elements(KEY)
    await instances.variable(KEY, "orderId")
    await instances.pending_incidents()
    assert [page async for page in instances.incidents(type_="UNKNOWN", instance=KEY)] == [[]]
    asked = {call.request.url.path for call in respx_mock.calls}
    assert asked == set(PUBLISHED)
    for call in respx_mock.calls:
        body = json.loads(call.request.content)
        filters, sort = PUBLISHED[call.request.url.path]
        assert body["filter"].keys() <= filters
        assert {each["field"] for each in body.get("sort", [])} <= sort
