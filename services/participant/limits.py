"""What a request may cost before anybody looks into it: how often, how large, how deep, how slow."""

import asyncio
import re
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from saga.common.problems import FieldError
from services.participant.admission import Admission, NoPlaceError, one_deadline
from services.participant.database import Database
from services.participant.headers import unreadable
from services.participant.problems import BODY_LATE, BODY_TOO_LARGE, REQUEST_INVALID, Problem

DEPTH = 16
"""Objects and arrays in one another that a body may have; ours have three."""
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose body means something; that of any other is not looked at."""
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[{]|[\]}]', re.DOTALL)
"""A string, whole or cut off, or a bracket; the closing quote is optional, so that nothing is looked through twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestBounds:
    """What one request may cost; all times are in seconds."""

    concurrency: int = 64
    """Requests that are carried out at once: enough for all connections, and for conversations with a third party."""
    header_timeout: float = 10.0
    """From a connection's begin, or from a request's first byte, until all its headers have arrived."""
    body_timeout: float = 10.0
    """Until the whole body has arrived."""
    linger: float = 2.0
    """For so long, what still comes of a refused request is dropped."""


BOUNDS: Final = RequestBounds()


class Rate:
    """How many requests each caller may send, counted in this process alone."""

    def __init__(self, per_second: int) -> None:
        """Admit `per_second` requests of each in every second."""
        self._most = per_second
        self._second = 0
        self._counts: Counter[tuple[str, ...]] = Counter()

    def admits(self, *who: str) -> bool:
        """Count a request of `who`, and tell whether it may come in."""
        second = int(time.monotonic())
        if second != self._second:
            self._second = second
            self._counts.clear()
        self._counts[who] += 1
        return self._counts[who] <= self._most


async def turn_away(answer: Response, scope: Scope, receive: Receive, send: Send, linger: float) -> None:
    """Answer a request whose body nobody wants, and close the connection.

    Who closes while the other one still sends takes the answer away from it (RFC 9112, 9.6): so the answer is sent,
    what still comes is dropped for `linger` seconds, and only then is the answer ended.
    """
    answer.headers["Connection"] = "close"

    async def unended(message: Message) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    await answer(scope, receive, unended)
    with suppress(TimeoutError):
        async with asyncio.timeout(linger):
            while (await receive()).get("more_body"):
                pass
    await send({"type": "http.response.body", "body": b""})


class Bodies:
    """Receives each request's body whole, within bounds of size and time, before the application sees the request."""

    def __init__(self, app: ASGIApp, most: int, bounds: RequestBounds = BOUNDS) -> None:
        """Stand before `app`; let in bodies of `most` bytes."""
        self._app = app
        self._most = most
        self._bounds = bounds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request that is here as a whole, or answer it."""
        try:
            async with asyncio.timeout(self._bounds.body_timeout):
                body = await self._receive(scope, receive)
        except TimeoutError:
            seconds = self._bounds.body_timeout
            detail = f"The request's body was not here within {seconds:g} seconds. Send the request again."
            answer = Problem(BODY_LATE, detail).response()
            answer.headers["Connection"] = "close"
            await answer(scope, receive, send)
        except Problem as problem:
            await turn_away(problem.response(), scope, receive, send, self._bounds.linger)
        else:
            if body is None:  # The caller is gone.
                return
            wrong = unreadable(scope) if body and scope["method"] in _WITH_BODY else None
            if wrong:
                await wrong.response()(scope, receive, send)
            elif _is_too_deep(body):
                error = FieldError(field="body", message=f"is nested deeper than {DEPTH}, or not in UTF-8")
                await Problem(REQUEST_INVALID, "The request does not validate: body.", [error]).response()(
                    scope, receive, send
                )
            else:
                await self._app(scope, _once(body, receive), send)

    async def _receive(self, scope: Scope, receive: Receive) -> bytes | None:
        announced = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        if announced.isdigit() and int(announced) > self._most:
            raise self._too_large()
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part: bytes = message.get("body", b"")
            body += part
            if len(body) > self._most:
                raise self._too_large()
            if not message.get("more_body"):
                return body

    def _too_large(self) -> Problem:
        return Problem(BODY_TOO_LARGE, f"A body may have {self._most} bytes.")


class Line:
    """Has requests wait in line for the application, which carries out a few at a time."""

    def __init__(
        self, app: ASGIApp, database: Database, exempt: frozenset[str], concurrency: int = BOUNDS.concurrency
    ) -> None:
        """Stand before `app`, for `concurrency` requests at once; those for the paths `exempt` do not wait."""
        self._app = app
        self._database = database
        self._exempt = exempt
        self._admission = Admission(concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request when it is its turn, or answer it."""
        if scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        try:
            with one_deadline() as deadline:
                async with self._admission.place(deadline) as has_waited:
                    body = await receive()
                    if not (has_waited and await _is_gone(receive)):
                        await self._app(scope, _replayed(body, receive), send)
        except NoPlaceError:
            await self._database.busy_or_away().response()(scope, receive, send)


async def _is_gone(receive: Receive) -> bool:
    """Tell whether the caller closed the connection; its body has been received."""
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            return bool((await receive())["type"] == "http.disconnect")
    return False


def _once(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that gives the whole body first, and then what the connection has to tell."""
    return _replayed({"type": "http.request", "body": body, "more_body": False}, receive)


def _replayed(first_message: Message, receive: Receive) -> Receive:
    message: Message | None = first_message

    async def next_message() -> Message:
        nonlocal message
        if message is None:
            return await receive()
        first, message = message, None
        return first

    return next_message


def _is_too_deep(body: bytes) -> bool:
    """Tell, without reading it as JSON, whether a body is nested deeper than `DEPTH`.

    JSON is UTF-8 (RFC 8259, 8.1). In UTF-16 and UTF-32, which Python's reader understands too, the brackets could not
    be told from other characters; both have NUL bytes, which UTF-8 JSON never has.
    """
    if 0 in body:
        return True
    if body.count(b"[") + body.count(b"{") <= DEPTH:
        return False
    depth = 0
    for token in _TOKEN.finditer(body):
        if token[0] in b"[{":
            depth += 1
            if depth > DEPTH:
                return True
        elif token[0] in b"]}":
            depth -= 1
    return False
