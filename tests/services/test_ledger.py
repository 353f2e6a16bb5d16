"""The ledger of effects: what a do has left is listed until it is undone or settled, and only what is open is read."""

import json
from typing import Any

import pytest

from services.card_processor.cards import Fault
from tests.services.conftest import OwnDatabase, running
from tests.services.participant import Participant, Participants, code
from tests.services.postgres import Admin
from tests.services.processor import FAULTY, by
from tests.services.test_barrier import BRANCHES, Branch

each_branch = pytest.mark.parametrize("branch", BRANCHES, ids=[branch.service for branch in BRANCHES])
ORIGIN = "2251799813685249/2251799813685261"


async def effects(participant: Participant, order_id: str, **query: str) -> list[dict[str, Any]]:
    answer = await participant.http.get("/effects", params={"sagaId": order_id, **query})
    assert answer.status_code == 200
    return list(answer.json()["effects"])


async def settle(participant: Participant, settlement: str, order_id: str, branch: str) -> int:
    body = {"settlement": settlement, "effects": [{"sagaId": order_id, "branch": branch}]}
    answer = await participant.http.post("/effects/settlements", json=body)
    assert answer.status_code == 200
    return int(answer.json()["settled"])


async def do(participant: Participant, url: str, body: object, origin: str = ORIGIN) -> int:
    headers = {**participant.key("PUT", url), "Saga-Origin": origin}
    return (await participant.http.put(url, json=body, headers=headers)).status_code


@each_branch
async def test_an_effect_is_listed_with_whose_it_is_until_it_is_undone(
    participants: Participants, order_id: str, branch: Branch
) -> None:
    participant, url = participants[branch.service], branch.url(order_id)
    assert await effects(participant, order_id) == []
    assert await do(participant, url, branch.body) == 200
    [effect] = await effects(participant, order_id)
    caller = participant.key("PUT", url)["Idempotency-Key"].strip('"').partition("/")[2]
    assert (effect["sagaId"], effect["caller"], effect["origin"]) == (order_id, caller, ORIGIN)
    assert (await participant.undo(url)).status_code == 200
    assert await effects(participant, order_id) == []
    assert await settle(participant, "kept", order_id, effect["branch"]) == 0


@each_branch
async def test_a_refusal_and_an_undo_of_nothing_leave_no_effect(
    participants: Participants, order_id: str, branch: Branch
) -> None:
    participant, url = participants[branch.service], branch.url(order_id)
    await do(participant, url, branch.refused)
    assert await effects(participant, order_id) == []
    other = f"{order_id}-undone"
    assert (await participant.undo(branch.url(other))).status_code == 200
    assert code(await participant.do(branch.url(other), branch.body))[1] == "COMMAND_FENCED"
    assert await effects(participant, other) == []


async def test_a_payment_of_which_nobody_knows_is_an_effect_until_its_undo_is_answered(
    payment: Participant, order_id: str
) -> None:
    url = f"/payments/{order_id}"
    assert await do(payment, url, by(FAULTY[Fault.UNANSWERED])) == 503
    assert [effect["branch"] for effect in await effects(payment, order_id)] == ["payment"]
    assert (await payment.undo(url)).status_code == 200
    assert await effects(payment, order_id) == []


async def test_an_undo_that_the_processor_has_not_answered_leaves_the_effect_open(
    own_database: OwnDatabase, order_id: str
) -> None:
    url, nobody = f"/payments/{order_id}", "http://127.0.0.1:9"
    async with running("payment", own_database.role_urls["payment"], {"CARD_PROCESSOR_URL": nobody}) as payment:
        assert await do(payment, url, by(FAULTY[Fault.UNANSWERED])) == 503
        assert code(await payment.undo(url)) == (503, "OUTCOME_UNKNOWN")
        assert [effect["caller"] for effect in await effects(payment, order_id)] == ["process-payment"]


async def test_what_is_settled_is_not_listed_again_and_a_persons_are_listed_apart(
    shipping: Participant, order_id: str
) -> None:
    await do(shipping, f"/shipments/{order_id}", BRANCHES[-1].body)
    assert await settle(shipping, "asked", order_id, "shipment") == 1
    assert await effects(shipping, order_id) == []
    assert [each["branch"] for each in await effects(shipping, order_id, settlement="asked")] == ["shipment"]
    assert await settle(shipping, "asked", order_id, "shipment") == 0
    assert await settle(shipping, "kept", order_id, "shipment") == 1
    assert await settle(shipping, "asked", order_id, "shipment") == 0, "what is kept is nobody's question any more"
    assert await effects(shipping, order_id, settlement="asked") == []


