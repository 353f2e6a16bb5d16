"""The relay: every event reaches its consumer at least once and in order, and is applied there once."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from saga.common.tokens import Tokens
from services.participant.relay import RelayTimes
from tests.proxy import HoldingProxy
from tests.services.conftest import Logged, OwnDatabase, running
from tests.services.consumer import FakeConsumer
from tests.services.deliveries import Outbox, TimelineIds, all_are, events_url, lines, reserve
from tests.services.forked import forked
from tests.services.participant import HOLD, Participant, bearer, key, token
from tests.services.test_server import TIMEOUT, started, until_ready
from tests.stack import free_port
from tests.world import eventually


async def test_every_event_is_delivered_and_applied_once(
    own_database: OwnDatabase,
    consumer: Participant,
    outbox: Outbox,
    timeline: TimelineIds,
    new_id: Callable[[], str],
) -> None:
    async with running("inventory", own_database.role_urls["inventory"], events_url=events_url(consumer)) as inventory:
        for _ in range(6):
            await asyncio.gather(*(reserve(inventory, new_id()) for _ in range(25)))
        rows = await eventually(outbox, all_are("delivered", 150))
    assert await timeline() == [event_id for event_id, _ in rows]


async def test_a_commit_wakes_the_relay_at_once(
    own_database: OwnDatabase, consumer: Participant, outbox: Outbox, order_id: str
) -> None:
    url, times = own_database.role_urls["inventory"], RelayTimes(poll=3600.0)
    async with running("inventory", url, events_url=events_url(consumer), relay_times=times) as inventory:
        for number in range(3):
            await reserve(inventory, f"{order_id}-{number}")
            await eventually(outbox, all_are("delivered", number + 1), seconds=5)


async def test_what_the_consumer_applied_and_could_not_acknowledge_is_applied_once(
    own_database: OwnDatabase, way: HoldingProxy, outbox: Outbox, timeline: TimelineIds, order_id: str
) -> None:
    with way.lose_reply("POST", "/events"), way.lose_reply("POST", "/events"):
        async with running(
            "inventory", own_database.role_urls["inventory"], events_url=f"{way.url}/events"
        ) as inventory:
            await reserve(inventory, order_id)
            rows = await eventually(outbox, all_are("delivered", 1))
    assert len(way.keys("/events")) >= 2
    assert await timeline() == [rows[0][0]]


async def test_events_wait_for_a_consumer_that_is_away(
    own_database: OwnDatabase, outbox: Outbox, timeline: TimelineIds, order_id: str, logged: Logged
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/events"
    async with running("inventory", own_database.role_urls["inventory"], events_url=url) as inventory:
        for number in range(3):
            await reserve(inventory, f"{order_id}-{number}")
        await eventually(lambda: lines(logged), lambda lines: "events wait" in {e["event"] for e in lines})
        assert all_are("waits", 3)(await outbox())
        async with running("orders", own_database.role_urls["orders"], port=port):
            rows = await eventually(outbox, all_are("delivered", 3))
    assert await timeline() == [event_id for event_id, _ in rows]
    waits = [line for line in logged() if line["event"] == "events wait"]
    assert [line["reason"] for line in waits] == ["consumer: ConnectError"], "said once, not at each try"


async def test_a_service_killed_between_delivery_and_mark_delivers_again_and_it_is_applied_once(
    own_database: OwnDatabase, way: HoldingProxy, outbox: Outbox, timeline: TimelineIds, order_id: str
) -> None:
    port = free_port()
    environment = {
        "INVENTORY_DATABASE_URL": own_database.role_urls["inventory"],
        "EVENTS_URL": f"{way.url}/events",
        "TOKEN_RECORD_EVENTS": token("record-events"),
        "PORT": str(port),
    }
    path = f"/reservations/{order_id}"
    with way.hold_reply("POST", "/events") as held, forked("inventory", **environment) as process:
        await asyncio.to_thread(until_ready, port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await http.put(path, json=HOLD, headers=key(path, "reserve-inventory") | bearer("reserve-inventory"))
        await asyncio.to_thread(held.wait_until_applied)
        process.signal(signal.SIGKILL)
        process.end()
        held.release()
    assert len(await timeline()) == 1
    assert all_are("waits", 1)(await outbox())
    with forked("inventory", **environment):
        rows = await eventually(outbox, all_are("delivered", 1))
    assert len(way.keys("/events")) == 2
    assert await timeline() == [rows[0][0]]


async def test_a_service_that_is_told_to_end_ends_and_marks_the_delivery_in_flight(
    own_database: OwnDatabase, way: HoldingProxy, outbox: Outbox, order_id: str
) -> None:
    port = free_port()
    path = f"/reservations/{order_id}"
    environment = {"EVENTS_URL": f"{way.url}/events", "TOKEN_RECORD_EVENTS": token("record-events"), "PORT": str(port)}
    with (
        way.hold_reply("POST", "/events") as held,
        started("inventory", INVENTORY_DATABASE_URL=own_database.role_urls["inventory"], **environment) as process,
    ):
        await asyncio.to_thread(until_ready, port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await http.put(path, json=HOLD, headers=key(path, "reserve-inventory") | bearer("reserve-inventory"))
        await asyncio.to_thread(held.wait_until_applied)
        process.send_signal(signal.SIGTERM)
        held.release()
        _, log = await asyncio.to_thread(process.communicate, timeout=TIMEOUT)
    assert process.returncode == 0, log
    assert all_are("delivered", 1)(await outbox())


async def test_an_event_whose_transaction_commits_after_a_later_one_is_delivered(
    own_database: OwnDatabase, consumer: Participant, outbox: Outbox, order_id: str
) -> None:
    slow = await own_database.connect()
    async with running("inventory", own_database.role_urls["inventory"], events_url=events_url(consumer)) as inventory:
        async with slow.transaction():
            position = await slow.fetchval(
                "INSERT INTO inventory.outbox (event) VALUES ($1) RETURNING position",
                json.dumps(event("slow", order_id)),
            )
            await reserve(inventory, order_id)
            await eventually(outbox, all_are("delivered", 1))
        later = await own_database.admin.fetchval("SELECT max(position) FROM inventory.outbox")
        assert position < later
        await eventually(outbox, all_are("delivered", 2))
    await slow.close()


async def test_nothing_overtakes_an_event_that_the_consumer_does_not_take_yet(
    own_database: OwnDatabase, outbox: Outbox, order_id: str
) -> None:
    async with (
        FakeConsumer([500, 503, 502, 429, 401]).running() as consumer,
        running("inventory", own_database.role_urls["inventory"], events_url=consumer.url) as inventory,
    ):
        await reserve(inventory, order_id)
        assert (await inventory.undo(f"/reservations/{order_id}")).status_code == 200
        await reserve(inventory, f"{order_id}-other")
        rows = await eventually(outbox, all_are("delivered", 3))
    ids = [event_id for event_id, _ in rows]
    assert [each["id"] for each in consumer.accepted] == ids
    assert {delivery.events[0]["id"] for delivery in consumer.deliveries[:6]} == {ids[0]}
    assert [each["type"].rpartition(".")[2] for each in consumer.accepted if each["subject"] == order_id] == [
        "done",
        "undone",
    ]


async def test_a_batch_that_takes_the_consumer_too_long_is_halved_until_it_fits(
    own_database: OwnDatabase, outbox: Outbox
) -> None:
    url, times = own_database.role_urls["inventory"], RelayTimes(post_timeout=0.5)
    events = [event(f"event-{number}", "4711") for number in range(100)]
    await own_database.admin.executemany(
        "INSERT INTO inventory.outbox (event) VALUES ($1)", [(json.dumps(each),) for each in events]
    )
    async with (
        FakeConsumer([], takes=0.01).running() as consumer,
        running("inventory", url, events_url=consumer.url, relay_times=times),
    ):
        await eventually(outbox, all_are("delivered", 100), seconds=20)
    assert len(consumer.deliveries[0].events) == 100
    assert len(consumer.deliveries) < 30, "and it grows again where it fits"


async def test_the_consumer_says_when_it_wants_to_be_asked_again(
    own_database: OwnDatabase, outbox: Outbox, order_id: str
) -> None:
    async with (
        FakeConsumer([503], retry_after="2").running() as consumer,
        running("inventory", own_database.role_urls["inventory"], events_url=consumer.url) as inventory,
    ):
        await reserve(inventory, order_id)
        await eventually(outbox, all_are("delivered", 1))
    first, second = consumer.deliveries
    assert second.at - first.at >= 2.0


async def test_an_event_that_the_consumer_rejects_is_set_aside_with_its_status_and_the_others_go_on(
    own_database: OwnDatabase, consumer: Participant, outbox: Outbox, timeline: TimelineIds, logged: Logged
) -> None:
    events = [event(f"event-{number}", "4711") for number in range(20)]
    events[13]["specversion"] = "0.3"
    await own_database.admin.executemany(
        "INSERT INTO inventory.outbox (event) VALUES ($1)", [(json.dumps(each),) for each in events]
    )
    async with running("inventory", own_database.role_urls["inventory"], events_url=events_url(consumer)):
        rows = await eventually(outbox, lambda rows: all(state != "waits" for _, state in rows))
    assert [event_id for event_id, state in rows if state != "delivered"] == ["event-13"]
    assert dict(rows)["event-13"] == "422"
    assert await timeline() == [f"event-{number}" for number in range(20) if number != 13]
    (line,) = (line for line in logged() if line["event"] == "event rejected")
    assert (line["level"], line["status"]) == ("error", 422)


@pytest.mark.parametrize("status", [401, 403, 404, 405, 415])
async def test_no_event_is_set_aside_because_the_way_to_the_consumer_is_wrong(
    own_database: OwnDatabase, outbox: Outbox, order_id: str, status: int, logged: Logged
) -> None:
    async with (
        FakeConsumer([status] * 3).running() as consumer,
        running("inventory", own_database.role_urls["inventory"], events_url=consumer.url) as inventory,
    ):
        await reserve(inventory, order_id)
        await eventually(outbox, all_are("delivered", 1))
    assert f"consumer: {status}" in {line.get("reason") for line in logged()}


async def test_the_relay_sends_its_own_token_and_none_before_it_has_one(
    own_database: OwnDatabase, outbox: Outbox, order_id: str, tmp_path: Path, logged: Logged
) -> None:
    tokens = Tokens({"TOKENS": str(tmp_path)})
    async with (
        FakeConsumer([]).running() as consumer,
        running(
            "inventory", own_database.role_urls["inventory"], events_url=consumer.url, relay_tokens=tokens
        ) as inventory,
    ):
        await reserve(inventory, order_id)
        await eventually(lambda: lines(logged), lambda lines: "events wait" in {e["event"] for e in lines})
        assert consumer.deliveries == []
        (tmp_path / "record-events").write_text("secret\n")
        await eventually(outbox, all_are("delivered", 1))
    assert [each.headers["authorization"] for each in consumer.deliveries] == ["Bearer secret"]
    assert [each.headers["content-type"] for each in consumer.deliveries] == ["application/cloudevents-batch+json"]
    assert "secret" not in json.dumps(logged())


def event(event_id: str, order_id: str) -> dict[str, str]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "/inventory",
        "type": "saga.inventory.reservation.done",
        "subject": order_id,
        "time": "2026-11-25T10:00:00+00:00",
    }


async def test_what_is_sent_is_a_cloudevent_as_its_own_library_reads_it(
    own_database: OwnDatabase, outbox: Outbox, order_id: str
) -> None:
    async with (
        FakeConsumer([]).running() as consumer,
        running("inventory", own_database.role_urls["inventory"], events_url=consumer.url) as inventory,
    ):
        await reserve(inventory, order_id)
        await eventually(outbox, all_are("delivered", 1))
    (sent,) = consumer.accepted
    read = JSONFormat().read(CloudEvent, json.dumps(sent))  # raises where an attribute is missing or malformed
    assert (read.get_specversion(), read.get_subject(), read.get_source()) == ("1.0", order_id, "/inventory")
    assert read.get_type() == "saga.inventory.reservation.done"
    assert read.get_data() is None
