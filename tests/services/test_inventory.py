"""Inventory: all of an order's items are held or none, and no more than there is."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

import asyncpg
import httpx
import pytest

from tests.services.participant import HOLD, ITEMS, Participant, code
from tests.services.postgres import Admin


async def stock_up(admin: Admin, sku: str, on_hand: int) -> None:
    await admin.execute("INSERT INTO inventory.stock (sku, on_hand) VALUES ($1, $2)", sku, on_hand)


async def held(admin: Admin, sku: str) -> int:
    """Return what is reserved of an article, after checking that its stock and its reservations agree."""
    reserved: int = await admin.fetchval("SELECT reserved FROM inventory.stock WHERE sku = $1", sku)
    by_order = "SELECT coalesce(sum(reserved - released), 0) FROM inventory.reservations WHERE sku = $1"
    assert await admin.fetchval(by_order, sku) == reserved
    return reserved


async def rows(admin: Admin, order_id: str) -> dict[str, tuple[int, int]]:
    query = "SELECT sku, reserved, released FROM inventory.reservations WHERE order_id = $1"
    return {row["sku"]: (row["reserved"], row["released"]) for row in await admin.fetch(query, order_id)}


async def test_a_reservation_holds_each_item(inventory: Participant, admin: Admin, order_id: str) -> None:
    before = await held(admin, "KEYBOARD")
    answer = await inventory.do(f"/reservations/{order_id}", HOLD)
    assert (answer.status_code, answer.json()) == (200, {"reservationId": order_id, "items": ITEMS})
    assert await rows(admin, order_id) == {"KEYBOARD": (2, 0), "MOUSE": (1, 0)}
    assert await held(admin, "KEYBOARD") == before + 2


@pytest.mark.parametrize("sku", ["UNOBTAINIUM", "PERPETUUM"])
async def test_where_one_item_is_short_or_unknown_none_is_held(
    inventory: Participant, admin: Admin, order_id: str, sku: str
) -> None:
    before = await held(admin, "KEYBOARD")
    items = [{"sku": "KEYBOARD", "quantity": 1}, {"sku": sku, "quantity": 1}]
    answer = await inventory.do(f"/reservations/{order_id}", {"items": items})
    assert code(answer) == (409, "OUT_OF_STOCK")
    assert sku in answer.json()["detail"]
    assert await rows(admin, order_id) == {}
    assert await held(admin, "KEYBOARD") == before


async def test_a_release_gives_everything_back_once(inventory: Participant, admin: Admin, order_id: str) -> None:
    before = await held(admin, "KEYBOARD")
    await inventory.do(f"/reservations/{order_id}", HOLD)
    answers = [await inventory.undo(f"/reservations/{order_id}") for _ in range(2)]
    assert answers[0].json() == {"reservationId": order_id, "items": ITEMS}
    assert answers[1].content == answers[0].content
    assert await rows(admin, order_id) == {"KEYBOARD": (2, 2), "MOUSE": (1, 1)}
    assert await held(admin, "KEYBOARD") == before


async def insist(command: Callable[[], Awaitable[httpx.Response]]) -> httpx.Response:
    """Send a command until it is answered for good, as a worker does: on a loaded machine many wait for one article."""
    while True:
        answer = await command()
        if answer.status_code == 200 or code(answer) == (409, "OUT_OF_STOCK"):
            return answer
        passing = {(409, "COMMAND_IN_PROGRESS"), (503, "DATABASE_UNAVAILABLE"), (503, "OVERLOADED")}
        assert code(answer) in passing


async def test_fifty_simultaneous_orders_of_ten_pieces_sell_exactly_ten(
    inventory: Participant, admin: Admin, new_id: Callable[[], str]
) -> None:
    sku = new_id()
    await stock_up(admin, sku, 10)
    body = {"items": [{"sku": sku, "quantity": 1}]}

    answers = await asyncio.gather(
        *(insist(partial(inventory.do, f"/reservations/{new_id()}", body)) for _ in range(50))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 10 + [409] * 40
    assert {code(answer) for answer in answers if answer.status_code == 409} == {(409, "OUT_OF_STOCK")}
    assert await held(admin, sku) == 10


async def test_orders_that_name_the_same_items_in_opposite_order_never_deadlock(
    inventory: Participant, admin: Admin, new_id: Callable[[], str]
) -> None:
    skus = sorted([new_id(), new_id()])
    for sku in skus:
        await stock_up(admin, sku, 1_000)
    forth = {"items": [{"sku": sku, "quantity": 1} for sku in skus]}
    back = {"items": forth["items"][::-1]}
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await admin.fetchval(deadlocks)

    async def reserve_and_release(body: object) -> list[int]:
        path = f"/reservations/{new_id()}"
        commands = (partial(inventory.do, path, body), partial(inventory.undo, path))
        return [(await insist(command)).status_code for command in commands]

    answers = await asyncio.gather(*(reserve_and_release(body) for body in [forth, back] * 30))
    assert answers == [[200, 200]] * 60
    assert await admin.fetchval(deadlocks) == before
    assert [await held(admin, sku) for sku in skus] == [0, 0]


async def test_the_database_itself_refuses_to_oversell(admin: Admin, inventory: Participant) -> None:
    await inventory.http.get("/stock")
    with pytest.raises(asyncpg.CheckViolationError, match="never_oversold"):
        await admin.execute("UPDATE inventory.stock SET reserved = 1 WHERE sku = 'UNOBTAINIUM'")


async def test_the_stock_says_what_there_is_and_what_is_held(inventory: Participant, admin: Admin) -> None:
    stock = {each.pop("sku"): each for each in (await inventory.http.get("/stock")).json()["stock"]}
    assert stock["UNOBTAINIUM"] == {"onHand": 0, "reserved": 0}
    assert stock["MONITOR"] == {"onHand": 1_000_000, "reserved": await held(admin, "MONITOR")}


@pytest.mark.parametrize("orders", [60, pytest.param(400, marks=pytest.mark.proof)])
async def test_orders_of_three_hot_articles_at_once_with_releases_between_them_never_oversell_or_deadlock(
    inventory: Participant, admin: Admin, new_id: Callable[[], str], orders: int
) -> None:
    random = Random(4711)  # noqa: S311 - which articles, and in which order
    skus = [new_id() for _ in range(3)]
    stock = orders * 3 // 8
    for sku in skus:
        await stock_up(admin, sku, stock)
    deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    before = await admin.fetchval(deadlocks)

    async def order(number: int) -> bool:
        url = f"/reservations/{new_id()}"
        items = [{"sku": sku, "quantity": 1} for sku in random.sample(skus, random.randint(1, 3))]
        reserved = (await insist(lambda: inventory.do(url, {"items": items}))).status_code == 200
        if number % 4 == 0:
            assert (await insist(lambda: inventory.undo(url))).status_code == 200
        return reserved

    begun = time.perf_counter()
    reserved = await asyncio.gather(*(order(number) for number in range(orders)))
    commands = orders * 5 // 4
    print(f"{commands / (time.perf_counter() - begun):.0f} commands/s, {orders} callers and the service in one process")  # noqa: T201 - a figure
    assert any(reserved)
    assert not all(reserved)
    for sku in skus:
        live = await admin.fetchval("SELECT sum(reserved - released) FROM inventory.reservations WHERE sku = $1", sku)
        assert await held(admin, sku) == live <= stock
    assert await admin.fetchval(deadlocks) == before
