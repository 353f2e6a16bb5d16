"""`python -m tests.benchmarks.participants`: hold the bars of the barrier's cost; writes results/participants.json."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import httpx

from services.participant.provisioning import provision
from tests.benchmarks.bars import Bar, Samples, Sense
from tests.benchmarks.participants import client, command
from tests.services.postgres import Postgres
from tests.stack import free_port
from tests.world import answers, eventually

_FEW, _MANY = 1_000, 1_000_000
"""Rows that the barrier's table has before it is measured."""
_ARTICLES = 1_000
"""So many that commands seldom wait for each other's article: what is measured is work, not waiting."""
_DO = "do"
_UNDO = "undo"
BARS = (
    *(Bar(f"{op}/s, against the same without the barrier", Sense.AT_LEAST, 0.6) for op in (_DO, _UNDO)),
    *(Bar(f"{op}/s at 10^6 rows, against 10^3", Sense.AT_LEAST, 0.9) for op in (_DO, _UNDO)),
)


@dataclass(frozen=True, slots=True)
class Server:
    """One inventory: its port, and the token that both of its workers send."""

    port: int
    token: str

    async def round(self, prefix: str, commands: int) -> dict[str, client.Load]:
        """Reserve for `commands` new orders, then release them all."""
        orders = [uuid4().hex for _ in range(commands)]
        holds = [{"items": [{"sku": f"A-{number % _ARTICLES:04}", "quantity": 1}]} for number in range(commands)]
        path = f"{prefix}/reservations/"
        dos = [
            client.request("PUT", path + order, f"{order}/reserve-inventory", self.token, hold)
            for order, hold in zip(orders, holds, strict=True)
        ]
        undos = [client.request("DELETE", path + order, f"{order}/release-inventory", self.token) for order in orders]
        return {_DO: await client.send(self.port, dos), _UNDO: await client.send(self.port, undos)}


async def measure(samples: Samples, rounds: int, commands: int) -> None:
    """Take turns, so that what slows the machine slows all alike."""
    async with AsyncExitStack() as stack:
        postgres = Postgres()
        stack.callback(postgres.remove)
        await postgres.start()
        few = await stack.enter_async_context(_serving(postgres, _FEW))
        many = await stack.enter_async_context(_serving(postgres, _MANY))
        variants = {"barrier": (few, ""), "bare": (few, "/bare"), "million": (many, "")}
        for number in range(rounds + 1):
            order = list(variants)
            if number % 2:
                order.reverse()
            loads = {name: await variants[name][0].round(variants[name][1], commands) for name in order}
            if number:  # the first round warms up
                _note(samples, loads)


def _note(samples: Samples, loads: dict[str, dict[str, client.Load]]) -> None:
    for op in (_DO, _UNDO):
        barrier, bare, million = (loads[name][op] for name in ("barrier", "bare", "million"))
        samples.ratio(f"{op}/s, against the same without the barrier", barrier.rate / bare.rate)
        samples.ratio(f"{op}/s at 10^6 rows, against 10^3", million.rate / barrier.rate)
        for name, load in (("with the barrier", barrier), ("without it", bare), ("at 10^6 rows", million)):
            samples.figure(f"{op}, {name}", "requests/s", load.rate)
            samples.figure(f"{op}, {name}", "p99 ms", load.p99 * 1000)


@asynccontextmanager
async def _serving(postgres: Postgres, rows: int) -> AsyncIterator[Server]:
    name = f"rows_{rows}"
    admin = await asyncpg.connect(postgres.url())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    role = await provision("inventory", postgres.url(name))
    await _fill(postgres.url(name), rows)
    port, token = free_port(), uuid4().hex
    tokens = {f"TOKEN_{each}": token for each in ("RESERVE_INVENTORY", "RELEASE_INVENTORY", "READ")}
    command = [sys.executable, "-m", "tests.benchmarks.participants.server", role, str(port)]
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **tokens}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with httpx.AsyncClient() as http:
            await eventually(lambda: answers(http, f"http://127.0.0.1:{port}/ready"), bool, seconds=30)
        yield Server(port, token)
    finally:
        process.terminate()
        await process.wait()


async def _fill(url: str, rows: int) -> None:
    """Write what `rows` / 2 orders of the past have left: each was done and undone."""
    admin = await asyncpg.connect(url)
    await admin.execute(
        "INSERT INTO inventory.barrier (saga_id, branch, op, fenced, fingerprint, status, answer, settlement)"
        " SELECT md5(number::text), 'reservation', op, false, sha256(number::text::bytea), 200,"
        " convert_to($2, 'UTF8'), CASE op WHEN 'do' THEN 'undone' END"
        " FROM generate_series(1, $1::int / 2) number, unnest(ARRAY['do', 'undo']) op",
        rows,
        '{"reservationId":"0123456789abcdef0123456789abcdef","items":[{"sku":"KEYBOARD","quantity":2}]}',
    )
    await admin.execute(
        "INSERT INTO inventory.stock (sku, on_hand, reserved)"
        " SELECT 'A-' || lpad(number::text, 4, '0'), 1000000, 0 FROM generate_series(0, $1::int - 1) number",
        _ARTICLES,
    )
    await admin.execute("VACUUM ANALYZE")
    await admin.close()


async def _measure(samples: Samples, quick: bool) -> None:  # noqa: FBT001 - called by `command`
    await measure(samples, rounds=3 if quick else 7, commands=400 if quick else 1500)


if __name__ == "__main__":
    sys.exit(
        command.run("tests.benchmarks.participants", __doc__, _measure, BARS, result="participants", keeps_quick=True)
    )
