"""The grammar of searches, over tables that were filled by hand."""

from collections.abc import AsyncIterator
from contextlib import closing
from typing import Any, cast

import httpx
import pytest

from tests.engine.projection.records import START, Story
from workers.engine import projection, rest
from workers.engine.access import Access
from workers.engine.log import Log
from workers.engine.writer import Writer

NOBODY = cast("Writer", None)
"""Searches need no writer."""


def filled() -> Story:
    """Five instances: 0 and 1 active, 2 completed, 3 terminated, 4 called by 0 with an incident inside."""
    story = Story()
    definition = story.definition("order", name="Order")
    story.definition("order", 2)
    story.definition("ship", name="")
    for number in range(4):
        instance = story.instance(definition)
        instance.variable("orderId", f'"{4711 + number}"')
        instance.variable("total", str(number))
        task = instance.enter("Pay", "SERVICE_TASK", name="Take the payment")
        if number == 0:
            instance.variable("mine", "true", task)
            first, calling = instance, instance.enter("Ship", "CALL_ACTIVITY")
        if number >= 2:
            how = "COMPLETED" if number == 2 else "TERMINATED"
            instance.leave(task, how)
            instance.leave(instance.key, how)
    called = story.instance(definition, "ship", (first.key, calling))
    task = called.enter("Pay", "SERVICE_TASK")
    job = called.job("CREATED", task)
    called.job("FAILED", task, job, retries=2, errorMessage="later", deadline=START)
    called.incident("CREATED", task, jobKey=job, errorMessage="[no] *card* at 50%")
    called.variable("long", '"' + "x" * 9000 + '"')
    ask = called.enter("Ask", "USER_TASK")
    called.task("CREATED", ask, candidateGroups=["sales", "support"], assignee="ann", priority=10)
    called.task("CREATED", ask, priority=90)
    return story


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    with closing(Log(None, projection)) as log, closing(projection.Reader.of_uri(log.reader_uri)) as reader:
        log.create(filled().records)
        transport = httpx.ASGITransport(app=rest.app(NOBODY, reader, Access()))
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            yield client


