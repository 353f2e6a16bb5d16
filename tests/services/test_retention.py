"""Retention: a saga is forgotten when it is old enough and the orchestrator says that it has ended; whole or not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from pydantic import ValidationError

from services.participant.database import DatabaseTimeouts
from services.participant.settings import LimitSettings, ServiceSettings
from tests.services.conftest import OwnDatabase, running
from tests.services.consumer import FakeConsumer
from tests.services.participant import CHARGE, HOLD, ORDER, PARCEL, Participant, code
from tests.services.postgres import Admin
from tests.world import eventually

OLD = timedelta(days=401)
DOS = [
    ("orders", "/orders/{}", ORDER),
    ("inventory", "/reservations/{}", HOLD),
    ("payment", "/payments/{}", CHARGE),
    ("shipping", "/shipments/{}", PARCEL),
]
each_do = pytest.mark.parametrize(("service", "path", "body"), DOS, ids=[service for service, _, _ in DOS])


async def age(admin: Admin, service: str, order_id: str, by: timedelta = OLD, op: str | None = None) -> None:
    """Let the barrier rows of a saga have been written that long ago, and what was done be settled."""
    await admin.execute(
        f"UPDATE {service}.barrier SET created_at = created_at - $2::interval, "  # noqa: S608 - our own name
        "settlement = CASE op WHEN 'do' THEN coalesce(settlement, 'kept') END "
        "WHERE saga_id = $1 AND op = coalesce($3, op)",
        order_id,
        by,
        op,
    )


async def rows(admin: Admin, service: str, order_id: str) -> dict[str, bool]:
    """Return the ops of a saga's barrier rows, and whether each is fenced."""
    found = await admin.fetch(f"SELECT op, fenced FROM {service}.barrier WHERE saga_id = $1", order_id)  # noqa: S608
    return {row["op"]: row["fenced"] for row in found}


async def expired(participant: Participant, **query: str | int) -> list[str]:
    answer = await participant.http.get("/sagas/expired", params=query)
    assert answer.status_code == 200
    return list(answer.json()["sagaIds"])


async def purge(participant: Participant, order_id: str) -> tuple[int, str | int]:
    answer = await participant.http.delete(f"/sagas/{order_id}/barrier")
    return (200, answer.json()["barrierRows"]) if answer.status_code == 200 else code(answer)


@pytest.mark.parametrize("days", ["0", "-1", "36501", "x"])
def test_a_retention_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    monkeypatch.setenv("BARRIER_RETENTION_DAYS", days)
    with pytest.raises(ValidationError):
        ServiceSettings()


async def test_the_retention_is_what_the_configuration_says(own_database: OwnDatabase, order_id: str) -> None:
    url = own_database.role_urls["shipping"]
    async with running("shipping", url, limits=LimitSettings(barrier_retention_days=30)) as shipping:
        await shipping.do(f"/shipments/{order_id}", PARCEL)
        await age(own_database.admin, "shipping", order_id, timedelta(days=29))
        assert await expired(shipping) == []
        assert await purge(shipping, order_id) == (409, "SAGA_NOT_EXPIRED")
        await age(own_database.admin, "shipping", order_id, timedelta(days=1))
        assert await expired(shipping) == [order_id]
        assert await purge(shipping, order_id) == (200, 1)


@pytest.mark.parametrize("settlement", [None, "asked"])
@each_do
async def test_an_effect_that_nobody_has_settled_keeps_its_saga(
    participants: dict[str, Participant],
    admin: Admin,
    order_id: str,
    service: str,
    path: str,
    body: dict[str, object],
    settlement: str | None,
) -> None:
    participant = participants[service]
    await participant.do(path.format(order_id), body)
    await age(admin, service, order_id)
    await admin.execute(f"UPDATE {service}.barrier SET settlement = $2 WHERE saga_id = $1", order_id, settlement)  # noqa: S608
    assert order_id not in await expired(participant, limit=1000)
    assert await purge(participant, order_id) == (409, "SAGA_NOT_EXPIRED")
    assert await rows(admin, service, order_id) == {"do": False}


