"""The barrier: whatever is repeated, late, simultaneous or cut off, each command has at most one effect."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio.engine import AsyncConnection

from services.participant.problems import Refusal
from services.shipping.commands import ADDRESS_UNSERVICEABLE, Parcel, Shipment, ship
from tests.services.participant import ADDRESS, CHARGE, DECLINES, HOLD, ORDER, PARCEL, Participants, code
from tests.services.postgres import Admin


@dataclass(frozen=True)
class Branch:
    """One branch of the saga: how it is done, how it is refused, and where its effect shows."""

    service: str
    path: str
    body: dict[str, object]
    other: dict[str, object]
    refused: dict[str, object]
    effect: str

    def url(self, order_id: str) -> str:
        return self.path.format(order_id)

    async def effects(self, admin: Admin, order_id: str) -> int:
        count: int = await admin.fetchval(f"SELECT count(*) FROM {self.effect} WHERE order_id = $1", order_id)  # noqa: S608
        return count


UNKNOWN = [{"sku": "PERPETUUM", "quantity": 1}]
OTHER = [{"sku": "MONITOR", "quantity": 1}]
BRANCHES = [
    Branch(
        service="orders",
        path="/orders/{}",
        body=ORDER,
        other={**ORDER, "items": OTHER},
        refused={**ORDER, "items": UNKNOWN},
        effect="orders.orders",
    ),
    Branch(
        service="inventory",
        path="/reservations/{}",
        body=HOLD,
        other={"items": OTHER},
        refused={"items": UNKNOWN},
        effect="(SELECT DISTINCT order_id FROM inventory.reservations) r",
    ),
    Branch(
        service="payment",
        path="/payments/{}",
        body=CHARGE,
        other={**CHARGE, "amount": {"amount": 1, "currency": "EUR"}},
        refused={**CHARGE, "card": DECLINES},
        effect="(SELECT * FROM payment.payments WHERE captured > 0) p",
    ),
    Branch(
        service="shipping",
        path="/shipments/{}",
        body=PARCEL,
        other={**PARCEL, "items": OTHER},
        refused={**PARCEL, "shipTo": {**ADDRESS, "country": "AQ"}},
        effect="shipping.shipments",
    ),
]
[PAYMENT] = [branch for branch in BRANCHES if branch.service == "payment"]
each_branch = pytest.mark.parametrize("branch", BRANCHES, ids=lambda branch: branch.service)
# Payment's effect is at the card processor: what is known of it when it is cut off stays (test_elsewhere.py).
each_local_branch = pytest.mark.parametrize(
    "branch", [each for each in BRANCHES if each.service != "payment"], ids=lambda branch: branch.service
)


@each_branch
async def test_a_repeat_is_answered_byte_for_byte_and_has_no_second_effect(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    answers = [await service.do(url, branch.body) for _ in range(3)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert len({answer.headers["Content-Type"] for answer in answers}) == 1
    assert await branch.effects(admin, order_id) == 1


# An order's refusal is not kept: a mended order may come under its id (ADR 10, tests/services/test_orders.py).
@pytest.mark.parametrize(
    "branch", [each for each in BRANCHES if each.service != "orders"], ids=lambda each: each.service
)
async def test_a_refusal_is_repeated_byte_for_byte_and_never_has_an_effect(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    answers = [await service.do(url, branch.refused) for _ in range(2)]
    assert code(answers[0]) == code(answers[1])
    assert answers[0].content == answers[1].content
    assert answers[0].status_code in {409, 422}
    assert await branch.effects(admin, order_id) == 0
    assert (await service.undo(url)).status_code == 200
    assert (await service.do(url, branch.refused)).content == answers[0].content


async def test_a_refusal_takes_back_what_the_business_code_had_written(
    participants: Participants, admin: Admin, order_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def change_its_mind(connection: AsyncConnection, order_id: str, body: Parcel) -> Shipment:
        await ship(connection, order_id, body)
        raise Refusal(ADDRESS_UNSERVICEABLE, "On second thoughts.")

    monkeypatch.setattr("services.shipping.commands.ship", change_its_mind)
    answers = [await participants["shipping"].do(f"/shipments/{order_id}", PARCEL) for _ in range(2)]
    assert code(answers[0]) == (409, "ADDRESS_UNSERVICEABLE")
    assert answers[0].content == answers[1].content
    assert await admin.fetchval("SELECT count(*) FROM shipping.shipments WHERE order_id = $1", order_id) == 0


@each_branch
async def test_white_space_and_field_order_do_not_make_another_payload(
    participants: Participants, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    first = await service.do(url, branch.body)
    assert (await service.do(url, dict(reversed(branch.body.items())))).content == first.content


@each_branch
async def test_another_payload_under_the_same_key_is_told_apart_and_changes_nothing(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    first = await service.do(url, branch.body)
    assert code(await service.do(url, branch.other)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert (await service.do(url, branch.body)).content == first.content
    assert await branch.effects(admin, order_id) == 1


@each_branch
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_a_command_without_a_key_is_not_taken(
    participants: Participants, admin: Admin, order_id: str, branch: Branch, method: str
) -> None:
    http, url = participants[branch.service].http, branch.url(order_id)
    answer = await http.request(method, url, json=branch.body if method == "PUT" else None)
    assert code(answer) == (400, "IDEMPOTENCY_KEY_MISSING")
    assert await branch.effects(admin, order_id) == 0


@pytest.mark.parametrize(
    "value",
    [
        *('"other/process-payment"', '"{}/refund-payment"', '"{}/process-payment2"', '"{}/"'),
        *("{}/process-payment", '"{}/process-payment', '""', '"', "order"),
    ],
)
async def test_a_key_of_another_order_or_of_another_caller_is_refused(
    participants: Participants, order_id: str, value: str
) -> None:
    http = participants["payment"].http
    await participants["payment"].do(f"/payments/{order_id}", CHARGE)
    key = {"Idempotency-Key": value.format(order_id)}
    answer = await http.put(f"/payments/{order_id}", json=CHARGE, headers=key)
    assert code(answer) == (422, "REQUEST_INVALID")
    assert [error["field"] for error in answer.json()["errors"]] == ["Idempotency-Key"]


@each_branch
async def test_an_undo_of_nothing_succeeds_and_fences_the_late_do(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    undos = [await service.undo(url) for _ in range(2)]
    assert {(undo.status_code, undo.content) for undo in undos} == {(200, undos[0].content)}
    for body in (branch.body, branch.body, branch.other):
        assert code(await service.do(url, body)) == (409, "COMMAND_FENCED")
    assert await branch.effects(admin, order_id) == 0
    assert (await service.undo(url)).content == undos[0].content


@each_branch
async def test_a_late_copy_of_an_undone_do_gets_its_old_answer_and_changes_nothing(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    first = await service.do(url, branch.body)
    undone = await service.undo(url)
    before = await admin.fetch(f"SELECT * FROM {branch.effect} WHERE order_id = $1", order_id)  # noqa: S608
    assert (await service.do(url, branch.body)).content == first.content
    assert (await service.undo(url)).content == undone.content
    assert await admin.fetch(f"SELECT * FROM {branch.effect} WHERE order_id = $1", order_id) == before  # noqa: S608


@each_branch
async def test_a_twin_that_waits_too_long_is_told_that_the_command_is_in_progress(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    async with admin.transaction():
        # As a process does that hangs in the middle of this command.
        await admin.execute(
            f"INSERT INTO {branch.service}.barrier (saga_id, branch, op, fenced) "  # noqa: S608
            "SELECT $1, b, 'do', false FROM unnest(ARRAY['order', 'reservation', 'payment', 'shipment']) b",
            order_id,
        )
        for answer in await asyncio.gather(service.do(url, branch.body), service.undo(url)):
            assert code(answer) == (409, "COMMAND_IN_PROGRESS")
            assert int(answer.headers["Retry-After"]) > 0
        await admin.execute(f"DELETE FROM {branch.service}.barrier WHERE saga_id = $1", order_id)  # noqa: S608
    assert (await service.do(url, branch.body)).status_code == 200


@each_branch
async def test_a_twin_replays_as_soon_as_the_first_commits(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    answers = await asyncio.gather(*(service.do(url, branch.body) for _ in range(20)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert await branch.effects(admin, order_id) == 1


@each_local_branch
async def test_a_command_cut_off_before_its_commit_leaves_nothing_and_may_be_sent_again(
    participants: Participants, admin: Admin, order_id: str, branch: Branch
) -> None:
    service, url = participants[branch.service], branch.url(order_id)
    async with admin.transaction():
        # The outbox is what a command writes last: its business rows and its barrier row are written by then.
        await admin.execute(f"LOCK TABLE {branch.service}.outbox")
        command = asyncio.create_task(service.do(url, branch.body))
        await kill_when_waiting(admin, f"{branch.service}.outbox")
        answer = await command
    assert code(answer) == (503, "DATABASE_UNAVAILABLE")
    assert int(answer.headers["Retry-After"]) > 0
    assert await branch.effects(admin, order_id) == 0
    barrier = f"SELECT count(*) FROM {branch.service}.barrier WHERE saga_id = $1"  # noqa: S608
    assert await admin.fetchval(barrier, order_id) == 0
    assert (await service.do(url, branch.body)).status_code == 200
    assert await branch.effects(admin, order_id) == 1


async def test_at_most_one_row_per_saga_branch_and_op_is_kept(
    participants: Participants, admin: Admin, new_id: Callable[[], str]
) -> None:
    payment, order_id = participants["payment"], new_id()
    url = f"/payments/{order_id}"
    sent = [payment.do(url, CHARGE) for _ in range(5)]
    await asyncio.gather(*sent, payment.undo(url), payment.undo(url))
    rows = await admin.fetch("SELECT branch, op FROM payment.barrier WHERE saga_id = $1 ORDER BY op", order_id)
    assert [tuple(row) for row in rows] == [("payment", "do"), ("payment", "undo")]


async def kill_when_waiting(admin: Admin, table: str) -> None:
    """Terminate the backend that waits for a lock on `table`, as soon as there is one."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE relation = $1::regclass AND NOT granted "
        "AND locktype = 'relation'"
    )
    async with asyncio.timeout(5):
        while not await admin.fetchval(query, table):  # noqa: ASYNC110 - PostgreSQL tells nobody who waits
            await asyncio.sleep(0.01)