async def found(client: httpx.AsyncClient, things: str, **body: object) -> dict[str, Any]:
    response = await client.post(f"/v2/{things}/search", json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def refused(client: httpx.AsyncClient, things: str, **body: object) -> dict[str, Any]:
    response = await client.post(f"/v2/{things}/search", json=body)
    assert response.status_code == 400, response.text
    assert response.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = response.json()
    assert problem.keys() == {"type", "title", "status", "detail", "instance"}
    assert (problem["status"], problem["instance"]) == (400, f"/v2/{things}/search")
    return problem


async def instances(client: httpx.AsyncClient, **filters: object) -> list[int]:
    """Numbers, from 0, of the instances that a filter finds."""
    everything = (await found(client, "process-instances"))["items"]
    keys = [each["processInstanceKey"] for each in everything]
    items = (await found(client, "process-instances", filter=filters))["items"]
    return [keys.index(each["processInstanceKey"]) for each in items]


async def test_a_search_without_a_body_finds_all_by_their_keys(client: httpx.AsyncClient) -> None:
    response = await client.post("/v2/process-instances/search")
    page = response.json()["page"]
    assert (page["totalItems"], page["hasMoreTotalItems"]) == (5, False)
    keys = [int(each["processInstanceKey"]) for each in response.json()["items"]]
    assert keys == sorted(keys)


async def test_an_instance_has_the_shape_of_8_9(client: httpx.AsyncClient) -> None:
    items = (await found(client, "process-instances"))["items"]
    first, called = items[0], items[4]
    assert first == {
        "processInstanceKey": first["processInstanceKey"],
        "processDefinitionId": "order",
        "processDefinitionName": "Order",
        "processDefinitionVersion": 1,
        "processDefinitionVersionTag": None,
        "processDefinitionKey": first["processDefinitionKey"],
        "state": "ACTIVE",
        "startDate": "2023-11-14T22:13:24.000Z",
        "endDate": None,
        "hasIncident": True,
        "tenantId": "<default>",
        "parentProcessInstanceKey": None,
        "parentElementInstanceKey": None,
        "rootProcessInstanceKey": first["processInstanceKey"],
        "tags": [],
        "businessId": None,
    }
    assert called["parentProcessInstanceKey"] == called["rootProcessInstanceKey"] == first["processInstanceKey"]
    assert isinstance(called["parentElementInstanceKey"], str)


@pytest.mark.parametrize(
    ("filters", "numbers"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"state": "ACTIVE"}, [0, 1, 4]),
        ({"state": "active"}, [0, 1, 4]),
        ({"state": {"$eq": "COMPLETED"}}, [2]),
        ({"state": {"$neq": "ACTIVE"}}, [2, 3]),
        ({"state": {"$in": ["COMPLETED", "TERMINATED"]}}, [2, 3]),
        ({"state": {"$notIn": ["COMPLETED", "TERMINATED"]}}, [0, 1, 4]),
        ({"state": {"$like": "T*"}}, [3]),
        ({"state": {"$eq": "ACTIVE", "$in": [], "$notIn": []}}, [0, 1, 4]),
        ({"state": {"$in": []}}, [0, 1, 2, 3, 4]),
        ({"state": None, "tags": [], "$or": [], "variables": [], "endDate": {}}, [0, 1, 2, 3, 4]),
        ({"endDate": {"$exists": True}}, [2, 3]),
        ({"endDate": {"$exists": False}, "hasIncident": False}, [1]),
        ({"hasIncident": True}, [0, 4]),
        ({"processDefinitionId": "order", "state": "ACTIVE"}, [0, 1]),
        ({"processDefinitionName": "Order"}, [0, 1, 2, 3, 4]),
        ({"processDefinitionId": {"$like": "o?d*r"}}, [0, 1, 2, 3]),
        ({"processDefinitionId": {"$like": "O*"}}, []),
        ({"processDefinitionVersion": {"$gte": 1, "$lt": 2}}, [0, 1, 2, 3, 4]),
        ({"processDefinitionVersion": 2}, []),
        ({"parentProcessInstanceKey": {"$exists": True}}, [4]),
        ({"startDate": {"$lte": "2023-11-14T22:13:24.000Z"}}, [0]),
        ({"startDate": {"$lte": "2023-11-14T23:13:24.000+01:00"}}, [0]),
        ({"startDate": "2023-11-14T22:13:24Z"}, [0]),
        ({"$or": [{"state": "COMPLETED"}, {"state": "TERMINATED", "hasIncident": False}]}, [2, 3]),
        ({"$or": [{"state": "COMPLETED"}, {"hasIncident": True}], "processDefinitionId": "ship"}, [4]),
        ({"variables": [{"name": "orderId", "value": '"4712"'}]}, [1]),
        ({"variables": [{"name": "orderId", "value": {"$eq": '"4712"', "$in": [], "$notIn": []}}]}, [1]),
        ({"variables": [{"name": "total", "value": "1"}, {"name": "orderId", "value": '"4712"'}]}, [1]),
        ({"variables": [{"name": "total", "value": "2"}, {"name": "orderId", "value": '"4712"'}]}, []),
        ({"variables": [{"name": "orderId", "value": {"$like": '"471?"'}}], "state": "COMPLETED"}, [2]),
        ({"variables": [{"name": "mine", "value": "true"}]}, [0]),
        ({"variables": [{"name": "long", "value": '"' + "x" * 9000 + '"'}]}, [4]),
        ({"variables": [{"name": "long", "value": '"' + "x" * 9001 + '"'}]}, []),
        ({"elementId": "Ship"}, [0]),
        ({"elementId": "Pay", "elementInstanceState": "COMPLETED"}, [2]),
        ({"elementId": "Ship", "elementInstanceState": "COMPLETED"}, []),
        ({"elementId": "Pay", "hasElementInstanceIncident": True}, [4]),
        ({"errorMessage": "[no] *card* at 50%"}, [4]),
        ({"errorMessage": {"$like": r"[no] \*card\* *"}}, [4]),
        ({"errorMessage": {"$like": r"[no] \?card*"}}, []),
        ({"hasRetriesLeft": True}, [4]),
        ({"tags": ["gold"]}, []),
        ({"businessId": "b"}, []),
        ({"tenantId": "<default>"}, [0, 1, 2, 3, 4]),
        ({"tenantId": "other"}, []),
        ({"processInstanceKey": 4242}, []),
        ({"processInstanceKey": "4242"}, []),
    ],
)
async def test_a_filter_finds(client: httpx.AsyncClient, filters: dict[str, Any], numbers: list[int]) -> None:
    assert await instances(client, **filters) == numbers


