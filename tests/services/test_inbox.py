"""The consumer of events: each is applied once, nothing malformed is taken, and an order shows its timeline."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from services.orders import timeline
from services.participant import inbox
from tests.services.conftest import OwnDatabase, running
from tests.services.participant import Participant, code
from tests.services.postgres import Admin

BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"


def event(event_id: str, order_id: str, **changes: object) -> dict[str, object]:
    return {
        "specversion": "1.0",
        "id": f"{order_id}-{event_id}",
        "source": "/payment",
        "type": "saga.payment.payment.done",
        "subject": order_id,
        "time": "2026-11-25T10:00:00.000001+00:00",
        **changes,
    }


async def send(orders: Participant, body: object, media_type: str = BATCH) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body)
    return await orders.http.post("/events", content=content, headers={"Content-Type": media_type})


async def read(orders: Participant, order_id: str) -> list[str]:
    answer = await orders.http.get(f"/orders/{order_id}/events")
    assert answer.status_code == 200
    assert answer.json()["orderId"] == order_id
    return [each["id"].removeprefix(f"{order_id}-") for each in answer.json()["events"]]


async def test_an_event_is_applied_once_however_often_it_is_delivered(orders: Participant, order_id: str) -> None:
    for _ in range(3):
        assert (await send(orders, [event("a", order_id), event("b", order_id)])).status_code == 204
    assert (await send(orders, event("a", order_id), SINGLE)).status_code == 204
    assert await read(orders, order_id) == ["a", "b"]


async def test_an_event_that_stands_twice_in_one_delivery_is_applied_once(orders: Participant, order_id: str) -> None:
    assert (await send(orders, [event("a", order_id), event("b", order_id), event("a", order_id)])).status_code == 204
    assert await read(orders, order_id) == ["a", "b"]


async def test_deliveries_of_the_same_events_at_the_same_time_apply_each_once(
    orders: Participant, order_id: str
) -> None:
    events = [event(f"{number:02}", order_id) for number in range(50)]
    batches = [events, events[::-1]] * 10
    answers = await asyncio.gather(*(send(orders, batch) for batch in batches))
    assert {answer.status_code for answer in answers} == {204}
    assert sorted(await read(orders, order_id)) == [f"{number:02}" for number in range(50)]


async def test_the_same_id_of_another_source_is_another_event(orders: Participant, order_id: str) -> None:
    assert (await send(orders, [event("a", order_id), event("a", order_id, source="/shipping")])).status_code == 204
    assert await read(orders, order_id) == ["a", "a"]


async def test_what_fails_after_the_inbox_leaves_the_event_new(
    orders: Participant, admin: Admin, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def apply(connection: Any, events: Any) -> None:  # noqa: ANN401 - as the function that it stands for
        await inbox.admit(connection, events)
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(timeline, "apply", apply)
        assert code(await send(orders, [event("a", order_id)])) == (500, "INTERNAL_ERROR")
    assert await admin.fetchval("SELECT count(*) FROM orders.inbox WHERE id = $1", f"{order_id}-a") == 0
    assert (await send(orders, [event("a", order_id)])).status_code == 204
    assert await read(orders, order_id) == ["a"]


async def test_events_are_acknowledged_when_they_are_committed_and_not_before(
    own_database: OwnDatabase, order_id: str
) -> None:
    # As a database that is cut off at the commit, when all statements have succeeded.
    await own_database.admin.execute(
        "CREATE FUNCTION orders.fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'cut off'; END $$; "
        "CREATE CONSTRAINT TRIGGER fail AFTER INSERT ON orders.timeline DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION orders.fail()"
    )
    async with running("orders", own_database.role_urls["orders"]) as orders:
        assert code(await send(orders, [event("a", order_id)])) == (500, "INTERNAL_ERROR")
        await own_database.admin.execute("DROP TRIGGER fail ON orders.timeline")
        assert (await send(orders, [event("a", order_id)])).status_code == 204
        assert await read(orders, order_id) == ["a"]


async def test_the_timeline_is_in_the_order_of_time_then_of_arrival(orders: Participant, order_id: str) -> None:
    late = event("late", order_id, time="2026-11-25T12:00:00+01:00", source="/a")
    early = event("early", order_id, time="2026-11-25T10:59:59Z", source="/b")
    same = event("same", order_id, time="2026-11-25T11:00:00Z", source="/c")
    assert (await send(orders, [late, same])).status_code == 204
    assert (await send(orders, [early])).status_code == 204
    answer = (await orders.http.get(f"/orders/{order_id}/events")).json()
    assert [each["id"].rpartition("-")[2] for each in answer["events"]] == ["early", "late", "same"]
    assert answer["events"][1] == {
        "id": f"{order_id}-late",
        "source": "/a",
        "type": "saga.payment.payment.done",
        "time": "2026-11-25T11:00:00Z",
    }


async def test_an_order_that_nobody_knows_has_an_empty_timeline(orders: Participant, order_id: str) -> None:
    assert await read(orders, order_id) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"specversion": "0.3"}, "events[1].specversion"),
        ({"id": ""}, "events[1].id"),
        ({"id": "\x00"}, "events[1].id"),
        ({"id": 7}, "events[1].id"),
        ({"source": ""}, "events[1].source"),
        ({"source": "/pay ment"}, "events[1].source"),
        ({"type": "ü"}, "events[1].type"),
        ({"subject": "../4711"}, "events[1].subject"),
        ({"time": "2026-11-25T10:00:00"}, "events[1].time"),
        ({"time": 1764064800}, "events[1].time"),
        ({"time": "0001-01-01T00:00:00+14:00"}, "events[1].time"),
        ({"time": "9999-12-31T23:59:59-14:00"}, "events[1].time"),
        ({"data": {"card": "4242424242424242"}}, "events[1]"),
    ],
)
async def test_a_batch_with_a_malformed_event_is_refused_as_a_whole_and_the_field_is_named(
    orders: Participant, order_id: str, changes: dict[str, object], field: str
) -> None:
    answer = await send(orders, [event("a", order_id), event("b", order_id, **changes)])
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [each["field"] for each in answer.json()["errors"]] == [field]
    assert "4242" not in answer.text
    assert await read(orders, order_id) == []


@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "type", "subject", "time"])
async def test_an_event_without_one_of_its_attributes_is_refused(
    orders: Participant, order_id: str, attribute: str
) -> None:
    incomplete = {name: value for name, value in event("a", order_id).items() if name != attribute}
    answer = await send(orders, incomplete, SINGLE)
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [each["field"] for each in answer.json()["errors"]] == [attribute]


@pytest.mark.parametrize("body", [b"", b"[", b"{}", b"7", b"\xff", b"[[]]", b"null", b'"x"'])
async def test_what_is_no_batch_is_refused(orders: Participant, body: bytes) -> None:
    assert code(await send(orders, body)) == (422, "REQUEST_INVALID")


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "", "application/cloudevents-batch"])
async def test_another_media_type_is_refused(orders: Participant, order_id: str, media_type: str) -> None:
    assert code(await send(orders, [event("a", order_id)], media_type)) == (415, "MEDIA_TYPE_UNKNOWN")
    assert await read(orders, order_id) == []


async def test_a_media_type_is_understood_with_its_parameters_and_in_any_case(
    orders: Participant, order_id: str
) -> None:
    assert (await send(orders, [event("a", order_id)], f"{BATCH.upper()}; charset=utf-8")).status_code == 204
    assert await read(orders, order_id) == ["a"]


async def test_a_hundred_events_are_taken_and_one_more_is_refused(
    orders: Participant, new_id: Callable[[], str]
) -> None:
    order_id = new_id()
    events = [event(f"{number:03}", order_id) for number in range(101)]
    assert code(await send(orders, events)) == (422, "REQUEST_INVALID")
    assert (await send(orders, events[:100])).status_code == 204
    assert len(await read(orders, order_id)) == 100
    assert (await send(orders, [])).status_code == 204
