"""The fake card processor: it charges a reference once, never after its cancellation, and fails as its cards say."""

import asyncio

import httpx
import pytest

from services.card_processor.cards import Fault
from services.participant.provisioning import StartError
from tests.services.conftest import running
from tests.services.participant import DECLINES, PAYS, POOR, code
from tests.services.postgres import Admin
from tests.services.processor import AUTHORIZATION, FAULTY, SILENT, CardProcessor
from tests.world import eventually

CAPTURED = {"status": "captured", "captured": 12470, "refunded": 0, "currency": "EUR", "decline": None}
CANCELLED = {"status": "cancelled", "captured": 0, "refunded": 0, "currency": "EUR", "decline": None}
REFUNDED = {**CANCELLED, "captured": 12470, "refunded": 12470}


async def test_twenty_simultaneous_copies_of_a_charge_capture_once_and_are_answered_alike(
    card_processor: CardProcessor, order_id: str
) -> None:
    answers = await asyncio.gather(*(card_processor.charge(order_id) for _ in range(20)))
    assert {answer.content for answer in answers} == {answers[0].content}
    assert answers[0].json() == {"reference": order_id, **CAPTURED}
    assert await card_processor.money(order_id) == [(12470, 0)]
    assert await card_processor.calls(order_id) == [("charge", 200)] * 20


async def test_a_repeated_charge_is_answered_as_before_even_after_its_cancellation_and_takes_nothing(
    card_processor: CardProcessor, order_id: str
) -> None:
    first = await card_processor.charge(order_id)
    cancelled = [await card_processor.cancel(order_id) for _ in range(2)]
    assert [answer.json() for answer in cancelled] == [{"reference": order_id, **REFUNDED}] * 2
    assert (await card_processor.charge(order_id)).content == first.content
    assert (await card_processor.ask(order_id)).json() == {"reference": order_id, **REFUNDED}
    assert await card_processor.money(order_id) == [(12470, 12470)]


async def test_a_charge_that_comes_after_its_cancellation_is_refused(
    card_processor: CardProcessor, order_id: str
) -> None:
    assert (await card_processor.cancel(order_id)).json() == {"reference": order_id, **CANCELLED}
    for _ in range(2):
        assert code(await card_processor.charge(order_id)) == (409, "CHARGE_CANCELLED")
    assert (await card_processor.ask(order_id)).json() == {"reference": order_id, **CANCELLED}
    assert await card_processor.money(order_id) == []


async def test_simultaneous_charge_and_cancellation_never_end_with_money_taken(
    card_processor: CardProcessor, order_id: str
) -> None:
    for attempt in range(20):
        reference = f"{order_id}-{attempt}"
        charged, cancelled = await asyncio.gather(card_processor.charge(reference), card_processor.cancel(reference))
        assert cancelled.status_code == 200
        assert await card_processor.money(reference) == ([(12470, 12470)] if charged.status_code == 200 else [])


@pytest.mark.parametrize(("card", "decline"), [(DECLINES, "CARD_DECLINED"), (POOR, "INSUFFICIENT_FUNDS")])
async def test_the_documented_test_numbers_are_declined_at_each_repeat(
    card_processor: CardProcessor, order_id: str, card: str, decline: str
) -> None:
    answers = [await card_processor.charge(order_id, card=card) for _ in range(2)]
    assert code(answers[0]) == (402, decline)
    assert answers[1].content == answers[0].content
    assert (await card_processor.ask(order_id)).json()["decline"] == decline
    assert (await card_processor.cancel(order_id)).json()["status"] == "declined"
    assert await card_processor.money(order_id) == []


async def test_a_reference_or_a_key_that_comes_again_for_something_else_is_told_apart(
    card_processor: CardProcessor, order_id: str
) -> None:
    await card_processor.charge(order_id)
    assert code(await card_processor.charge(order_id, amount=1)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert code(await card_processor.charge(order_id, card=DECLINES)) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert code(await card_processor.charge(order_id, key="another")) == (409, "REFERENCE_USED")
    answer = await card_processor.charge(f"{order_id}-2", key=f'"{order_id}/charge"')
    assert code(answer) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await card_processor.money(order_id) == [(12470, 0)]
    assert await card_processor.money(f"{order_id}-2") == []


async def test_an_unknown_reference_is_said_to_be_unknown(card_processor: CardProcessor, order_id: str) -> None:
    assert code(await card_processor.ask(order_id)) == (404, "CHARGE_UNKNOWN")


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic wrong"])
async def test_nobody_is_served_without_the_merchants_token(
    card_processor: CardProcessor, order_id: str, authorization: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    path = f"/charges/{order_id}"
    for method, url in (("POST", "/charges"), ("GET", path), ("POST", f"{path}/cancel")):
        answer = await card_processor.http.request(method, url, headers=headers, auth=None)
        assert answer.status_code == 401
    assert await card_processor.calls(order_id) == []


async def test_a_failing_charge_takes_nothing_and_its_repeat_is_served(
    card_processor: CardProcessor, order_id: str
) -> None:
    answers = [await card_processor.charge(order_id, card=FAULTY[Fault.FAILED]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [500, 200]
    assert await card_processor.money(order_id) == [(12470, 0)]


@pytest.mark.parametrize("fault", SILENT)
async def test_a_silent_charge_is_charged_once_if_at_all_and_its_repeat_is_served(
    card_processor: CardProcessor, order_id: str, fault: Fault
) -> None:
    card = FAULTY[fault]
    with pytest.raises(httpx.ReadTimeout):
        await card_processor.charge(order_id, card=card, patience=0.3)
    expected = [] if fault is Fault.UNHEARD else [(12470, 0)]
    await eventually(lambda: card_processor.money(order_id), lambda money: money == expected, seconds=5)
    assert (await card_processor.charge(order_id, card=card)).json() == {"reference": order_id, **CAPTURED}
    assert await card_processor.money(order_id) == [(12470, 0)]


async def test_it_takes_as_long_as_its_setting_says(role_urls: dict[str, str], order_id: str, admin: Admin) -> None:
    async with running("card_processor", role_urls["card_processor"], {"PROCESSOR_LATENCY": "0.3"}) as slow:
        answer = await CardProcessor(slow.http, admin).ask(order_id)
        assert answer.elapsed.total_seconds() >= 0.3


async def test_a_setting_that_is_no_number_is_one_clear_message(role_urls: dict[str, str]) -> None:
    with pytest.raises(StartError, match="processor_latency Input should be a valid number"):
        async with running("card_processor", role_urls["card_processor"], {"PROCESSOR_LATENCY": "slow"}):
            pass


async def test_the_card_number_is_stored_nowhere(card_processor: CardProcessor, order_id: str, admin: Admin) -> None:
    await card_processor.charge(order_id)
    stored = [
        row["row"]
        for table in ("charges", "calls")
        for row in await admin.fetch(f"SELECT t::text AS row FROM card_processor.{table} t")  # noqa: S608
    ]
    assert any(order_id in row for row in stored)
    assert not [row for row in stored if PAYS in row]


async def test_a_charge_without_a_key_is_not_taken(card_processor: CardProcessor, order_id: str) -> None:
    body = {"reference": order_id, "amount": 1, "currency": "EUR", "card": PAYS}
    answer = await card_processor.http.post("/charges", json=body, headers=AUTHORIZATION)
    assert code(answer) == (400, "IDEMPOTENCY_KEY_MISSING")
    assert await card_processor.calls(order_id) == []
