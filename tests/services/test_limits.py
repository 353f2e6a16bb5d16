"""Limits: what a request may cost before anybody looks into it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import httpx
import pytest

from services.participant.limits import DEPTH, Rate, RequestBounds
from services.participant.settings import LimitSettings
from tests.services.conftest import running
from tests.services.participant import HOLD, PARCEL, Participant, bearer, code, key
from tests.services.postgres import Admin

MOST = LimitSettings().max_body
TIMEOUT = 10
"""Seconds after which a test that waits for a connection's end fails."""


class Raw:
    """A connection on which a test says what it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, text: bytes) -> None:
        self._writer.write(text)
        await self._writer.drain()

    async def say_for_ever(self, text: bytes) -> None:
        async with asyncio.timeout(TIMEOUT):
            while True:
                await self.say(text)

    async def answer(self) -> httpx.Response:
        """Read one answer; the connection stays as it is."""
        async with asyncio.timeout(TIMEOUT):
            head = await self._reader.readuntil(b"\r\n\r\n")
            status, *lines = head.decode().split("\r\n")
            headers = dict(line.split(": ", 1) for line in lines if line)
            body = await self._reader.readexactly(int(headers["content-length"]))
        return httpx.Response(int(status.split()[1]), headers=headers, content=body)

    async def ends(self) -> bytes:
        """Return what comes until the service closes the connection."""
        async with asyncio.timeout(TIMEOUT):
            try:
                return await self._reader.read()
            except ConnectionResetError:
                return b""

    async def close(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


Dial: TypeAlias = Callable[[Participant], Awaitable[Raw]]
"""Opens a connection to a service."""


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    connections: list[Raw] = []

    async def to(service: Participant) -> Raw:
        raw = Raw(*await asyncio.open_connection("127.0.0.1", service.http.base_url.port))
        connections.append(raw)
        return raw

    yield to
    for raw in connections:
        await raw.close()


def head(path: str, task_type: str, *more: str) -> bytes:
    lines = [f"PUT {path} HTTP/1.1", "Host: test", "Content-Type: application/json"]
    headers = {**bearer(task_type), **key(path, task_type)}
    return "\r\n".join([*lines, *(f"{name}: {value}" for name, value in headers.items()), *more, "", ""]).encode()


async def test_a_body_of_the_size_allowed_is_taken_and_one_byte_more_is_not(
    shipping: Participant, admin: Admin, order_id: str
) -> None:
    path = f"/shipments/{order_id}"
    body = json.dumps(PARCEL).encode()
    headers = {**shipping.key("PUT", path), "Content-Type": "application/json"}
    for size, expected in ((MOST + 1, 413), (MOST, 200)):
        answer = await shipping.http.put(path, content=body.ljust(size), headers=headers)
        assert answer.status_code == expected
        rows = await admin.fetchval("SELECT count(*) FROM shipping.shipments WHERE order_id = $1", order_id)
        assert rows == (expected == 200)


async def test_a_request_of_http_1_1_has_one_host_or_is_refused(shipping: Participant, dial: Dial) -> None:
    for hosts in (b"", b"Host: a\r\nHost: b\r\n"):
        raw = await dial(shipping)
        await raw.say(b"GET /live HTTP/1.1\r\n" + hosts + b"\r\n")
        assert code(await raw.answer()) == (400, "REQUEST_MALFORMED")
    raw = await dial(shipping)
    await raw.say(b"GET /live HTTP/1.0\r\n\r\n")
    assert (await raw.answer()).status_code == 200


async def test_blanks_around_a_header_do_not_count(shipping: Participant, dial: Dial, order_id: str) -> None:
    body = json.dumps(PARCEL).encode()
    raw = await dial(shipping)
    lines = head(f"/shipments/{order_id}", "ship-order", f"Content-Length: {len(body)}").split(b"\r\n")
    padded = [line.replace(b": ", b": \t ") + b" \t" if b": " in line else line for line in lines]
    await raw.say(b"\r\n".join(padded) + body)
    assert (await raw.answer()).status_code == 200


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_is_sent(shipping: Participant, dial: Dial) -> None:
    raw = await dial(shipping)
    await raw.say(head("/shipments/4711", "ship-order", f"Content-Length: {10**12}"))
    answer = await raw.answer()
    assert code(answer) == (413, "BODY_TOO_LARGE")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("size", [MOST + 1, 20 * MOST])
async def test_a_body_that_does_not_say_how_large_it_is_is_counted(
    shipping: Participant, order_id: str, size: int
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(0, size, 1024):
            yield b" " * 1024

    path = f"/shipments/{order_id}"
    answer = await shipping.http.put(path, content=chunks(), headers=shipping.key("PUT", path))
    assert code(answer) == (413, "BODY_TOO_LARGE")


async def test_a_body_without_end_is_cut_off(role_urls: dict[str, str], dial: Dial) -> None:
    async with running("shipping", role_urls["shipping"], bounds=RequestBounds(linger=0.1)) as shipping:
        raw = await dial(shipping)
        await raw.say(head("/shipments/4711", "ship-order", "Transfer-Encoding: chunked"))
        chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
        with pytest.raises(ConnectionError):
            await raw.say_for_ever(chunk)


async def test_a_body_that_is_longer_than_it_says_is_no_part_of_the_command(
    inventory: Participant, order_id: str, dial: Dial
) -> None:
    body = json.dumps(HOLD).encode()
    raw = await dial(inventory)
    path = f"/reservations/{order_id}"
    await raw.say(head(path, "reserve-inventory", f"Content-Length: {len(body)}") + body + b'{"items": []}\r\n\r\n')
    assert b"HTTP/1.1 200" not in await raw.ends()


@pytest.mark.parametrize("begin", [b"", b'{"items": '])
async def test_a_body_that_does_not_arrive_is_not_waited_for(
    role_urls: dict[str, str], admin: Admin, order_id: str, begin: bytes, dial: Dial
) -> None:
    async with running("inventory", role_urls["inventory"], bounds=RequestBounds(body_timeout=0.1)) as inventory:
        raw = await dial(inventory)
        await raw.say(head(f"/reservations/{order_id}", "reserve-inventory", "Content-Length: 1000") + begin)
        assert code(await raw.answer()) == (408, "BODY_LATE")
        assert await raw.ends() == b""
    assert await admin.fetchval("SELECT count(*) FROM inventory.barrier WHERE saga_id = $1", order_id) == 0


async def test_a_stranger_is_refused_before_its_body_is_waited_for(inventory: Participant, dial: Dial) -> None:
    raw = await dial(inventory)
    await raw.say(b"PUT /reservations/4711 HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n")
    assert code(await raw.answer()) == (401, "UNAUTHENTICATED")


def nested(depth: int) -> bytes:
    """Return JSON of that depth, objects and arrays by turns."""
    return b'{"a": [' * (depth // 2) + b"{}" * (depth % 2) + b"]}" * (depth // 2)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (nested(DEPTH), "has an unknown field"),
        (nested(DEPTH + 1), f"is nested deeper than {DEPTH}, or not in UTF-8"),
        (b"[" * 30_000 + b"]" * 30_000, f"is nested deeper than {DEPTH}, or not in UTF-8"),
        (b'"\\\\' + b"[" * 30_000, "JSON decode error"),
        (json.dumps(HOLD).encode("utf-16"), f"is nested deeper than {DEPTH}, or not in UTF-8"),
    ],
)
async def test_what_is_nested_too_deep_is_refused_before_it_is_read(
    inventory: Participant, order_id: str, body: bytes, message: str
) -> None:
    path = f"/reservations/{order_id}"
    headers = {**inventory.key("PUT", path), "Content-Type": "application/json"}
    answer = await inventory.http.put(path, content=body, headers=headers)
    assert code(answer) == (422, "REQUEST_INVALID")
    assert message in [error["message"] for error in answer.json()["errors"]]


@pytest.mark.parametrize("unit", [b'"', b'\\"', b'\\\\"', b'"\\'])
async def test_a_body_of_quotes_does_not_keep_the_service_busy(
    inventory: Participant, order_id: str, unit: bytes
) -> None:
    body = b"[]" * DEPTH + b'[{"' + unit * (60_000 // len(unit))
    path = f"/reservations/{order_id}"
    headers = {**inventory.key("PUT", path), "Content-Type": "application/json"}
    begun = time.process_time()
    assert code(await inventory.http.put(path, content=body, headers=headers)) == (422, "REQUEST_INVALID")
    assert time.process_time() - begun < 1.0, (
        "some milliseconds are enough; looked through for each quote, seconds are not"
    )


@pytest.mark.parametrize("text", ["[" * 100, '"[{' * 30, "\\" * 33 + "[" * 50, "{[" * 20 + '"'])
async def test_a_bracket_in_a_text_is_no_depth(shipping: Participant, order_id: str, text: str) -> None:
    body = {**PARCEL, "shipTo": {**PARCEL["shipTo"], "street": text}}  # type: ignore[dict-item]
    assert (await shipping.do(f"/shipments/{order_id}", body)).status_code == 200


async def test_a_caller_that_sends_too_much_is_held_back_and_no_other(
    role_urls: dict[str, str], order_id: str, admin: Admin
) -> None:
    async with running("shipping", role_urls["shipping"], limits=LimitSettings(rate_limit=3)) as shipping:
        paths = [f"/shipments/{order_id}-{number}" for number in range(40)]
        answered = await asyncio.gather(*(shipping.do(path, PARCEL) for path in paths))
        # Another caller at the same moment, and the probe.
        assert (await shipping.undo(f"/shipments/{order_id}-40")).status_code == 200
        assert (await shipping.http.get("/ready")).status_code == 200
        refused = [answer for answer in answered if answer.status_code != 200]
        assert len(refused) >= 20
        assert {code(answer) for answer in refused} == {(429, "RATE_LIMITED")}
        assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
        query = "SELECT count(*) FROM shipping.shipments WHERE starts_with(order_id, $1)"
        assert await admin.fetchval(query, order_id) == len(answered) - len(refused)
        async with asyncio.timeout(TIMEOUT):
            while (await shipping.do(f"/shipments/{order_id}-41", PARCEL)).status_code != 200:
                pass


async def test_who_has_no_token_is_held_back_by_its_address_and_takes_nothing_from_others(
    role_urls: dict[str, str], order_id: str
) -> None:
    async with running("shipping", role_urls["shipping"], limits=LimitSettings(rate_limit=3)) as shipping:
        strange = {"Authorization": "Bearer wrong"}
        answers = await asyncio.gather(*(shipping.http.get("/nowhere", headers=strange) for _ in range(40)))
        assert (await shipping.do(f"/shipments/{order_id}", PARCEL)).status_code == 200
        assert (await shipping.http.get("/ready")).status_code == 200
    codes = [code(answer) for answer in answers]
    assert set(codes) == {(401, "UNAUTHENTICATED"), (429, "RATE_LIMITED")}
    assert codes.count((429, "RATE_LIMITED")) >= 20


async def test_what_was_counted_of_callers_long_gone_is_forgotten() -> None:
    rate = Rate(1)
    for number in range(100):
        assert rate.admits("address", str(number))
    async with asyncio.timeout(TIMEOUT):
        while len(rate._counts) > 2:  # noqa: SLF001 - its memory
            rate.admits("address", "me")
            await asyncio.sleep(0.05)


@pytest.fixture
async def hurried(role_urls: dict[str, str]) -> AsyncIterator[Participant]:
    """A service that waits a fifth of a second for a request's headers."""
    async with running("inventory", role_urls["inventory"], bounds=RequestBounds(header_timeout=0.2)) as service:
        yield service


