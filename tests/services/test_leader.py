"""Who delivers: one process of a service, and another one when that dies, hangs or is cut off."""

import asyncio
import signal

from services.participant import relay
from services.participant.relay import RelayTimes
from tests.services.conftest import Logged, OwnDatabase, running
from tests.services.consumer import FakeConsumer
from tests.services.deliveries import Outbox, all_are, events_url, lines, reserve
from tests.services.forked import forked
from tests.services.participant import Participant, token
from tests.stack import free_port
from tests.world import eventually

NOWHERE = "http://127.0.0.1:9/events"


async def leaders(own_database: OwnDatabase) -> list[int]:
    """Return the pids of the sessions that lead."""
    rows = await own_database.admin.fetch(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND classid = $1 "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        relay._LOCK,  # noqa: SLF001 - the lock is what is looked at
    )
    return [row["pid"] for row in rows]


async def test_of_two_replicas_one_leads_and_delivers_the_events_of_both(
    own_database: OwnDatabase, order_id: str, outbox: Outbox
) -> None:
    url = own_database.role_urls["inventory"]
    async with (
        FakeConsumer([]).running() as consumer,
        running("inventory", url, events_url=consumer.url) as one,
        running("inventory", url, events_url=consumer.url) as other,
    ):
        for number in range(10):
            await asyncio.gather(reserve(one, f"{order_id}-{number}"), reserve(other, f"{order_id}-{number}-b"))
        rows = await eventually(outbox, all_are("delivered", 20))
        assert len(await leaders(own_database)) == 1
    sent = [event["id"] for event in consumer.accepted]
    assert sorted(sent) == sorted(event_id for event_id, _ in rows), "two leaders would send some of them twice"


async def test_when_the_leader_is_killed_a_replica_takes_over(
    own_database: OwnDatabase,
    consumer: Participant,
    outbox: Outbox,
    order_id: str,
) -> None:
    url, port = own_database.role_urls["inventory"], free_port()
    environment = {"EVENTS_URL": NOWHERE, "TOKEN_RECORD_EVENTS": token("record-events"), "PORT": str(port)}
    with forked("inventory", INVENTORY_DATABASE_URL=url, **environment) as leader:
        before = await eventually(lambda: leaders(own_database), lambda pids: len(pids) == 1)
        async with running("inventory", url, events_url=events_url(consumer)) as inventory:
            await reserve(inventory, order_id)
            assert await leaders(own_database) == before
            assert all_are("waits", 1)(await outbox())
            leader.signal(signal.SIGKILL)
            await eventually(outbox, all_are("delivered", 1))
            assert await leaders(own_database) != before


async def test_a_leader_whose_session_ends_leads_again(
    own_database: OwnDatabase, consumer: Participant, outbox: Outbox, order_id: str
) -> None:
    async with running("inventory", own_database.role_urls["inventory"], events_url=events_url(consumer)) as inventory:
        (before,) = await eventually(lambda: leaders(own_database), lambda pids: len(pids) == 1)
        await own_database.admin.execute("SELECT pg_terminate_backend($1)", before)
        await reserve(inventory, order_id)
        await eventually(outbox, all_are("delivered", 1))
        assert await leaders(own_database) != [before]


async def test_a_leader_that_hangs_loses_the_lead_and_can_mark_nothing_any_more(
    own_database: OwnDatabase, outbox: Outbox, order_id: str, logged: Logged
) -> None:
    times = RelayTimes(poll=0.1, idle_session_timeout=0.3)
    url = own_database.role_urls["inventory"]
    held = asyncio.Event()
    async with (
        FakeConsumer([], first_held=held).running() as slow,
        FakeConsumer([500] * 100).running() as other,
        running("inventory", url, events_url=slow.url, relay_times=times) as inventory,
    ):
        await reserve(inventory, order_id)
        await eventually(lambda: count(slow), lambda deliveries: deliveries == 1)
        (before,) = await leaders(own_database)
        async with running("inventory", url, events_url=other.url, relay_times=times):
            await eventually(lambda: count(other), lambda deliveries: deliveries >= 1)
            assert before not in await leaders(own_database)
            held.set()
            await eventually(
                lambda: lines(logged), lambda logged: any("database" in str(each.get("reason")) for each in logged)
            )
            assert all_are("waits", 1)(await outbox()), "its mark comes after its session"


async def count(consumer: FakeConsumer) -> int:
    return len(consumer.deliveries)
