"""An effect at a third party: whatever times out, dies or races, payment's tables and the processor's agree."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

from services.card_processor.cards import Fault
from tests.services.conftest import running
from tests.services.participant import CHARGE, DECLINES, TOTAL, Participant, code, key
from tests.services.postgres import Admin, Postgres
from tests.services.processor import FAULTY, PROCESSOR_TOKEN, SILENT, CardProcessor
from tests.services.test_barrier import kill_when_waiting
from tests.services.test_server import started, until_ready
from tests.stack import free_port
from tests.world import eventually

TAKEN, NOTHING, GIVEN_BACK = (12470, 0), (0, 0), (12470, 12470)


class Books:
    """The books of both sides for one order."""

    def __init__(self, admin: Admin, processor: CardProcessor) -> None:
        self._admin = admin
        self._processor = processor

    async def show(self, order_id: str) -> tuple[str | None, tuple[int, int]]:
        """Return payment's status of the order and its money; fails where the processor's differs."""
        query = "SELECT status, captured, refunded FROM payment.payments WHERE order_id = $1"
        row = await self._admin.fetchrow(query, order_id)
        status, money = (row["status"], (row["captured"], row["refunded"])) if row else (None, NOTHING)
        if status != "pending":
            assert await self._processor.money(order_id) == ([money] if money != NOTHING else [])
        return status, money

    async def barrier(self, order_id: str) -> list[tuple[str, bool, int | None]]:
        query = "SELECT op, fenced, status FROM payment.barrier WHERE saga_id = $1 ORDER BY op"
        return [(row["op"], row["fenced"], row["status"]) for row in await self._admin.fetch(query, order_id)]

    async def events(self, order_id: str) -> list[str]:
        query = "SELECT event ->> 'type' AS type FROM payment.outbox WHERE event ->> 'subject' = $1 ORDER BY position"
        return [row["type"].rpartition(".")[2] for row in await self._admin.fetch(query, order_id)]


@pytest.fixture
def books(admin: Admin, card_processor: CardProcessor) -> Books:
    return Books(admin, card_processor)


def by(card: str) -> dict[str, object]:
    return {**CHARGE, "card": card}


@pytest.mark.parametrize("fault", SILENT)
async def test_an_outcome_that_is_unknown_is_said_to_be_and_the_repeat_asks_before_it_calls_again(
    payment: Participant, card_processor: CardProcessor, books: Books, order_id: str, fault: Fault
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[fault])
    answer = await payment.do(url, body)
    assert code(answer) == (503, "OUTCOME_UNKNOWN")
    assert answer.headers["Retry-After"] == "1"
    assert answer.elapsed.total_seconds() < 6
    assert await books.show(order_id) == ("pending", NOTHING)
    if fault is Fault.LATE:
        await eventually(lambda: card_processor.money(order_id), bool, seconds=5)
    repeats = [await payment.do(url, body) for _ in range(2)]
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
    payment: Participant, card_processor: CardProcessor, books: Books, order_id: str, fault: Fault
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[fault])
    assert code(await payment.do(url, body)) == (503, "OUTCOME_UNKNOWN")
    if fault is Fault.LATE:
        await eventually(lambda: card_processor.money(order_id), bool, seconds=5)
    undos = [await payment.undo(url) for _ in range(2)]
    given_back = {"amount": 0, "currency": "EUR"} if fault is Fault.UNHEARD else TOTAL
    assert undos[0].json() == {"paymentId": order_id, "refunded": given_back}
    assert undos[0].content == undos[1].content
    assert code(await payment.do(url, body)) == (409, "COMMAND_FENCED")
    assert await books.show(order_id) == ("cancelled", NOTHING if fault is Fault.UNHEARD else GIVEN_BACK)
    assert [call for call, _ in await card_processor.calls(order_id)] == ["charge", "cancel"]
    assert await books.barrier(order_id) == [("do", True, None), ("undo", False, 200)]
    assert await books.events(order_id) == ["undone"]


@pytest.mark.parametrize("fault", SILENT)
async def test_an_undo_while_the_charge_hangs_leaves_nothing_taken(
    payment: Participant, card_processor: CardProcessor, books: Books, order_id: str, fault: Fault
) -> None:
    url, body = f"/payments/{order_id}", by(FAULTY[fault])
    charging = asyncio.create_task(payment.do(url, body))
    await eventually(lambda: card_processor.calls(order_id), bool, seconds=5)
    if fault is Fault.UNANSWERED:
        await eventually(lambda: card_processor.money(order_id), bool, seconds=5)
    assert (await payment.undo(url)).status_code == 200
    assert not charging.done(), "the undo waits for no charge"
    assert code(await charging) == (503, "OUTCOME_UNKNOWN")
    assert code(await payment.do(url, body)) == (409, "COMMAND_FENCED")
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


@pytest.mark.parametrize("next_command", ["do", "undo"])
async def test_payment_killed_between_the_processors_charge_and_its_own_record_goes_on_at_the_next_command(
    payment: Participant,
    card_processor: CardProcessor,
    books: Books,
    postgres: Postgres,
    order_id: str,
    next_command: str,
) -> None:
    url, body, port = f"/payments/{order_id}", by(FAULTY[Fault.UNANSWERED]), free_port()
    environment = {
        "DATABASE_URL": postgres.url(),
        "PORT": str(port),
        "CARD_PROCESSOR_URL": str(card_processor.http.base_url),
        "TOKEN_CARD_PROCESSOR": PROCESSOR_TOKEN,
    }
    with started("payment", **environment) as process:
        await asyncio.to_thread(until_ready, port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            charging = asyncio.create_task(http.put(url, json=body, headers=key(url, "do-it")))
            await eventually(lambda: card_processor.money(order_id), bool, seconds=10)
            os.kill(process.pid, signal.SIGKILL)
            with suppress(httpx.TransportError):
                await charging
    assert await books.show(order_id) == ("pending", NOTHING)
    if next_command == "do":
        assert (await payment.do(url, body)).status_code == 200
        assert await books.show(order_id) == ("captured", TAKEN)
        assert await card_processor.calls(order_id) == [("charge", 200), ("ask", 200)]
    assert (await payment.undo(url)).json() == {"paymentId": order_id, "refunded": TOTAL}
    assert await books.show(order_id) == ("cancelled", GIVEN_BACK)


@pytest.fixture
async def lonely_payment(role_urls: dict[str, str], processor_port: int) -> AsyncIterator[Participant]:
    """Payment whose card processor is not there."""
    address = f"http://127.0.0.1:{processor_port}"
    async with running("payment", role_urls["payment"], CARD_PROCESSOR_URL=address) as payment:
        yield payment


@pytest.fixture
def processor_port() -> int:
    return free_port()


@pytest.mark.usefixtures("participants")  # They hold the processor's token.
async def test_payment_is_ready_without_its_processor_and_goes_on_once_that_is_there(
    lonely_payment: Participant, role_urls: dict[str, str], processor_port: int, books: Books, order_id: str
) -> None:
    assert (await lonely_payment.http.get("/ready")).status_code == 200
    await lonely_payment.do(f"/payments/{order_id}-2", CHARGE)
    for answer in (
        await lonely_payment.do(f"/payments/{order_id}", CHARGE),
        await lonely_payment.undo(f"/payments/{order_id}-2"),
    ):
        assert code(answer) == (503, "OUTCOME_UNKNOWN")
        assert answer.headers["Retry-After"] == "1"
        assert answer.elapsed.total_seconds() < 2
    assert await books.show(order_id) == ("pending", NOTHING)
    async with running("card_processor", role_urls["card_processor"], processor_port):
        assert (await lonely_payment.do(f"/payments/{order_id}", CHARGE)).status_code == 200
        assert (await lonely_payment.undo(f"/payments/{order_id}-2")).status_code == 200
    assert await books.show(order_id) == ("captured", TAKEN)
    assert await books.show(f"{order_id}-2") == ("cancelled", NOTHING)
    assert code(await lonely_payment.do(f"/payments/{order_id}-2", CHARGE)) == (409, "COMMAND_FENCED")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n<html>...",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
        b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n",
        b"what?\r\n\r\n",
        b"",
    ],
)
async def test_an_answer_that_says_nothing_of_the_money_is_never_taken_for_one(
    lonely_payment: Participant, processor_port: int, books: Books, order_id: str, answer: bytes
) -> None:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(say, "127.0.0.1", processor_port):
        url = f"/payments/{order_id}"
        answers = [await lonely_payment.do(url, CHARGE), await lonely_payment.do(url, CHARGE)]
        answers.append(await lonely_payment.undo(url))
    assert [code(each) for each in answers] == [(503, "OUTCOME_UNKNOWN")] * 3
    assert await books.show(order_id) == ("pending", NOTHING)
    assert await books.barrier(order_id) == [("do", True, None), ("undo", False, None)]