async def test_a_connection_on_which_nothing_is_asked_is_closed(hurried: Participant, dial: Dial) -> None:
    raw = await dial(hurried)
    assert await raw.ends() == b""


@pytest.mark.parametrize("begin", [b"GET /live HTTP/1.1\r\nHost: test\r\n", b"GET /li", b"\r\n"])
@pytest.mark.parametrize("before", [b"", b"GET /live HTTP/1.1\r\nHost: test\r\n\r\n"])
async def test_headers_that_come_byte_by_byte_are_not_waited_for(
    hurried: Participant, before: bytes, begin: bytes, dial: Dial
) -> None:
    raw = await dial(hurried)
    if before:
        await raw.say(before)
        assert (await raw.answer()).status_code == 200
    await raw.say(begin)
    closed = asyncio.create_task(raw.ends())
    while not closed.done():
        await raw.say(b"\r\n" if begin == b"\r\n" else b"x")
        await asyncio.wait([closed], timeout=0.02)
    assert await closed == b""


async def test_a_connection_that_rests_between_requests_is_kept(hurried: Participant, dial: Dial) -> None:
    kept, idle = await dial(hurried), await dial(hurried)
    request = b"GET /live HTTP/1.1\r\nHost: test\r\n\r\n"
    await kept.say(request)
    assert (await kept.answer()).status_code == 200
    await idle.ends()  # So long has `kept` rested now.
    await kept.say(request)
    assert (await kept.answer()).status_code == 200


async def test_headers_without_end_are_cut_off(payment: Participant, dial: Dial) -> None:
    raw = await dial(payment)
    await raw.say(b"GET /live HTTP/1.1\r\nHost: test\r\n")
    with pytest.raises(ConnectionError):
        await raw.say_for_ever(b"X: " + b"x" * 10_000 + b"\r\n")
