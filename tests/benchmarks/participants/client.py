"""Commands over plain sockets: a client library would take more of the machine than the server that is measured."""

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Load:
    """How a number of commands went."""

    rate: float
    """Commands per second."""
    p99: float
    """Seconds."""


async def send(port: int, requests: list[bytes]) -> Load:
    """Send `requests` over a few connections, each as soon as the one before it is answered; all must succeed."""
    waiting = iter(requests)
    begun = time.perf_counter()
    times = await asyncio.gather(*(_connection(port, waiting) for _ in range(_CONNECTIONS)))
    taken = time.perf_counter() - begun
    each = sorted(second for seconds in times for second in seconds)
    return Load(len(requests) / taken, each[int(len(each) * 0.99)])


async def _connection(port: int, waiting: Iterator[bytes]) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds = []
    for request in waiting:
        begun = time.perf_counter()
        head, body = await exchange(reader, writer, request)
        seconds.append(time.perf_counter() - begun)
        assert head.startswith(b"HTTP/1.1 200 "), head + body
    writer.close()
    return seconds


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[bytes, bytes]:
    """Send a request and return the answer's head and body."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, await reader.readexactly(length)


def request(method: str, path: str, key: str, token: str, body: object = None) -> bytes:
    """Return one command as it goes over the wire."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f'Authorization: Bearer {token}\r\nIdempotency-Key: "{key}"\r\nContent-Length: {len(content)}\r\n\r\n'
    )
    return head.encode() + content