@each_do
async def test_an_old_saga_is_forgotten_whole_and_its_business_rows_stay(
    participants: dict[str, Participant], admin: Admin, order_id: str, service: str, path: str, body: dict[str, object]
) -> None:
    participant = participants[service]
    await participant.do(path.format(order_id), body)
    await participant.undo(path.format(order_id))
    await age(admin, service, order_id)
    assert order_id in await expired(participant)
    assert await purge(participant, order_id) == (200, 2)
    assert await rows(admin, service, order_id) == {}
    assert order_id not in await expired(participant)
    assert await purge(participant, order_id) == (200, 0), "said twice, nothing more happens"
    table = {"orders": "orders", "inventory": "reservations", "payment": "payments", "shipping": "shipments"}[service]
    assert await admin.fetchval(f"SELECT count(*) FROM {service}.{table} WHERE order_id = $1", order_id)  # noqa: S608


async def test_a_saga_with_one_young_row_is_neither_listed_nor_forgotten(
    payment: Participant, admin: Admin, order_id: str
) -> None:
    await payment.do(f"/payments/{order_id}", CHARGE)
    await age(admin, "payment", order_id)
    await payment.undo(f"/payments/{order_id}")
    assert order_id not in await expired(payment)
    assert await purge(payment, order_id) == (409, "SAGA_NOT_EXPIRED")
    assert await rows(admin, "payment", order_id) == {"do": False, "undo": False}


async def test_a_saga_with_a_command_that_has_no_answer_is_not_forgotten(
    payment: Participant, admin: Admin, order_id: str
) -> None:
    await admin.execute(
        "INSERT INTO payment.barrier (saga_id, branch, op, fenced) VALUES ($1, 'payment', 'do', false)", order_id
    )
    await age(admin, "payment", order_id)
    assert await purge(payment, order_id) == (409, "SAGA_NOT_EXPIRED")
    assert await rows(admin, "payment", order_id) == {"do": False}


async def test_a_tombstone_is_forgotten_as_every_other_row(payment: Participant, admin: Admin, order_id: str) -> None:
    await payment.undo(f"/payments/{order_id}")
    await age(admin, "payment", order_id)
    assert await purge(payment, order_id) == (200, 2)


@each_do
async def test_a_do_that_comes_after_its_saga_was_forgotten_has_no_second_effect_and_says_why(
    participants: dict[str, Participant], admin: Admin, order_id: str, service: str, path: str, body: dict[str, object]
) -> None:
    participant = participants[service]
    assert (await participant.do(path.format(order_id), body)).status_code == 200
    await age(admin, service, order_id)
    await purge(participant, order_id)
    events = f"SELECT count(*) FROM {service}.outbox WHERE event ->> 'subject' = $1"  # noqa: S608 - our own name
    before = await admin.fetchval(events, order_id)
    assert code(await participant.do(path.format(order_id), body)) == (409, "ANSWER_FORGOTTEN")
    assert await rows(admin, service, order_id) == {}, "nothing is kept of it"
    assert await admin.fetchval(events, order_id) == before


@each_do
async def test_an_undo_that_comes_after_its_saga_was_forgotten_says_so_and_is_not_told_that_there_was_nothing(
    participants: dict[str, Participant], admin: Admin, order_id: str, service: str, path: str, body: dict[str, object]
) -> None:
    participant = participants[service]
    assert (await participant.do(path.format(order_id), body)).status_code == 200
    await age(admin, service, order_id)
    assert await purge(participant, order_id) == (200, 1)
    for _ in range(2):
        assert code(await participant.undo(path.format(order_id))) == (409, "ANSWER_FORGOTTEN")
    assert await rows(admin, service, order_id) == {}, "nothing is kept of it"


@pytest.mark.parametrize("race", range(25))
async def test_a_purge_and_an_undo_at_the_same_time_leave_all_or_none(
    payment: Participant, admin: Admin, order_id: str, race: int
) -> None:
    url = f"/payments/{order_id}"
    await payment.do(url, CHARGE)
    await age(admin, "payment", order_id)

    async def undo() -> int:
        await asyncio.sleep(race / 5000)
        return (await payment.undo(url)).status_code

    (purged, _), undone = await asyncio.gather(purge(payment, order_id), undo())
    refunded = await admin.fetchval("SELECT refunded FROM payment.payments WHERE order_id = $1", order_id)
    left = await rows(admin, "payment", order_id)
    if purged == 409:
        assert (undone, left, refunded) == (200, {"do": False, "undo": False}, 12470)
    else:  # The purge came first: a do that nobody remembers cannot be undone.
        assert (undone, left, refunded) == (409, {}, 0)


