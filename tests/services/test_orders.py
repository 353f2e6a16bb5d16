"""Orders: priced from the catalogue, held by one process instance, with one end each."""

import asyncio
from collections.abc import Callable

import httpx
import pytest

from tests.services.participant import ORDER, TOTAL, Participant, code
from tests.services.postgres import Admin


async def state(admin: Admin, order_id: str) -> str | None:
    status: str | None = await admin.fetchval("SELECT status FROM orders.orders WHERE order_id = $1", order_id)
    return status


async def test_an_accepted_order_is_priced_from_the_catalogue(orders: Participant, admin: Admin, order_id: str) -> None:
    answer = await orders.do(f"/orders/{order_id}", ORDER)
    assert answer.status_code == 200
    assert answer.json() == {"orderId": order_id, "total": TOTAL, "status": "accepted"}
    items = await admin.fetch("SELECT sku, quantity, price FROM orders.order_items WHERE order_id = $1", order_id)
    assert {tuple(item) for item in items} == {("KEYBOARD", 2, 4990), ("MOUSE", 1, 2490)}
    shown = (await orders.http.get(f"/orders/{order_id}")).json()
    assert shown == {
        "orderId": order_id,
        "customerId": "c-1",
        "items": ORDER["items"],
        "total": TOTAL,
        "status": "accepted",
    }


