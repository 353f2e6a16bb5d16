"""The grammar of searches, over tables that were filled by hand."""

from typing import Any

import httpx
import pytest

from saga.engine.rest import search
from tests.engine.rest.filled import found, refused


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


@pytest.mark.parametrize(("most", "counted"), [(4, (4, True)), (5, (5, False))])
async def test_items_are_counted_up_to_a_limit_and_shown_beyond_it(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch, most: int, counted: tuple[int, bool]
) -> None:
    monkeypatch.setattr(search, "MOST_COUNTED", most)
    everything = await found(client, "process-instances")
    assert (everything["page"]["totalItems"], everything["page"]["hasMoreTotalItems"]) == counted
    assert len(everything["items"]) == 5
    last = await found(client, "process-instances", page={"limit": 1, "from": 4})
    assert last["items"] == everything["items"][4:]


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
