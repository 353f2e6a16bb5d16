"""Responses of others: read within bounds, and what HTTP says in more than one way read in all of them.

Every HTTP client of ours sends by `fetch`. Whoever answers decides neither how much memory nor how much time we spend.
"""

import asyncio
import time
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

MOST: Final = 1_048_576
"""Bytes of a body that are read."""
_UNREAD = "unread"
_DIGITS = 9
"""Digits of Retry-After that are read; no wait is longer."""


async def fetch(  # noqa: PLR0913 - a request's parts, and two bounds on its response
    http: httpx.AsyncClient,
    method: str,
    url: str,
    *,
    most: int = MOST,
    deadline: float = 60.0,
    headers: dict[str, str] | None = None,
    **request: Any,  # noqa: ANN401 - httpx's own keywords
) -> httpx.Response:
    """Send a request and return its response, whose body is empty where it has more than `most` bytes.

    The whole response has `deadline` seconds: httpx bounds each read, and not their sum. A compressed body is not read
    either: we ask for none, and a few bytes of it may be gigabytes.

    Raises:
        httpx.RequestError: It did not arrive, or not before the deadline.
    """
    own = {**(headers or {}), "Accept-Encoding": "identity"}
    try:
        async with asyncio.timeout(deadline), http.stream(method, url, headers=own, **request) as response:
            body, why = await _body(response, most)
    except TimeoutError:
        message = f"the response did not end within {deadline:g} seconds"
        raise httpx.ReadTimeout(message) from None
    kept = [(name, value) for name, value in response.headers.raw if name.lower() != b"content-encoding"]
    extensions = {_UNREAD: why} if why else {}
    return httpx.Response(
        response.status_code, headers=kept, content=body, request=response.request, extensions=extensions
    )


def why_unread(response: httpx.Response) -> str | None:
    """Return why the body of a response was not read, None where it was."""
    why: str | None = response.extensions.get(_UNREAD)
    return why


def media_type(response: httpx.Response) -> str:
    """Return the media type of a response in lower case and without parameters (RFC 9110, 8.3.1)."""
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def retry_after(response: httpx.Response, most: float) -> float | None:
    """Return the seconds that Retry-After asks for, at most `most`; None where it says nothing that can be read.

    It is a number of seconds or a date (RFC 9110, 10.2.3).
    """
    value = str(response.headers.get("Retry-After", "")).strip()
    if value.isascii() and value.isdecimal():
        return min(float(value[:_DIGITS]), most)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    return min(max(0.0, at.timestamp() - time.time()), most)


async def _body(response: httpx.Response, most: int) -> tuple[bytes, str | None]:
    """Read the body; return why it was not where it was not. The connection of such a one is closed."""
    coding = response.headers.get("Content-Encoding", "identity").strip().lower()
    if coding != "identity":
        return b"", f"a body in the content coding {coding[:20]}, which was not asked for"
    too_long = f"a body of more than {most / MOST:.3g} MB"
    if response.headers.get("Content-Length", "").isdecimal() and int(response.headers["Content-Length"][:20]) > most:
        return b"", too_long
    body = bytearray()
    async for part in response.aiter_bytes():  # nothing is decoded: there is no coding
        body += part
        if len(body) > most:
            return b"", too_long
    return bytes(body), None
