"""Shipping: one parcel per order, to places where a carrier goes."""

import asyncio

import pytest

from tests.services.participant import ADDRESS, PARCEL, Participant, code
from tests.services.postgres import Admin


async def parcels(admin: Admin, order_id: str) -> list[bool]:
    """Return of each shipment of the order whether it is cancelled."""
    rows = await admin.fetch("SELECT cancelled FROM shipping.shipments WHERE order_id = $1", order_id)
    return [row["cancelled"] for row in rows]


async def test_a_shipment_holds_the_items_and_gets_a_tracking_code(
    shipping: Participant, admin: Admin, order_id: str
) -> None:
    answer = await shipping.do(f"/shipments/{order_id}", PARCEL)
    assert answer.status_code == 200
    kept = await admin.fetchrow("SELECT * FROM shipping.shipments WHERE order_id = $1", order_id)
    assert answer.json() == {"shipmentId": order_id, "trackingCode": kept["tracking_code"]}
    assert (kept["name"], kept["postal_code"], kept["country"]) == ("Ada Lovelace", "10115", "DE")
    items = await admin.fetch("SELECT sku, quantity FROM shipping.shipment_items WHERE order_id = $1", order_id)
    assert {tuple(item) for item in items} == {("KEYBOARD", 2), ("MOUSE", 1)}
    assert await parcels(admin, order_id) == [False]


async def test_an_address_without_a_carrier_is_refused_and_ships_nothing(
    shipping: Participant, admin: Admin, order_id: str
) -> None:
    answer = await shipping.do(f"/shipments/{order_id}", {**PARCEL, "shipTo": {**ADDRESS, "country": "AQ"}})
    assert code(answer) == (409, "ADDRESS_UNSERVICEABLE")
    assert "Lovelace" not in answer.text
    assert await parcels(admin, order_id) == []


async def test_a_cancelled_shipment_is_marked_so(shipping: Participant, admin: Admin, order_id: str) -> None:
    await shipping.do(f"/shipments/{order_id}", PARCEL)
    answer = await shipping.undo(f"/shipments/{order_id}")
    assert (answer.status_code, answer.json()) == (200, {"shipmentId": order_id, "status": "cancelled"})
    assert await parcels(admin, order_id) == [True]


async def test_twenty_simultaneous_copies_of_one_command_ship_one_parcel(
    shipping: Participant, admin: Admin, order_id: str
) -> None:
    answers = await asyncio.gather(*(shipping.do(f"/shipments/{order_id}", PARCEL) for _ in range(20)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert await parcels(admin, order_id) == [False]


async def test_an_event_tells_what_happened_and_nothing_about_the_customer(
    shipping: Participant, admin: Admin, order_id: str
) -> None:
    await shipping.do(f"/shipments/{order_id}", PARCEL)
    await shipping.do(f"/shipments/{order_id}", PARCEL)
    await shipping.undo(f"/shipments/{order_id}")
    query = "SELECT event::text FROM shipping.outbox WHERE event->>'subject' = $1 ORDER BY position"
    events = [row["event"] for row in await admin.fetch(query, order_id)]
    types = [event.split('"type": "')[1].split('"')[0] for event in events]
    assert types == ["saga.shipping.shipment.done", "saga.shipping.shipment.undone"]
    for personal in ADDRESS.values():
        if personal != "DE":
            assert personal not in "".join(events)


@pytest.mark.parametrize("field", sorted(ADDRESS))
async def test_a_missing_part_of_the_address_is_named(shipping: Participant, order_id: str, field: str) -> None:
    address = {name: value for name, value in ADDRESS.items() if name != field}
    answer = await shipping.do(f"/shipments/{order_id}", {**PARCEL, "shipTo": address})
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == [f"shipTo.{field}"]
