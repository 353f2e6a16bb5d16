"""Placing an order: kept once, whole until the engine has it, and known by its fingerprint for ever after."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import Any

import asyncpg
import httpx
import pytest

from services.orders.placements import LIMIT
from tests.services.conftest import Logged, OwnDatabase
from tests.services.participant import ADDRESS, ITEMS, PAYS, Participant, code
from tests.services.postgres import Admin
from tests.services.test_orders import until_waiting
from tests.steps.test_order import WRONG

Order = dict[str, Any]
_TWIN = "000000004242"
"""Another card number that ends as the one that pays."""


def order_of(order_id: str, **changes: object) -> Order:
    return {"orderId": order_id, "customerId": "c-1", "items": ITEMS, "card": PAYS, "shipTo": ADDRESS, **changes}


async def place(orders: Participant, order: Order) -> httpx.Response:
    return await orders.http.post("/orders", json=order)


async def published(orders: Participant, *order_ids: str) -> None:
    answer = await orders.http.post("/placements/published", json={"orderIds": order_ids})
    assert (answer.status_code, answer.content) == (204, b"")


async def listed(orders: Participant, limit: int = LIMIT) -> list[Order]:
    answer = await orders.http.get("/placements", params={"limit": limit})
    assert answer.status_code == 200
    return [placement["order"] for placement in answer.json()["placements"]]


async def kept(admin: Admin, order_id: str) -> dict[str, Any] | None:
    row = await admin.fetchrow("SELECT * FROM orders.placements WHERE order_id = $1", order_id)
    return row and {**row, "body": row["body"] and json.loads(row["body"])}


async def test_a_placed_order_is_kept_whole_until_it_is_published_and_then_by_its_fingerprint_alone(
    consumer: Participant, own_database: OwnDatabase, order_id: str
) -> None:
    order = order_of(order_id)
    answer = await place(consumer, order)
    assert (answer.status_code, answer.json()) == (202, {"orderId": order_id, "status": "placed"})
    assert answer.headers["Location"] == f"/orders/{order_id}"
    before = await kept(own_database.admin, order_id)
    assert before
    assert (before["body"], before["published_at"]) == (order, None)
    assert await listed(consumer) == [order]

    await published(consumer, order_id)
    after = await kept(own_database.admin, order_id)
    assert after
    assert after["published_at"] >= before["placed_at"]
    assert after == {**before, "body": None, "published_at": after["published_at"]}
    assert await listed(consumer) == []


async def test_the_same_order_again_gets_the_same_answer_and_is_never_published_again(
    consumer: Participant, own_database: OwnDatabase, order_id: str
) -> None:
    order = order_of(order_id)
    first = await place(consumer, order)
    second = await place(consumer, dict(reversed(order.items())))
    await published(consumer, order_id)
    once = await kept(own_database.admin, order_id)
    third = await place(consumer, order)
    assert {(each.status_code, each.content, each.headers["Location"]) for each in (first, second, third)} == {
        (202, first.content, f"/orders/{order_id}")
    }
    assert await kept(own_database.admin, order_id) == once
    assert await listed(consumer) == []


@pytest.mark.parametrize("is_published", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {"customerId": "c-2"},
        {"items": [{"sku": "MOUSE", "quantity": 1}]},
        {"card": "4000000000000002"},
        {"shipTo": {**ADDRESS, "street": "13 Analytical Row"}},
    ],
)
async def test_another_order_under_the_id_is_told_apart_and_the_first_one_stays(
    orders: Participant, admin: Admin, order_id: str, change: Order, *, is_published: bool
) -> None:
    await place(orders, order_of(order_id))
    if is_published:
        await published(orders, order_id)
    before = await kept(admin, order_id)
    answer = await place(orders, order_of(order_id, **change))
    assert code(answer) == (422, "ORDER_ID_REUSED")
    assert "under another id" in answer.json()["detail"]
    assert await kept(admin, order_id) == before


async def test_the_fingerprint_holds_no_more_of_the_card_than_its_last_four_digits(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    assert (await place(orders, order_of(order_id))).status_code == 202
    row = await kept(admin, order_id)
    assert row
    masked = json.dumps(order_of(order_id, card="4242"), separators=(",", ":"))
    assert row["fingerprint"] == hashlib.sha256(masked.encode()).digest()
    assert (await place(orders, order_of(order_id, card=_TWIN))).status_code == 202
    assert await kept(admin, order_id) == row


async def test_of_fifty_simultaneous_placements_of_an_order_one_is_kept_and_all_are_answered_alike(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    answers = await asyncio.gather(*(place(orders, order_of(order_id)) for _ in range(50)))
    assert {(each.status_code, each.content) for each in answers} == {(202, answers[0].content)}
    assert await admin.fetchval("SELECT count(*) FROM orders.placements WHERE order_id = $1", order_id) == 1


async def test_of_two_orders_that_come_under_one_id_at_the_same_time_one_is_kept(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    both = [order_of(order_id), order_of(order_id, customerId="c-2")]
    answers = await asyncio.gather(*(place(orders, order) for order in both * 10))
    row = await kept(admin, order_id)
    assert row
    winner = both.index(row["body"])
    assert [each.status_code for each in answers] == [202 if index % 2 == winner else 422 for index in range(20)]
    assert {code(each) for each in answers if each.status_code == 422} == {(422, "ORDER_ID_REUSED")}


@pytest.mark.parametrize(("change", "field"), WRONG)
async def test_what_is_no_order_to_the_process_is_refused_here_by_the_same_field_and_not_kept(
    orders: Participant, admin: Admin, order_id: str, change: Order, field: str
) -> None:
    order = {**order_of(order_id), **change}
    answer = await orders.http.post("/orders", content=json.dumps(order), headers={"Content-Type": "application/json"})
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not {PAYS, PAYS[:-1], ADDRESS["name"]} & set(answer.text.replace('"', " ").split())
    assert await kept(admin, order_id) is None


async def test_an_article_that_is_not_in_the_catalogue_is_named_and_the_mended_order_may_come_under_its_id(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    wrong = order_of(order_id, items=[ITEMS[0], {"sku": "PERPETUUM", "quantity": 1}])
    answer = await place(orders, wrong)
    assert code(answer) == (422, "ORDER_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == ["items[1].sku"]
    assert await kept(admin, order_id) is None
    assert (await place(orders, order_of(order_id))).status_code == 202


async def test_publishers_are_given_the_oldest_orders_first_and_no_more_than_they_ask_for(
    consumer: Participant, new_id: Callable[[], str]
) -> None:
    ids = [new_id() for _ in range(5)]
    for order_id in ids:
        await place(consumer, order_of(order_id))
    assert [order["orderId"] for order in await listed(consumer, 3)] == ids[:3]
    await published(consumer, ids[0], ids[2])
    assert [order["orderId"] for order in await listed(consumer)] == [ids[1], ids[3], ids[4]]


async def test_an_order_that_is_marked_by_several_publishers_at_once_is_marked_once(
    consumer: Participant, own_database: OwnDatabase, new_id: Callable[[], str]
) -> None:
    ids = [new_id() for _ in range(30)]
    await asyncio.gather(*(place(consumer, order_of(order_id)) for order_id in ids))
    await asyncio.gather(*(published(consumer, *ids[first:], *ids[:first]) for first in range(20)))
    query = "SELECT order_id, published_at, body FROM orders.placements ORDER BY order_id"
    once = await own_database.admin.fetch(query)
    assert [(row["order_id"], row["published_at"] is None, row["body"]) for row in once] == [
        (order_id, False, None) for order_id in sorted(ids)
    ]
    await published(consumer, *ids, "never-placed")
    assert await own_database.admin.fetch(query) == once


async def test_publishers_take_an_orders_row_in_one_order_whichever_way_they_name_them(
    consumer: Participant, own_database: OwnDatabase
) -> None:
    for order_id in ("b", "a"):  # So that they lie in the table the other way round.
        await place(consumer, order_of(order_id))
    holder = await own_database.connect()
    async with holder.transaction():
        await holder.execute("SELECT 1 FROM orders.placements WHERE order_id = 'b' FOR UPDATE")
        marking = asyncio.create_task(published(consumer, "b", "a"))
        await until_waiting(own_database.admin, 1)
        free = await own_database.admin.fetch("SELECT order_id FROM orders.placements FOR UPDATE SKIP LOCKED")
    await holder.close()
    await marking
    assert free == []


async def test_no_order_outlives_its_publication_in_the_table(
    consumer: Participant, own_database: OwnDatabase, order_id: str
) -> None:
    await place(consumer, order_of(order_id))
    with pytest.raises(asyncpg.CheckViolationError):
        await own_database.admin.execute("UPDATE orders.placements SET published_at = now()")


async def test_nothing_of_an_order_but_its_id_is_logged(
    orders: Participant, order_id: str, monkeypatch: pytest.MonkeyPatch, logged: Logged
) -> None:
    def bug(*_: object) -> None:
        raise LookupError(PAYS)

    await place(orders, order_of(order_id))
    await place(orders, order_of(order_id, card="4000000000000002"))
    await place(orders, order_of(order_id, card=PAYS[:-1]))
    monkeypatch.setattr("services.orders.placements.insert", bug)
    assert code(await place(orders, order_of(order_id))) == (500, "INTERNAL_ERROR")
    lines = logged()
    assert [line["event"] for line in lines] == ["order placed", "request failed"]
    assert lines[0]["saga_id"] == order_id
    for secret in (PAYS, PAYS[:-1], "4000000000000002", *ADDRESS.values()):
        assert f'"{secret}"' not in json.dumps(lines)
        assert len(secret) < 5 or secret not in json.dumps(lines)


async def test_the_openapi_document_names_what_a_shop_can_meet(orders: Participant) -> None:
    document = (await orders.http.get("/openapi.json")).json()
    responses = document["paths"]["/orders"]["post"]["responses"]
    assert "Location" in responses["202"]["headers"]
    codes = responses["422"]["content"]["application/problem+json"]["examples"]
    assert {"REQUEST_INVALID", "ORDER_INVALID", "ORDER_ID_REUSED"} <= set(codes)
