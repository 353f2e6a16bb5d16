"""One request: its key, its body, and what may be asked of the engine for it."""

import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..core import Command
from ..projection import Reader
from ..writer import Writer
from . import fields
from .encoding import decode, encode
from .kinds import key_in_path
from .problems import Problem, bad_request

_JSON = "application/json"

LARGEST_BODY = (4 << 20) + (256 << 10)
"""Bytes of a request's body: Zeebe's 4 MiB for a message, and a margin for what is around it."""


@dataclass(frozen=True)
class Engine:
    """The engine behind REST."""

    writer: Writer
    reader: Reader
    port: int
    """Of gRPC."""
    controlled_clock: bool
    """Whether the clock's routes work (`--clock controlled`)."""


@dataclass(frozen=True)
class Call:
    """A request to one route."""

    request: Request
    engine: Engine

    @cached_property
    def key(self) -> int:
        """The key in the path.

        Raises:
            Problem: It is no key.
        """
        ((name, text),) = self.request.path_params.items()
        return key_in_path(text, name)

    async def json(self, *, needed: bool = True) -> dict[str, Any]:
        """Return the body, a JSON object; {} where there is none and none is needed.

        Raises:
            Problem: It is not JSON, too large, or missing.
        """
        raw = await body(self.request)
        if not raw.strip():
            if needed:
                message = "Required request body is missing"
                raise bad_request(message)
            return {}
        try:
            value = decode(raw)
        except msgspec.DecodeError:
            message = "Request body cannot be parsed: it is not valid JSON"
            raise bad_request(message) from None
        except RecursionError:
            message = "Request body cannot be parsed: its objects and arrays are nested too deeply"
            raise bad_request(message) from None
        if not isinstance(value, dict):
            message = "Request body cannot be parsed: it is not a JSON object"
            raise bad_request(message)
        return value

    async def fields(self, known: fields.Fields, *, needed: bool = True) -> dict[str, Any]:
        """Return the body's properties.

        Raises:
            Problem: As `json`; or it has unknown properties or values of the wrong type.
        """
        return fields.read(known, await self.json(needed=needed))

    async def ask(self, query: Callable[[sqlite3.Connection], Any]) -> Response:
        """Answer with what a query finds; both are done in the reader's thread, so large answers stall nobody."""
        found = await self.engine.reader.read(lambda connection: encode(query(connection)))
        return Response(found, media_type=_JSON)

    async def send(self, value_type: str, intent: str, value: dict[str, Any] | None = None, key: int = -1) -> Any:  # noqa: ANN401 - as the command's response
        """Send a command to the engine and return its response."""
        return await self.engine.writer.send(Command(value_type, intent, key, value or {}))

    async def command(self, value_type: str, intent: str, value: dict[str, Any] | None = None) -> Response:
        """Send a command about the key in the path; the answer is empty."""
        await self.send(value_type, intent, value, self.key)
        return empty()


Endpoint = Callable[[Call], Awaitable[Response]]


def answer(value: Any) -> Response:  # noqa: ANN401 - whatever is JSON
    """Return an answer with a JSON body."""
    return Response(encode(value), media_type=_JSON)


def empty() -> Response:
    """Return an answer without a body."""
    return Response(status_code=HTTPStatus.NO_CONTENT)


async def body(request: Request) -> bytes:
    """Read a request's body.

    Raises:
        Problem: It is too large.
    """
    received = bytearray()
    too_large = Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Content Too Large", f"The request has more than {LARGEST_BODY} bytes"
    )
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > LARGEST_BODY:
        raise too_large
    async for chunk in request.stream():
        received += chunk
        if len(received) > LARGEST_BODY:
            raise too_large
    return bytes(received)
