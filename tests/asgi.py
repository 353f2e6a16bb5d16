"""What the tests' own ASGI applications share."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]


async def body_of(receive: Callable[[], Awaitable[Message]]) -> bytes:
    """Return a request's whole body."""
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body"):
            return body
