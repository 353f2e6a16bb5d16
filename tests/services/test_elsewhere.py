"""An effect at a third party: whatever times out, repeats or races, payment's tables and the processor's agree."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from services.card_processor.cards import Fault
from services.payment import processor
from tests.services.conftest import running
from tests.services.participant import CHARGE, DECLINES, TOTAL, Participant, Participants, code
from tests.services.postgres import Admin
from tests.services.processor import FAULTY, GIVEN_BACK, NOTHING, SILENT, TAKEN, Books, CardProcessor, by, reached_at
from tests.services.test_barrier import kill_when_waiting
from tests.world import eventually

PATIENCE = 2.0
"""Seconds that payment gives the processor here: half of what it does otherwise, and time enough for an undo."""


@pytest.fixture(scope="module")
async def impatient(participants: Participants, role_urls: dict[str, str]) -> AsyncIterator[Participant]:
    """Payment, which gives up on the processor sooner."""
    environment = reached_at(str(participants["card_processor"].http.base_url))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(processor, "TIMEOUT", httpx.Timeout(PATIENCE, connect=1.0))
        async with running("payment", role_urls["payment"], environment) as payment:
            yield payment


@pytest.mark.parametrize("fault", SILENT)
async def test_an_outcome_that_is_unknown_is_said_to_be_and_the_repeat_asks_before_it_calls_again(
    impatient: Participant, card_processor: CardProcessor, books: Books, order_id: str, fault: Fault
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[fault])
    answer = await impatient.do(url, body)
    assert code(answer) == (503, "OUTCOME_UNKNOWN")
    assert answer.headers["Retry-After"] == "1"
    assert answer.elapsed.total_seconds() < PATIENCE + 2
    assert await books.show(order_id) == ("pending", NOTHING)
    if fault is Fault.LATE:
        await eventually(lambda: card_processor.money(order_id), bool, seconds=5)
    repeats = [await impatient.do(url, body) for _ in range(2)]
    assert [repeat.status_code for repeat in repeats] == [200, 200]
    assert repeats[0].content == repeats[1].content
    assert repeats[0].json()["amount"] == TOTAL
    asked = await card_processor.calls(order_id)
    if fault is Fault.UNHEARD:
        assert asked == [("charge", None), ("ask", 404), ("charge", 200)]
    else:
        assert asked == [("charge", 200), ("ask", 200)]
    assert await books.show(order_id) == ("captured", TAKEN)
    assert await books.events(order_id) == ["done"]


async def test_a_failure_of_the_processor_is_no_decline_and_the_repeat_asks_first(
    payment: Participant, card_processor: CardProcessor, books: Books, order_id: str
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[Fault.FAILED])
    assert code(await payment.do(url, body)) == (503, "OUTCOME_UNKNOWN")
    assert (await payment.do(url, body)).status_code == 200
    assert await card_processor.calls(order_id) == [("charge", 500), ("ask", 404), ("charge", 200)]
    assert await books.show(order_id) == ("captured", TAKEN)


async def test_a_decline_is_replayed_byte_for_byte_without_asking_again(
    payment: Participant, card_processor: CardProcessor, books: Books, order_id: str
) -> None:
    answers = [await payment.do(f"/payments/{order_id}", by(DECLINES)) for _ in range(3)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(409, answers[0].content)}
    assert (await payment.undo(f"/payments/{order_id}")).json()["refunded"]["amount"] == 0
    assert await card_processor.calls(order_id) == [("charge", 402)]
    assert await books.show(order_id) == ("declined", NOTHING)
    assert await books.events(order_id) == ["refused", "undone"]


async def test_a_decline_that_was_not_heard_is_learned_by_asking(
    payment: Participant, card_processor: CardProcessor, books: Books, admin: Admin, order_id: str
) -> None:
    url = f"/payments/{order_id}"
    first = await payment.do(url, by(DECLINES))
    # As where payment died before it wrote down what it was told.
    await admin.execute("UPDATE payment.barrier SET status = NULL, answer = NULL WHERE saga_id = $1", order_id)
    await admin.execute("UPDATE payment.payments SET status = 'pending' WHERE order_id = $1", order_id)
    again = await payment.do(url, by(DECLINES))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert await card_processor.calls(order_id) == [("charge", 402), ("ask", 200)]
    assert await books.show(order_id) == ("declined", NOTHING)


@pytest.mark.parametrize("fault", SILENT)
async def test_an_undo_after_an_unknown_outcome_leaves_nothing_taken_and_fences_the_late_do(
    impatient: Participant, card_processor: CardProcessor, books: Books, order_id: str, fault: Fault
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[fault])
    assert code(await impatient.do(url, body)) == (503, "OUTCOME_UNKNOWN")
    if fault is Fault.LATE:
        await eventually(lambda: card_processor.money(order_id), bool, seconds=5)
    undos = [await impatient.undo(url) for _ in range(2)]
    given_back = {"amount": 0, "currency": "EUR"} if fault is Fault.UNHEARD else TOTAL
    assert undos[0].json() == {"paymentId": order_id, "refunded": given_back}
    assert undos[0].content == undos[1].content
    assert code(await impatient.do(url, body)) == (409, "COMMAND_FENCED")
    assert await books.show(order_id) == ("cancelled", NOTHING if fault is Fault.UNHEARD else GIVEN_BACK)
    assert [call for call, _ in await card_processor.calls(order_id)] == ["charge", "cancel"]
    assert await books.barrier(order_id) == [("do", True, None), ("undo", False, 200)]
    assert await books.events(order_id) == ["undone"]


@pytest.mark.parametrize("fault", SILENT)
async def test_an_undo_while_the_charge_hangs_leaves_nothing_taken(
    impatient: Participant, card_processor: CardProcessor, books: Books, order_id: str, fault: Fault
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[fault])
    charging = asyncio.create_task(impatient.do(url, body))
    await eventually(lambda: card_processor.calls(order_id), bool, seconds=5)
    if fault is Fault.UNANSWERED:
        await eventually(lambda: card_processor.money(order_id), bool, seconds=5)
    assert (await impatient.undo(url)).status_code == 200
    assert not charging.done(), "the undo waits for no charge"
    assert code(await charging) == (503, "OUTCOME_UNKNOWN")
    assert code(await impatient.do(url, body)) == (409, "COMMAND_FENCED")
    if fault is Fault.LATE:
        # The processor charges once nobody waits any more, and finds the reference cancelled.
        refused = [("charge", 409), ("cancel", 200)]
        await eventually(lambda: card_processor.calls(order_id), lambda calls: calls == refused, seconds=5)
    expected = GIVEN_BACK if fault is Fault.UNANSWERED else NOTHING
    assert await books.show(order_id) == ("cancelled", expected)


async def test_twenty_simultaneous_copies_of_one_charge_are_one_charge_at_the_processor(
    payment: Participant, card_processor: CardProcessor, books: Books, order_id: str
) -> None:
    answers = await asyncio.gather(*(payment.do(f"/payments/{order_id}", CHARGE) for _ in range(20)))
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert await books.show(order_id) == ("captured", TAKEN)
    assert await books.events(order_id) == ["done"]
    assert {status for call, status in await card_processor.calls(order_id) if call == "charge"} == {200}


async def test_simultaneous_dos_and_undos_end_with_nothing_taken_at_either_side(
    payment: Participant, books: Books, order_id: str
) -> None:
    for attempt in range(25):
        this = f"{order_id}-{attempt}"
        url = f"/payments/{this}"
        copies = attempt % 3 + 1
        commands = [payment.do(url, CHARGE) for _ in range(copies)] + [payment.undo(url) for _ in range(copies)]
        answers = await asyncio.gather(*commands)
        for do in answers[:copies]:
            assert do.status_code == 200 or code(do) == (409, "COMMAND_FENCED")
        assert {undo.content for undo in answers[copies:]} == {(await payment.undo(url)).content}
        status, (captured, refunded) = await books.show(this)
        assert status in {"cancelled", None}
        assert captured == refunded
        assert (await books.events(this)).count("undone") == 1


async def test_what_was_taken_is_refunded_once_however_often_and_late_the_undo_comes(
    payment: Participant, card_processor: CardProcessor, books: Books, order_id: str
) -> None:
    url = f"/payments/{order_id}"
    await payment.do(url, CHARGE)
    undos = await asyncio.gather(*(payment.undo(url) for _ in range(10)))
    assert {(undo.status_code, undo.content) for undo in undos} == {(200, undos[0].content)}
    assert undos[0].json() == {"paymentId": order_id, "refunded": TOTAL}
    assert await books.show(order_id) == ("cancelled", GIVEN_BACK)
    assert await books.events(order_id) == ["done", "undone"]
    asked = len(await card_processor.calls(order_id))
    assert (await payment.undo(url)).content == undos[0].content
    assert len(await card_processor.calls(order_id)) == asked


@pytest.mark.parametrize("command", ["do", "undo"])
async def test_a_command_cut_off_before_its_answer_is_stored_is_resumed_by_its_repeat(
    payment: Participant, books: Books, admin: Admin, order_id: str, command: str
) -> None:
    url = f"/payments/{order_id}"

    async def send() -> httpx.Response:
        return await (payment.do(url, CHARGE) if command == "do" else payment.undo(url))

    if command == "undo":
        assert (await payment.do(url, CHARGE)).status_code == 200
    async with admin.transaction():
        # The outbox is what a command writes last, after the card processor did what was asked.
        await admin.execute("LOCK TABLE payment.outbox")
        sent = asyncio.create_task(send())
        await kill_when_waiting(admin, "payment.outbox")
        assert code(await sent) == (503, "DATABASE_UNAVAILABLE")
    assert (command, False, None) in await books.barrier(order_id)
    answers = [await send() for _ in range(2)]
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert await books.show(order_id) == (("captured", TAKEN) if command == "do" else ("cancelled", GIVEN_BACK))
    assert await books.events(order_id) == (["done"] if command == "do" else ["done", "undone"])


async def test_of_two_copies_that_know_the_outcome_one_writes_it_down(
    payment: Participant, books: Books, admin: Admin, order_id: str
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[Fault.FAILED])
    assert code(await payment.do(url, body)) == (503, "OUTCOME_UNKNOWN")

    async def waiting() -> int:
        return int(await admin.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    async with admin.transaction():
        # Both copies come to the point where they write down what the processor did.
        await admin.execute("SELECT 1 FROM payment.payments WHERE order_id = $1 FOR UPDATE", order_id)
        copies = [asyncio.create_task(payment.do(url, body)) for _ in range(2)]
        await eventually(waiting, lambda count: count == 2, seconds=5)
    answers = await asyncio.gather(*copies)
    assert {(answer.status_code, answer.content) for answer in answers} == {(200, answers[0].content)}
    assert await books.show(order_id) == ("captured", TAKEN)
    assert await books.events(order_id) == ["done"]