@pytest.mark.parametrize(
    ("filters", "detail"),
    [
        ({"foo": "x"}, "Request property [filter.foo] cannot be parsed"),
        (
            {"state": "Gone"},
            "Unexpected value 'Gone' for enum field 'state'. Use any of the following values: [ACTIVE,",
        ),
        ({"state": {"$eq": "Gone"}}, "Unexpected value 'Gone' for enum field 'state'."),
        ({"$or": [{"state": {"$in": ["x"]}}]}, "Unexpected value 'x' for enum field 'state'."),
        ({"state": {"$gt": "ACTIVE"}}, "Request property [filter.state.$gt] cannot be parsed"),
        ({"state": 1}, "Request property [filter.state] cannot be parsed"),
        ({"state": ["ACTIVE"]}, "Request property [filter.state] cannot be parsed"),
        ({"state": {"$in": "ACTIVE"}}, "Request property [filter.state.$in] cannot be parsed"),
        ({"processInstanceKey": "meow"}, "Request property [filter.processInstanceKey] cannot be parsed"),
        ({"processInstanceKey": 1 << 63}, "Request property [filter.processInstanceKey] cannot be parsed"),
        ({"hasIncident": "yes"}, "Request property [filter.hasIncident] cannot be parsed"),
        ({"startDate": "yesterday"}, "Request property [filter.startDate] cannot be parsed"),
        ({"$or": [{"$or": [{"state": "ACTIVE"}]}]}, "Request property [filter.$or[0].$or] cannot be parsed"),
        ({"$or": [{"foo": 1}]}, "Request property [filter.$or[0].foo] cannot be parsed"),
        ({"variables": [{"name": "a", "value": "1", "scope": "x"}]}, "Request property [filter.variables[0].scope]"),
        ({"variables": [{"name": "a"}]}, "No value provided."),
        ({"variables": [{"value": "1"}]}, "No name provided."),
        ({"$or": [{"variables": [{"name": "a", "value": "1"}] * 190}] * 20}, "The filter has too many conditions"),
        ({"variables": [{"name": "a", "value": "1"}] * 600}, "The filter has too many conditions"),
        ({"$or": [{"state": "ACTIVE"}] * 600}, "The filter has too many conditions"),
    ],
)
async def test_a_filter_that_is_not_understood_is_refused(
    client: httpx.AsyncClient, filters: dict[str, Any], detail: str
) -> None:
    assert (await refused(client, "process-instances", filter=filters))["detail"].startswith(detail)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"page": {"limit": 0}}, "The value for page.limit is '0'"),
        ({"page": {"limit": -1}}, "The value for page.limit is '-1'"),
        ({"page": {"limit": 10001}}, "The value for page.limit is '10001'"),
        ({"page": {"limit": "many"}}, "Request property [page.limit] cannot be parsed"),
        ({"page": {"from": -1}}, "The value for page.from is '-1'"),
        ({"page": {"after": "meow"}}, "The cursor in page.after is not one of this search"),
        ({"page": {"before": "W10"}}, "The cursor in page.before is not one of this search"),
        ({"page": {"from": 1, "after": "x"}}, "Both after and before"),
        ({"page": {"size": 1}}, "Request property [page.size] cannot be parsed"),
        ({"page": [1]}, "Request property [page] cannot be parsed"),
        ({"sort": [{"field": "elementId"}]}, "Unexpected value 'elementId' for enum field 'field'."),
        ({"sort": [{"order": "ASC"}]}, "Sort field must not be null."),
        ({"sort": [{"field": "state", "order": "dsc"}]}, "Unexpected value 'dsc' for enum field 'order'. Use any of"),
        ({"sort": [{"field": "state", "by": "x"}]}, "Request property [sort[0].by] cannot be parsed"),
        ({"sort": "state"}, "Request property [sort] cannot be parsed"),
        ({"filters": {"state": "ACTIVE"}}, "Request property [filters] cannot be parsed"),
    ],
)
async def test_a_page_or_order_that_is_not_understood_is_refused(
    client: httpx.AsyncClient, body: dict[str, Any], detail: str
) -> None:
    assert (await refused(client, "process-instances", **body))["detail"].startswith(detail)


