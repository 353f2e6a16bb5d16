"""`python -m tests.benchmarks.participants.overload`: what many callers at once get; writes results/overload.json.

Service, database and callers are processes of their own, and everything is measured by the callers.
"""

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import httpx

from services.participant.auth import callers_of
from services.participant.provisioning import provision
from services.participant.server import router_of
from tests.benchmarks.bars import Bar, Samples, Sense
from tests.benchmarks.participants import command
from tests.benchmarks.participants.callers import Plan, Result
from tests.services.postgres import Postgres
from tests.stack import free_port
from tests.world import answers, eventually

ARTICLES = [f"A-{number:04}" for number in range(1_000)]
"""So many that commands seldom wait for each other's article."""
HOT = ARTICLES[:3]
_STEPS = (16, 64, 256, 1_000)
"""Callers at once, to find the best rate by."""
MANY = 400
"""Callers of the hot articles."""
GOODPUT = f"commands/s of {_STEPS[-1]} callers, against the best of {', '.join(map(str, _STEPS))}"
CONTENDED = f"commands/s of {MANY} callers at three articles, against {len(ARTICLES)}"
BARS = (Bar(GOODPUT, Sense.AT_LEAST, 0.8), Bar(CONTENDED, Sense.AT_LEAST, 0.6))


@dataclass(frozen=True, slots=True)
class Inventory:
    """An inventory service in a process of its own."""

    port: int
    token: str
    admin: asyncpg.Connection

    async def call(self, plan: Plan) -> Result:
        """Have it called by callers in a process of their own."""
        command = [sys.executable, "-m", "tests.benchmarks.participants.callers", str(self.port), self.token]
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        output, _ = await process.communicate(json.dumps(dataclasses.asdict(plan)).encode())
        assert process.returncode == 0
        return Result(**json.loads(output))


@asynccontextmanager
async def serving() -> AsyncIterator[Inventory]:
    """Run the service as `saga services inventory` does, with a database of its own."""
    postgres = Postgres()
    await postgres.start()
    role = await provision("inventory", postgres.url())
    admin = await asyncpg.connect(postgres.url())
    stock = "INSERT INTO inventory.stock (sku, on_hand, reserved) SELECT sku, 1000000000, 0 FROM unnest($1::text[]) sku"
    await admin.execute(stock, ARTICLES)
    port = free_port()
    tokens = {caller: uuid4().hex for caller in callers_of(router_of("inventory"))}
    variables = {f"TOKEN_{caller.upper().replace('-', '_')}": token for caller, token in tokens.items()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "saga.cli", "services", "inventory"),
        env=os.environ | variables | {"INVENTORY_DATABASE_URL": role, "DATABASE_URL": role, "PORT": str(port)},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with httpx.AsyncClient() as http:
            await eventually(lambda: answers(http, f"http://127.0.0.1:{port}/ready"), bool, seconds=30)
        yield Inventory(port, tokens["reserve-inventory"], admin)
    finally:
        process.terminate()
        await process.wait()
        await admin.close()
        postgres.remove()


async def measure(samples: Samples, rounds: int, seconds: float) -> None:
    """Take turns, so that what slows the machine slows all alike."""
    async with serving() as inventory:
        await inventory.call(Plan(_STEPS[0], ARTICLES, seconds))  # warms up
        for _ in range(rounds):
            crowds = {callers: await inventory.call(Plan(callers, ARTICLES, seconds)) for callers in _STEPS}
            spread = await inventory.call(Plan(MANY, ARTICLES, seconds))
            hot = await inventory.call(Plan(MANY, HOT, seconds))
            samples.ratio(GOODPUT, crowds[_STEPS[-1]].rate / max(each.rate for each in crowds.values()))
            samples.ratio(CONTENDED, hot.rate / spread.rate)
            for callers, result in crowds.items():
                note(samples, f"{callers} callers", result)
            note(samples, f"{MANY} callers", spread)
            note(samples, f"{MANY} callers, three articles", hot)


def note(samples: Samples, name: str, result: Result) -> None:
    """Keep the figures of one crowd."""
    times = sorted(result.times)
    samples.figure(name, "commands/s", result.rate)
    samples.figure(name, "p99 ms", times[int(len(times) * 0.99)] * 1_000)
    samples.figure(name, "gave up", result.late)
    samples.figure(name, "told to wait", sum(result.told.values()))


async def _measure(samples: Samples, quick: bool) -> None:  # noqa: FBT001 - called by `command`
    await measure(samples, rounds=1 if quick else 5, seconds=4.0 if quick else 8.0)


if __name__ == "__main__":
    sys.exit(
        command.run(
            "tests.benchmarks.participants.overload", __doc__, _measure, BARS, result="overload", keeps_quick=False
        )
    )
