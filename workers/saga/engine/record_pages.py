"""`saga engine records`: the records of a running engine, from its management port."""

import http.client
import json
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

from .access import read_tokens
from .arguments import make_parser, number
from .errors import CommandError

LAST_POSITION = (1 << 63) - 1
"""The largest position that may be asked for."""
LONGEST_WAIT = 60_000
"""Milliseconds that a request may wait for a record."""
_TIMEOUT = 30.0
"""Seconds for an answer, on top of what it may wait for a record."""


class RecordsError(CommandError):
    """The records cannot be read."""


def run(arguments: Sequence[str], name: str) -> Iterator[str]:
    """Give the records that the command line asks for, as pages of lines; `name` is the command's.

    Raises:
        CommandError: They cannot be read; the message says why.
        SystemExit: The arguments are wrong, or ask for help.
    """
    parser = make_parser(name, "Print the records of a running engine, one JSON object a line.")
    add = parser.add_argument
    position = number(LAST_POSITION, "a position")
    add("--from", dest="first", type=position, default=0, metavar="POSITION", help="first record (the log's first)")
    add("--follow", action="store_true", help="go on with what is added, until Ctrl-C")
    address = "127.0.0.1:9600"
    add("--address", default=address, metavar="HOST:PORT", help="the engine's management port (%(default)s)")
    add("--token-file", type=Path, metavar="FILE", help="file whose first line is the token to send")
    given = parser.parse_args(arguments)
    authorization = read_tokens(given.token_file)[0] if given.token_file else None
    return pages(given.address, given.first, follow=given.follow, authorization=authorization)


def pages(address: str, position: int, *, follow: bool, authorization: str | None = None) -> Iterator[str]:
    """Give the records from `position` on, page by page: lines of JSON.

    Args:
        address: `HOST:PORT` of the management port.
        position: The first record's; 0 stands for the log's first.
        follow: Whether to wait for more at the log's end.
        authorization: Value of the Authorization header.

    Raises:
        RecordsError: There is no engine, it lets nobody in without a token, or the log begins behind `position`.
    """
    host, port = _split(address)
    # Straight to the address: the standard library asks no proxy here.
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT + (LONGEST_WAIT / 1000 if follow else 0))
    headers = {"Authorization": authorization} if authorization else {}
    wait = LONGEST_WAIT if follow else 0
    try:
        while True:
            page = _page(connection, f"/records?from={position}&wait={wait}", headers)
            if page:
                yield page
                last = page[page.rfind("\n", 0, -1) + 1 :]
                position = json.loads(last)["position"] + 1
            elif not follow:
                return
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        message = f"No engine answers at {address} ({reason}). Start it, or name its management port with --address."
        raise RecordsError(message) from None
    finally:
        connection.close()


def _page(connection: http.client.HTTPConnection, path: str, headers: dict[str, str]) -> str:
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    if answer.status == HTTPStatus.OK and answer.getheader("content-type") == "application/x-ndjson":
        return body
    if answer.getheader("content-type") == "application/problem+json" and answer.status != HTTPStatus.NOT_FOUND:
        raise RecordsError(json.loads(body)["detail"])
    message = f"The answer was {answer.status} {answer.reason}: this is not the management port of an engine. "
    message += "Name it with --address; it is 9600 unless the engine was started with another."
    raise RecordsError(message)


def _split(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{address}")
        if parts.hostname and parts.port and parts.netloc == address and not parts.username:
            return parts.hostname, parts.port
    except ValueError:
        pass
    message = f"{address[:80]!r} is not an address; name one such as 127.0.0.1:9600."
    raise RecordsError(message)