@pytest.mark.parametrize("limit", [1, 2, 3])
@pytest.mark.parametrize(
    "sort",
    [
        [],
        [{"field": "processInstanceKey", "order": "DESC"}],
        [{"field": "endDate"}],
        [{"field": "endDate", "order": "desc"}, {"field": "state", "order": None}],
        [{"field": "parentProcessInstanceKey", "order": "DESC"}, {"field": "startDate", "order": "DESC"}],
        [{"field": "businessId"}, {"field": "hasIncident", "order": "DESC"}, {"field": "hasIncident"}],
    ],
)
async def test_pages_forward_and_back_show_each_item_once(
    client: httpx.AsyncClient, sort: list[dict[str, Any]], limit: int
) -> None:
    everything = await found(client, "process-instances", sort=sort)
    seen: list[dict[str, Any]] = []
    after = None
    while (part := await found(client, "process-instances", sort=sort, page={"limit": limit, "after": after}))["items"]:
        assert part["page"]["totalItems"] == 5
        seen += part["items"]
        last, after = part, part["page"]["endCursor"]
    assert seen == everything["items"]
    assert part["page"] == {"totalItems": 5, "hasMoreTotalItems": False, "startCursor": None, "endCursor": None}
    back = list(last["items"])
    before = last["page"]["startCursor"]
    while (part := await found(client, "process-instances", sort=sort, page={"limit": limit, "before": before}))[
        "items"
    ]:
        back = part["items"] + back
        before = part["page"]["startCursor"]
    assert back == everything["items"]


async def test_a_cursor_of_another_order_is_refused(client: httpx.AsyncClient) -> None:
    by_state = await found(client, "process-instances", sort=[{"field": "state"}], page={"limit": 1})
    for sort in ([], [{"field": "tenantId"}], [{"field": "state"}, {"field": "tenantId"}]):
        await refused(client, "process-instances", sort=sort, page={"after": by_state["page"]["endCursor"]})


async def test_from_leaves_out_as_many(client: httpx.AsyncClient) -> None:
    assert len((await found(client, "process-instances", page={"from": 3}))["items"]) == 2


async def test_nulls_come_last_where_the_order_is_ascending(client: httpx.AsyncClient) -> None:
    for order, ended in (("ASC", [True, True, False, False, False]), ("DESC", [False, False, False, True, True])):
        items = (await found(client, "process-instances", sort=[{"field": "endDate", "order": order}]))["items"]
        assert [each["endDate"] is not None for each in items] == ended


