"""Payment or its card processor dies, or talks nonsense: nothing is guessed, and all goes on when both are back."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest

from services.card_processor.cards import Fault
from tests.services.conftest import running
from tests.services.forked import forked
from tests.services.participant import CHARGE, TOTAL, Participant, bearer, code, key
from tests.services.postgres import Postgres
from tests.services.processor import FAULTY, GIVEN_BACK, NOTHING, TAKEN, Books, CardProcessor, by, reached_at
from tests.services.test_server import until_ready
from tests.stack import free_port
from tests.world import eventually


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
        **reached_at(str(card_processor.http.base_url)),
    }
    with forked("payment", **environment) as process:
        await asyncio.to_thread(until_ready, port)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http:
            charging = asyncio.create_task(
                http.put(url, json=body, headers={**key(url, "process-payment"), **bearer("process-payment")})
            )
            await eventually(lambda: card_processor.money(order_id), bool, seconds=10)
            process.signal(signal.SIGKILL)
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
    async with running("payment", role_urls["payment"], {"CARD_PROCESSOR_URL": address}) as payment:
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
    async with running("card_processor", role_urls["card_processor"], port=processor_port):
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
