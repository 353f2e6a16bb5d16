"""`python -m tests.benchmarks.sweeps`: what a sweep of the reconciler reads as history grows (results/sweeps.json)."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from rich.console import Console

import services
from saga.clients.participant import Participant
from saga.common.tokens import Tokens
from saga.operations.reconcile.effects import CALLER, Ledger
from services.participant.provisioning import provision
from tests.benchmarks import report
from tests.benchmarks.bars import Bar, Samples, Sense, judge
from tests.services.conftest import running
from tests.services.participant import token
from tests.services.postgres import Admin, Postgres

_FEW, _MANY = 1_000, 100_000
"""Finished orders."""
_OPEN = 100
"""Orders whose effects are not settled."""
_ROUNDS = 7
_BRANCHES = {
    "orders": ("order", "dispatch"),
    "inventory": ("reservation",),
    "payment": ("payment",),
    "shipping": ("shipment",),
}
_READ = "rows that a sweep reads at 10^5 finished orders, against 10^3"
_SECONDS = "seconds of a sweep at 10^5 finished orders, against 10^3"
BARS = (Bar(_READ, Sense.AT_MOST, 1.0), Bar(_SECONDS, Sense.AT_MOST, 1.2))
_STATISTICS = (
    "SELECT coalesce(sum(seq_tup_read + coalesce(idx_tup_fetch, 0)), 0)::bigint FROM pg_stat_user_tables "
    "WHERE relname = 'barrier'"
)


@dataclass(frozen=True, slots=True)
class World:
    """All participants of one database, with so many finished orders."""

    admin: Admin
    ledgers: list[Ledger]

    async def sweep(self) -> tuple[int, int, float]:
        """Read all ledgers as a sweep does; return the effects, the barrier rows that PostgreSQL read, and seconds."""
        before, begun = await self._rows_read(), time.perf_counter()
        effects = 0
        for ledger in self.ledgers:
            async for page in ledger.unsettled():
                effects += len(page)
        seconds = time.perf_counter() - begun
        return effects, await self._rows_read() - before, seconds

    async def _rows_read(self) -> int:
        """Return the counter of PostgreSQL once it stands still: its sessions report what they read with a delay."""
        last, now = -1, await self.admin.fetchval(_STATISTICS)
        while now != last:
            await asyncio.sleep(1.5)
            await self.admin.execute("SELECT pg_stat_clear_snapshot()")
            last, now = now, await self.admin.fetchval(_STATISTICS)
        return int(now)


@asynccontextmanager
async def _world(postgres: Postgres, finished: int) -> AsyncIterator[World]:
    name = f"finished_{finished}"
    admin = await asyncpg.connect(postgres.url())
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    async with AsyncExitStack() as stack:
        ledgers = []
        tokens = Tokens({f"TOKEN_{CALLER.upper()}": token(CALLER)})
        for service in services.participants():
            role = await provision(service, postgres.url(name))
            nobody = {"CARD_PROCESSOR_URL": "http://127.0.0.1:9"}
            participant = await stack.enter_async_context(running(service, role, nobody))
            ledgers.append(Ledger(Participant(service, participant.http, tokens)))
        admin = await asyncpg.connect(postgres.url(name))
        for service, branches in _BRANCHES.items():
            for branch in branches:
                await _fill(admin, service, branch, "kept", finished)
                await _fill(admin, service, branch, None, _OPEN)
        await admin.execute("VACUUM ANALYZE")
        yield World(admin, ledgers)
        await admin.close()


async def _fill(admin: Admin, service: str, branch: str, settlement: str | None, orders: int) -> None:
    await admin.execute(
        f"INSERT INTO {service}.barrier (saga_id, branch, op, fenced, status, answer, caller, origin, settlement)"  # noqa: S608 - ours
        " SELECT coalesce($2, 'open') || number, $1, 'do', false, 200, '{}', 'a-task-type', number || '/' || number, $2"
        " FROM generate_series(1, $3) number",
        branch,
        settlement,
        orders,
    )


async def measure(samples: Samples) -> None:
    """Sweep both worlds in turn."""
    async with AsyncExitStack() as stack:
        postgres = Postgres()
        stack.callback(postgres.remove)
        await postgres.start()
        few = await stack.enter_async_context(_world(postgres, _FEW))
        many = await stack.enter_async_context(_world(postgres, _MANY))
        for number in range(_ROUNDS + 1):
            (effects, few_read, few_seconds), (_, many_read, many_seconds) = await few.sweep(), await many.sweep()
            if number:  # the first round warms up
                samples.ratio(_READ, many_read / few_read)
                samples.ratio(_SECONDS, many_seconds / few_seconds)
                samples.figure("open effects", "effects", effects)
                for finished, read, seconds in ((_FEW, few_read, few_seconds), (_MANY, many_read, many_seconds)):
                    samples.figure(f"a sweep at {finished:,} finished orders", "barrier rows read", read)
                    samples.figure(f"a sweep at {finished:,} finished orders", "ms", seconds * 1000)


def main() -> int:
    """Measure, print, write, and return 1 where a bar is missed."""
    samples, facts, begun = Samples(), report.machine(), time.monotonic()
    asyncio.run(measure(samples))
    verdicts = judge(samples, BARS)
    report.show(Console(width=110), verdicts, samples)
    report.write(report.document(facts, "full", time.monotonic() - begun, verdicts, samples), "sweeps")
    return report.status(verdicts)


if __name__ == "__main__":
    sys.exit(main())