async def test_an_element_shows_its_name_and_its_incident(client: httpx.AsyncClient) -> None:
    (incident,) = (await found(client, "incidents"))["items"]
    (pay,) = (await found(client, "element-instances", filter={"incidentKey": incident["incidentKey"]}))["items"]
    assert pay == {
        "elementInstanceKey": incident["elementInstanceKey"],
        "elementId": "Pay",
        "elementName": "Pay",
        "type": "SERVICE_TASK",
        "state": "ACTIVE",
        "startDate": pay["startDate"],
        "endDate": None,
        "hasIncident": True,
        "incidentKey": incident["incidentKey"],
        "processInstanceKey": incident["processInstanceKey"],
        "rootProcessInstanceKey": incident["rootProcessInstanceKey"],
        "processDefinitionKey": incident["processDefinitionKey"],
        "processDefinitionId": "ship",
        "tenantId": "<default>",
    }
    named = (await found(client, "element-instances", filter={"elementName": "Take the payment"}))["items"]
    assert {each["elementId"] for each in named} == {"Pay"}


async def test_no_element_instance_is_the_process_or_a_flow(client: httpx.AsyncClient) -> None:
    for kind in ("PROCESS", "SEQUENCE_FLOW"):
        assert (await found(client, "element-instances", filter={"type": kind}))["items"] == []


async def test_an_incident_and_a_job_have_the_shapes_of_8_9(client: httpx.AsyncClient) -> None:
    (incident,) = (await found(client, "incidents", filter={"state": "ACTIVE", "errorType": "JOB_NO_RETRIES"}))["items"]
    (job,) = (await found(client, "jobs", filter={"hasFailedWithRetriesLeft": True, "retries": {"$gt": 1}}))["items"]
    assert incident["jobKey"] == job["jobKey"]
    assert incident.keys() == {
        *("incidentKey", "errorType", "errorMessage", "state", "creationTime", "elementId", "elementInstanceKey"),
        *("jobKey", "processInstanceKey", "rootProcessInstanceKey", "processDefinitionKey", "processDefinitionId"),
        "tenantId",
    }
    assert job == {
        **{key: incident[key] for key in incident.keys() & job.keys()},
        "type": "pay",
        "worker": "",
        "state": "FAILED",
        "kind": "BPMN_ELEMENT",
        "listenerEventType": "UNSPECIFIED",
        "retries": 2,
        "deadline": "2023-11-14T22:13:20.000Z",
        "hasFailedWithRetriesLeft": True,
        "errorCode": None,
        "errorMessage": "later",
        "customHeaders": {},
        "creationTime": job["creationTime"],
        "lastUpdateTime": job["lastUpdateTime"],
        "endTime": None,
        "isDenied": None,
        "deniedReason": None,
    }


async def test_a_variables_value_is_cut_unless_whole_ones_are_asked_for(client: httpx.AsyncClient) -> None:
    body = {"filter": {"isTruncated": True}}
    (cut,) = (await client.post("/v2/variables/search", json=body)).json()["items"]
    assert (len(cut["value"]), cut["isTruncated"]) == (8191, True)
    (whole,) = (await client.post("/v2/variables/search?truncateValues=false", json=body)).json()["items"]
    assert (len(whole["value"]), whole["isTruncated"]) == (9002, False)
    one = (await client.get(f"/v2/variables/{cut['variableKey']}")).json()
    assert one == {name: value for name, value in whole.items() if name != "isTruncated"}
    assert (await client.post("/v2/variables/search?truncateValues=maybe", json=body)).status_code == 400


async def test_variables_are_filtered_by_scope_name_and_json_text(client: httpx.AsyncClient) -> None:
    (mine,) = (await found(client, "variables", filter={"name": "mine"}))["items"]
    assert mine["scopeKey"] != mine["processInstanceKey"]
    assert mine["value"] == "true"
    both = {"name": "orderId", "value": '"4711"', "processInstanceKey": mine["processInstanceKey"]}
    assert len((await found(client, "variables", filter=both))["items"]) == 1
    assert (await found(client, "variables", filter={**both, "scopeKey": mine["scopeKey"]}))["items"] == []