async def test_an_effect_belongs_to_the_last_who_asked_for_it_and_is_open_again(
    inventory: Participant, admin: Admin, order_id: str
) -> None:
    url, body = f"/reservations/{order_id}", BRANCHES[1].body
    await do(inventory, url, body)
    await settle(inventory, "kept", order_id, "reservation")
    assert await do(inventory, url, body) == 200
    assert await effects(inventory, order_id) == [], "the same element asks again: nothing is new"
    assert await do(inventory, url, body, "2251799813685249/2251799813685299") == 200
    [effect] = await effects(inventory, order_id)
    assert effect["origin"] == "2251799813685249/2251799813685299"
    assert (await inventory.undo(url)).status_code == 200
    assert await do(inventory, url, body, "1/1") == 200
    assert await effects(inventory, order_id) == [], "what is undone stays undone, whoever asks"
    rows = await admin.fetch("SELECT settlement FROM inventory.barrier WHERE saga_id = $1 AND op = 'do'", order_id)
    assert [row["settlement"] for row in rows] == ["undone"]


async def test_pages_hold_each_effect_once_the_oldest_first(own_database: OwnDatabase) -> None:
    async with running("shipping", own_database.role_urls["shipping"]) as shipping:
        for number in range(7):
            await do(shipping, f"/shipments/page-{number}", BRANCHES[-1].body)
        same = "UPDATE shipping.barrier SET created_at = now() - interval '1 hour' WHERE saga_id < 'page-4'"
        await own_database.admin.execute(same)
        seen: list[str] = []
        after: dict[str, str] = {}
        while True:
            page = (await shipping.http.get("/effects", params={"limit": 2, **after})).json()
            seen += [effect["sagaId"] for effect in page["effects"]]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        assert seen == [f"page-{number}" for number in range(7)]
        old = (await shipping.http.get("/effects", params={"olderThan": 1800})).json()["effects"]
        assert [effect["sagaId"] for effect in old] == [f"page-{number}" for number in range(4)]


@pytest.mark.parametrize(
    "after",
    [
        *("x", "~~", "2026-11-25~a", "2026-11-25T00:00:00+00:00~a~b~c", "now~a~b"),
        *("0001-01-01T00:00:00+14:00~a~b", "9999-12-31T23:59:59-14:00~a~b", "2026-11-25T00:00:00~a~b"),
        *("2026-11-25T00:00:00+00:00~a\0~b", "2026-11-25T00:00:00+00:00~a~b\0", "2026-11-25T00:00:00+00:00~~b"),
    ],
)
async def test_a_place_that_is_none_is_refused(shipping: Participant, after: str) -> None:
    answer = await shipping.http.get("/effects", params={"after": after})
    assert code(answer) == (422, "REQUEST_INVALID")
    assert answer.json()["errors"] == [{"field": "after", "message": "is not the `next` of a page"}]


async def test_what_is_settled_costs_a_sweep_nothing(own_database: OwnDatabase) -> None:
    """The rows that PostgreSQL itself says it read for the page, with and without a history of 20,000 sagas."""
    admin = own_database.admin
    fill = (
        "INSERT INTO shipping.barrier (saga_id, branch, op, fenced, status, settlement, caller, created_at) "
        "SELECT $1 || n, 'shipment', 'do', false, 200, $2, 'ship-order', now() - n * interval '1 second' "
        "FROM generate_series(1, $3) AS n"
    )
    await admin.execute(fill, "open-", None, 50)
    read = [await _rows_read(admin)]
    await admin.execute(fill, "kept-", "kept", 20_000)
    await admin.execute("VACUUM ANALYZE shipping.barrier")
    read.append(await _rows_read(admin))
    assert read == [50, 50]


async def _rows_read(admin: Admin) -> int:
    """Return how many rows the index gave for the query of a sweep."""
    query = (
        "EXPLAIN (ANALYZE, FORMAT JSON) SELECT saga_id FROM shipping.barrier WHERE op = 'do' AND settlement IS NULL "
        "AND created_at <= now() ORDER BY created_at, saga_id, branch LIMIT 250"
    )
    await admin.execute("SET enable_seqscan = off")
    [[plan]] = await admin.fetch(query)
    scan = _scan(json.loads(plan)[0]["Plan"])
    assert scan["Index Name"] == "barrier_unsettled"
    return int(scan["Actual Rows"]) + int(scan.get("Rows Removed by Filter", 0))


def _scan(plan: dict[str, Any]) -> dict[str, Any]:
    return plan if "Index Name" in plan else _scan(plan["Plans"][0])