async def test_an_unknown_sku_is_refused_with_the_field_that_names_it_and_leaves_no_order(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    items = [{"sku": "KEYBOARD", "quantity": 1}, {"sku": "PERPETUUM", "quantity": 1}]
    answer = await orders.do(f"/orders/{order_id}", {**ORDER, "items": items})
    assert code(answer) == (422, "ORDER_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == ["items[1].sku"]
    assert await state(admin, order_id) is None


async def test_another_process_instance_of_the_order_is_a_duplicate_and_touches_nothing(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    path = f"/orders/{order_id}"
    first = await orders.do(path, ORDER)
    # The same key: both instances are the same saga, so the claim must be asked before the payloads are compared.
    second = await orders.do(path, {**ORDER, "claimant": "other", "items": [{"sku": "MOUSE", "quantity": 9}]})
    assert code(second) == (409, "ORDER_DUPLICATE")
    assert (await orders.do(path, ORDER)).content == first.content
    assert await admin.fetchval("SELECT total FROM orders.orders WHERE order_id = $1", order_id) == TOTAL["amount"]
    assert await admin.fetchval("SELECT claimant FROM orders.claims WHERE order_id = $1", order_id) == ORDER["claimant"]
    rows = await admin.fetch("SELECT 1 FROM orders.outbox WHERE event->>'subject' = $1", order_id)
    assert len(rows) == 1


async def test_a_duplicate_stays_one_after_the_order_was_cancelled(orders: Participant, order_id: str) -> None:
    await orders.do(f"/orders/{order_id}", ORDER)
    await orders.undo(f"/orders/{order_id}")
    again = await orders.do(f"/orders/{order_id}", {**ORDER, "claimant": "other"})
    assert code(again) == (409, "ORDER_DUPLICATE")


async def test_an_invalid_order_holds_no_claim_so_that_a_mended_one_may_come_under_its_id(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    wrong = {**ORDER, "items": [{"sku": "PERPETUUM", "quantity": 1}]}
    assert code(await orders.do(f"/orders/{order_id}", wrong)) == (422, "ORDER_INVALID")
    assert await admin.fetchval("SELECT count(*) FROM orders.claims WHERE order_id = $1", order_id) == 0
    mended = await orders.do(f"/orders/{order_id}", {**ORDER, "claimant": "other"})
    assert mended.status_code == 200
    assert code(await orders.do(f"/orders/{order_id}", wrong)) == (409, "ORDER_DUPLICATE")


async def test_of_many_simultaneous_claimants_exactly_one_holds_the_order(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    answers = await asyncio.gather(
        *(orders.do(f"/orders/{order_id}", {**ORDER, "claimant": f"instance-{number}"}) for number in range(20))
    )
    accepted = [answer for answer in answers if answer.status_code == 200]
    duplicates = [code(answer) for answer in answers if answer.status_code != 200]
    assert len(accepted) == 1
    assert duplicates == [(409, "ORDER_DUPLICATE")] * 19
    assert await admin.fetchval("SELECT count(*) FROM orders.orders WHERE order_id = $1", order_id) == 1


async def test_an_undone_order_is_cancelled_and_keeps_its_claim(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    await orders.do(f"/orders/{order_id}", ORDER)
    answer = await orders.undo(f"/orders/{order_id}")
    assert (answer.status_code, answer.json()) == (200, {"orderId": order_id, "status": "cancelled"})
    assert await state(admin, order_id) == "cancelled"
    assert await admin.fetchval("SELECT count(*) FROM orders.claims WHERE order_id = $1", order_id) == 1


async def test_a_dispatched_order_is_shipping_and_a_cancellation_comes_too_late(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    await orders.do(f"/orders/{order_id}", ORDER)
    dispatch = await orders.do(f"/orders/{order_id}/dispatch", {})
    assert (dispatch.status_code, dispatch.json()) == (200, {"orderId": order_id, "status": "shipping"})
    cancellation = await orders.do(f"/orders/{order_id}/cancellation", {})
    assert (cancellation.status_code, cancellation.json()) == (200, {"orderId": order_id, "accepted": False})
    assert await state(admin, order_id) == "shipping"


async def test_a_cancellation_before_dispatch_counts_even_for_an_order_not_yet_known(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    cancellation = await orders.do(f"/orders/{order_id}/cancellation", {})
    assert cancellation.json() == {"orderId": order_id, "accepted": True}
    assert (await orders.do(f"/orders/{order_id}", ORDER)).status_code == 200
    assert code(await orders.do(f"/orders/{order_id}/dispatch", {})) == (409, "ORDER_CANCELLED")
    assert await state(admin, order_id) == "accepted"


async def test_of_a_simultaneous_dispatch_and_cancellation_exactly_one_wins(
    orders: Participant, admin: Admin, new_id: Callable[[], str]
) -> None:
    for order_id in [new_id() for _ in range(25)]:
        await orders.do(f"/orders/{order_id}", ORDER)
        dispatch, cancellation = await asyncio.gather(
            orders.do(f"/orders/{order_id}/dispatch", {}), orders.do(f"/orders/{order_id}/cancellation", {})
        )
        await assert_winner(admin, order_id, await decided(admin, order_id), dispatch, cancellation)


@pytest.mark.parametrize("first", ["dispatch", "cancellation"])
async def test_of_a_dispatch_and_a_cancellation_the_second_waits_for_the_first_which_wins(
    orders: Participant, admin: Admin, order_id: str, first: str
) -> None:
    await orders.do(f"/orders/{order_id}", ORDER)
    [second] = {"dispatch", "cancellation"} - {first}
    answers = {}
    async with admin.transaction():
        # The outbox is what a command writes last: the first has decided by then, but nobody can read it yet.
        await admin.execute("LOCK TABLE orders.outbox")
        for waiting, name in enumerate((first, second), start=1):
            answers[name] = asyncio.create_task(orders.do(f"/orders/{order_id}/{name}", {}))
            await until_waiting(admin, waiting)
    await assert_winner(admin, order_id, first, await answers["dispatch"], await answers["cancellation"])


async def assert_winner(
    admin: Admin, order_id: str, winner: str, dispatch: httpx.Response, cancellation: httpx.Response
) -> None:
    """Check that both answers, the stored decision and the order's state tell of one and the same winner."""
    if winner == "dispatch":
        assert (dispatch.status_code, dispatch.json()) == (200, {"orderId": order_id, "status": "shipping"})
    else:
        assert code(dispatch) == (409, "ORDER_CANCELLED")
    accepted = winner == "cancellation"
    assert (cancellation.status_code, cancellation.json()) == (200, {"orderId": order_id, "accepted": accepted})
    assert await decided(admin, order_id) == winner
    assert await state(admin, order_id) == ("accepted" if accepted else "shipping")


async def decided(admin: Admin, order_id: str) -> str:
    return str(await admin.fetchval("SELECT decision FROM orders.decisions WHERE order_id = $1", order_id))


async def until_waiting(admin: Admin, commands: int) -> None:
    """Return once so many of the service's commands wait for a lock."""
    query = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid <> pg_backend_pid()"
    async with asyncio.timeout(5):
        while await admin.fetchval(query) < commands:  # noqa: ASYNC110 - PostgreSQL tells nobody who waits
            await asyncio.sleep(0.01)


async def test_a_late_dispatch_does_not_open_a_cancelled_order_again(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    await orders.do(f"/orders/{order_id}", ORDER)
    await orders.undo(f"/orders/{order_id}")
    assert code(await orders.do(f"/orders/{order_id}/dispatch", {})) == (409, "ORDER_CANCELLED")
    assert await state(admin, order_id) == "cancelled"
    # The refused dispatch decided nothing.
    assert (await orders.do(f"/orders/{order_id}/cancellation", {})).json()["accepted"] is True


async def test_a_dispatched_order_can_still_be_undone_when_no_carrier_goes_there(
    orders: Participant, admin: Admin, order_id: str
) -> None:
    await orders.do(f"/orders/{order_id}", ORDER)
    await orders.do(f"/orders/{order_id}/dispatch", {})
    await orders.undo(f"/orders/{order_id}")
    assert await state(admin, order_id) == "cancelled"


async def test_an_unknown_order_is_not_found_and_may_be_dispatched_once_it_is_accepted(
    orders: Participant, order_id: str
) -> None:
    assert code(await orders.http.get(f"/orders/{order_id}")) == (404, "ORDER_NOT_FOUND")
    assert code(await orders.do(f"/orders/{order_id}/dispatch", {})) == (404, "ORDER_NOT_FOUND")
    await orders.do(f"/orders/{order_id}", ORDER)
    assert (await orders.do(f"/orders/{order_id}/dispatch", {})).status_code == 200


async def test_the_catalogue_lists_what_can_be_ordered(orders: Participant) -> None:
    products = (await orders.http.get("/products")).json()["products"]
    assert [product["sku"] for product in products] == ["KEYBOARD", "MONITOR", "MOUSE", "UNOBTAINIUM"]
    assert products[0] == {"sku": "KEYBOARD", "name": "Keyboard", "price": {"amount": 4990, "currency": "EUR"}}