@pytest.mark.parametrize(
    ("filters", "priorities"),
    [
        ({"candidateGroup": "sales"}, [10]),
        ({"candidateGroup": {"$in": ["sales", "other"]}}, [10]),
        ({"candidateGroup": "nobody"}, []),
        ({"assignee": {"$exists": False}}, [90]),
        ({"assignee": "ann", "state": "CREATED"}, [10]),
        ({"priority": {"$gt": 10}}, [90]),
        ({"name": "Ask"}, [10, 90]),
        ({"processInstanceVariables": [{"name": "long", "value": {"$like": '"x*'}}]}, [10, 90]),
        ({"localVariables": [{"name": "long", "value": {"$like": '"x*'}}]}, []),
        ({"$or": [{"priority": 10}, {"priority": 90}]}, [10, 90]),
    ],
)
async def test_a_filter_finds_user_tasks(
    client: httpx.AsyncClient, filters: dict[str, Any], priorities: list[int]
) -> None:
    items = (await found(client, "user-tasks", filter=filters))["items"]
    assert [each["priority"] for each in items] == priorities


async def test_among_the_latest_versions_pages_go_forward_only(client: httpx.AsyncClient) -> None:
    latest = {"isLatestVersion": True}
    answer = await found(client, "process-definitions", filter=latest, sort=[{"field": "processDefinitionId"}])
    assert [(each["processDefinitionId"], each["version"]) for each in answer["items"]] == [("order", 2), ("ship", 1)]
    assert answer["page"]["startCursor"] is None
    assert answer["page"]["endCursor"]
    await refused(client, "process-definitions", filter=latest, page={"from": 1})
    await refused(client, "process-definitions", filter=latest, sort=[{"field": "version"}])


async def test_a_definition_has_the_shape_of_8_9(client: httpx.AsyncClient) -> None:
    (ship,) = (await found(client, "process-definitions", filter={"processDefinitionId": "ship"}))["items"]
    assert ship == {
        "processDefinitionKey": ship["processDefinitionKey"],
        "processDefinitionId": "ship",
        "name": None,
        "version": 1,
        "versionTag": None,
        "resourceName": "ship.bpmn",
        "tenantId": "<default>",
        "hasStartForm": False,
    }


async def test_incidents_of_an_instance_include_those_of_called_ones(client: httpx.AsyncClient) -> None:
    items = (await found(client, "process-instances"))["items"]
    numbers = [
        len((await found(client, f"process-instances/{each['processInstanceKey']}/incidents"))["items"])
        for each in items
    ]
    assert numbers == [1, 0, 0, 0, 1]
    own = (await found(client, "incidents", filter={"processInstanceKey": items[0]["processInstanceKey"]}))["items"]
    assert own == []
    assert (await client.post("/v2/process-instances/4242/incidents/search")).status_code == 404


async def test_the_call_hierarchy_begins_at_the_root(client: httpx.AsyncClient) -> None:
    called = (await found(client, "process-instances"))["items"][4]
    hierarchy = (await client.get(f"/v2/process-instances/{called['processInstanceKey']}/call-hierarchy")).json()
    keys = [called["rootProcessInstanceKey"], called["processInstanceKey"]]
    assert [each["processInstanceKey"] for each in hierarchy] == keys


async def test_a_definitions_statistics_count_its_ended_instances_too(client: httpx.AsyncClient) -> None:
    instance = (await found(client, "process-instances"))["items"][0]
    path = f"/v2/process-definitions/{instance['processDefinitionKey']}/statistics/element-instances"
    pay = {"elementId": "Pay", "active": 2, "canceled": 1, "incidents": 1, "completed": 1}
    assert pay in (await client.post(path)).json()["items"]
    ended = (await client.post(path, json={"filter": {"state": {"$in": ["COMPLETED", "TERMINATED"]}}})).json()["items"]
    assert ended == [{"elementId": "Pay", "active": 0, "canceled": 1, "incidents": 0, "completed": 1}]
    unknown = await client.post("/v2/process-definitions/4242/statistics/element-instances")
    assert unknown.json() == {"items": []}
    assert (await client.post(path, json={"sort": [1]})).status_code == 400