@pytest.mark.parametrize("race", range(25))
async def test_a_purge_and_a_repeated_do_at_the_same_time_leave_all_or_none(
    payment: Participant, admin: Admin, order_id: str, race: int
) -> None:
    url = f"/payments/{order_id}"
    first = await payment.do(url, CHARGE)
    await age(admin, "payment", order_id)

    async def repeat() -> tuple[int, bytes]:
        await asyncio.sleep(race / 5000)
        answer = await payment.do(url, CHARGE)
        return answer.status_code, answer.content if answer.status_code == 200 else b""

    purged, repeated = await asyncio.gather(purge(payment, order_id), repeat())
    assert purged == (200, 1)
    assert repeated in {(200, first.content), (409, b"")}
    assert await rows(admin, "payment", order_id) == {}
    assert await admin.fetchval("SELECT captured FROM payment.payments WHERE order_id = $1", order_id) == 12470


async def test_an_undo_that_has_begun_is_waited_for_and_keeps_its_saga(
    own_database: OwnDatabase, order_id: str
) -> None:
    admin, url = own_database.admin, f"/shipments/{order_id}"
    # On a busy machine the purge may come when the undo has waited for its lock as long as it does in production.
    patient = DatabaseTimeouts(transaction=30.0, lock=20.0, statement=30.0)
    async with running("shipping", own_database.role_urls["shipping"], timeouts=patient) as shipping:
        await shipping.do(url, PARCEL)
        await age(admin, "shipping", order_id)
        other = await own_database.connect()
        async with other.transaction():
            # The cancellation stops here: its barrier row is written, its do is locked, and nothing of it is committed.
            await other.execute("SELECT FROM shipping.shipments WHERE order_id = $1 FOR UPDATE", order_id)
            undo = asyncio.create_task(shipping.undo(url))
            await eventually(lambda: waiting(admin), lambda count: count == 1)
            forget = asyncio.create_task(purge(shipping, order_id))
            await eventually(lambda: waiting(admin), lambda count: count == 2)
        assert (await undo).status_code == 200
        assert await forget == (409, "SAGA_NOT_EXPIRED")
        assert await rows(admin, "shipping", order_id) == {"do": False, "undo": False}
        await other.close()


async def waiting(admin: Admin) -> int:
    count: int = await admin.fetchval(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    return count


async def test_expired_sagas_come_page_by_page(own_database: OwnDatabase, new_id: Callable[[], str]) -> None:
    ids = sorted(new_id() for _ in range(5))
    async with running("payment", own_database.role_urls["payment"]) as payment:
        for order_id in ids:
            await payment.do(f"/payments/{order_id}", CHARGE)
            await age(own_database.admin, "payment", order_id)
        assert await expired(payment, limit=2) == ids[:2]
        assert await expired(payment, limit=2, after=ids[1]) == ids[2:4]
        assert await expired(payment, limit=2, after=ids[3]) == ids[4:]
        assert await expired(payment) == ids
        for limit in (0, 1001):
            assert code(await payment.http.get("/sagas/expired", params={"limit": limit})) == (422, "REQUEST_INVALID")


@pytest.fixture
async def consumer() -> AsyncIterator[FakeConsumer]:
    async with FakeConsumer([]).running() as consumer:
        yield consumer


async def test_the_leader_removes_what_was_delivered_or_received_longer_ago_than_the_retention_and_nothing_else(
    own_database: OwnDatabase, consumer: FakeConsumer
) -> None:
    admin = own_database.admin
    await admin.executemany(
        "INSERT INTO payment.outbox (event, delivered_at, rejected_with) VALUES ($1, now() - $2::interval, $3)",
        [
            (json.dumps({"id": "delivered long ago"}), OLD, None),
            (json.dumps({"id": "delivered lately"}), timedelta(days=399), None),
            (json.dumps({"id": "rejected"}), None, 422),
        ],
    )
    await admin.executemany(
        "INSERT INTO payment.inbox (source, id, received_at) VALUES ('/orders', $1, now() - $2::interval)",
        [("received long ago", OLD), ("received lately", timedelta(days=399))],
    )

    async def left() -> tuple[list[str], list[str]]:
        outbox = await admin.fetch("SELECT event ->> 'id' AS id FROM payment.outbox ORDER BY position")
        inbox = await admin.fetch("SELECT id FROM payment.inbox")
        return [row["id"] for row in outbox], [row["id"] for row in inbox]

    async with running("payment", own_database.role_urls["payment"], events_url=consumer.url):
        expected = (["delivered lately", "rejected"], ["received lately"])
        await eventually(left, lambda found: found == expected)
