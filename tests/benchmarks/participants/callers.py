"""Callers of the inventory, in a process of their own: `python -m tests.benchmarks.participants.callers PORT TOKEN`.

Reads a `Plan` as JSON from standard input and prints a `Result`. Each caller has a connection of its own and sends one
command at a time: the next one where the last took effect, and the same one again where it was told to wait.
"""

import asyncio
import dataclasses
import json
import sys
import time
from dataclasses import dataclass, field
from random import Random
from uuid import uuid4

import uvloop

from tests.benchmarks.participants import client

_MOST = 3
"""Articles of one order."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the callers do."""

    callers: int
    articles: list[str]
    """Each order takes one to three of them, at random."""
    seconds: float
    """How long they go on; what is on its way then is waited for and does not count."""
    patience: float = 10.0
    """Seconds for which a caller waits for its answer, as our workers do."""
    commands: int = sys.maxsize
    """How many commands each caller sends at most."""


@dataclass(slots=True)
class Result:
    """What came of it."""

    seconds: float = 0.0
    done: int = 0
    """Commands that took effect."""
    late: int = 0
    """Commands that a caller gave up waiting for."""
    told: dict[str, int] = field(default_factory=dict)
    """How often each problem was answered, by its code."""
    without_retry_after: int = 0
    """Answers of 429 or 503 that do not say when to come again."""
    times: list[float] = field(default_factory=list)
    """Seconds that each command took that took effect, from its first sending."""

    @property
    def rate(self) -> float:
        """Commands per second that took effect."""
        return self.done / self.seconds


class _Callers:
    def __init__(self, port: int, token: str, plan: Plan) -> None:
        self._port = port
        self._token = token
        self._plan = plan
        self._random = Random(4711)  # noqa: S311 - which articles, and how long a pause is
        self._end = 0.0
        self.result = Result()

    async def run(self) -> None:
        ways = await asyncio.gather(*(self._connect() for _ in range(self._plan.callers)))
        begun = time.perf_counter()
        self._end = begun + self._plan.seconds
        await asyncio.gather(*(self._call(*way) for way in ways))
        self.result.seconds = min(time.perf_counter() - begun, self._plan.seconds)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(self._plan.commands):
            order = uuid4().hex
            articles = self._random.sample(self._plan.articles, self._random.randint(1, _MOST))
            hold = {"items": [{"sku": sku, "quantity": 1} for sku in articles]}
            request = client.request("PUT", f"/reservations/{order}", f"{order}/reserve-inventory", self._token, hold)
            first = time.perf_counter()
            pause: float | None = 0.0
            while pause is not None and time.perf_counter() < self._end:
                await asyncio.sleep(pause)
                try:
                    async with asyncio.timeout(self._plan.patience):
                        head, body = await client.exchange(reader, writer, request)
                except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
                    self.result.late += 1
                    writer.close()
                    reader, writer = await self._connect()
                    pause = 0.0
                    continue
                pause = self._pause(head, body)
                if b"\r\nconnection: close" in head.lower():
                    writer.close()
                    reader, writer = await self._connect()
            now = time.perf_counter()
            if now >= self._end:
                break
            self.result.done += 1
            self.result.times.append(now - first)
        writer.close()

    def _pause(self, head: bytes, body: bytes) -> float | None:
        """Return after which seconds the command is sent again, None where it took effect."""
        if head.startswith(b"HTTP/1.1 200 "):
            return None
        code = json.loads(body)["code"]
        self.result.told[code] = self.result.told.get(code, 0) + 1
        wish = head.lower().partition(b"retry-after: ")[2].partition(b"\r\n")[0]
        if not wish:
            self.result.without_retry_after += 1
        return int(wish or b"1") * self._random.uniform(1.0, 1.5)


def main(port: int, token: str) -> None:
    """Do what standard input says."""
    callers = _Callers(port, token, Plan(**json.load(sys.stdin)))
    uvloop.run(callers.run())
    json.dump(dataclasses.asdict(callers.result), sys.stdout)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
