"""The barrier against its model: commands that are interleaved at each statement, killed, repeated, late and undone."""

import asyncio
import multiprocessing
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from random import SystemRandom
from typing import cast
from uuid import uuid4

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from tests.amount import portions
from tests.services.model import mutations, mutations_elsewhere
from tests.services.model.books import Violation
from tests.services.model.play import play
from tests.services.postgres import Admin, Postgres

SEQUENCES = [20, pytest.param(10_000, marks=pytest.mark.proof)]
SEQUENCES_ELSEWHERE = [10, pytest.param(3_500, marks=pytest.mark.proof)]
"""As many as at each of the others."""
PORTION = 200
"""Sequences that are played before the time is looked at, where it is bounded."""
ENOUGH = 2_000
"""Sequences in which each seeded fault must be found."""
SERVICES = ("inventory", "orders", "shipping")
ELSEWHERE = ("payment", "card_processor")
ONLY_AT: dict[str, tuple[str, ...]] = {
    "_refusal_keeps_what_was_written": ("orders",),
    "_every_claim_wins": ("orders",),
    "_decision_is_looked_up_before_it_is_written": ("orders",),
    "_stock_is_read_without_its_lock": ("inventory",),
}
"""Where a fault lies that is not in every service: the others would be played for nothing."""
ONLY_AT |= {each.__name__: ELSEWHERE for each in mutations_elsewhere.MUTATIONS}
_SPAWN = multiprocessing.get_context("spawn")


def _play_mutated(mutation: Callable[[pytest.MonkeyPatch], None], *arguments: object) -> str:
    """Play with a fault; return what the machine found, or nothing."""
    found: list[Exception] = []
    with pytest.MonkeyPatch.context() as patch:
        mutation(patch)
        try:
            play(*arguments, shrink=False)  # type: ignore[arg-type] # passed through
        # The database has rules of its own that a fault may break. In a group is what was found and not met again.
        except* (Violation, DBAPIError) as group:
            found.extend(group.exceptions)
    return "; ".join(f"{type(error).__name__}: {str(error)[:200]}" for error in found)


async def _databases(
    postgres: Postgres, pattern_urls: dict[str, str], admin: Admin, count: int, services: tuple[str, ...]
) -> list[tuple[str, dict[str, str]]]:
    """Make databases of their own, so that no two processes see each other's events."""
    made = []
    for _ in range(count):
        name = f"model_{uuid4().hex}"
        await admin.execute(f"CREATE DATABASE {name} TEMPLATE pattern")
        roles = {
            service: make_url(url).set(database=name).render_as_string(hide_password=False)
            for service, url in pattern_urls.items()
            if service in services
        }
        made.append((postgres.url(name), roles))
    return made


async def _apart(function: Callable[..., object], *arguments: object) -> object:
    """Run in a process of its own: the machine owns its event loop, and a mutation stays there."""
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, partial(function, *arguments))


async def _play_at(
    services: tuple[str, ...], sequences: int, postgres: Postgres, pattern_urls: dict[str, str], admin: Admin
) -> tuple[int, Counter[str]]:
    """Play in as many processes as there are processors; return how many were asked for, and what was played."""
    processes = os.cpu_count() or 1
    asked, total = 0, Counter[str]()
    for portion in portions(sequences, PORTION):
        # A few more are asked for: what Hypothesis breaks off, or holds too few commands, does not count.
        each = portion * 21 // 20 // processes + 10
        seeds = [SystemRandom().getrandbits(32) for _ in range(processes)]
        print("seeds", seeds)  # noqa: T201 - to play a failing run again
        databases = await _databases(postgres, pattern_urls, admin, processes, services)
        played = await asyncio.gather(
            *(_apart(play, url, roles, each, seed) for (url, roles), seed in zip(databases, seeds, strict=True))
        )
        asked += portion
        for counts in played:
            total.update(cast("Counter[str]", counts))
    print(dict(total))  # noqa: T201 - figures
    return asked, total


@pytest.mark.long
@pytest.mark.parametrize("sequences", SEQUENCES)
async def test_no_interleaving_of_commands_crashes_and_repeats_breaks_an_invariant(
    sequences: int,
    postgres: Postgres,
    pattern_urls: dict[str, str],
    admin: Admin,
    record_property: Callable[[str, object], None],
) -> None:
    sequences, total = await _play_at(SERVICES, sequences, postgres, pattern_urls, admin)
    record_property("sequences", total["sequences"])
    assert total["sequences"] >= sequences
    assert total["statements while one waited for a lock"] > sequences / 10
    _rare(total, sequences, "crashes after commit")


@pytest.mark.long
@pytest.mark.parametrize("sequences", SEQUENCES_ELSEWHERE)
async def test_no_interleaving_with_the_conversation_with_a_third_party_breaks_an_invariant(
    sequences: int,
    postgres: Postgres,
    pattern_urls: dict[str, str],
    admin: Admin,
    record_property: Callable[[str, object], None],
) -> None:
    sequences, total = await _play_at(ELSEWHERE, sequences, postgres, pattern_urls, admin)
    record_property("sequences with a third party", total["sequences at payment"])
    assert total["sequences at payment"] >= sequences
    assert total["statements while one waited for a lock"] > sequences / 10
    _rare(total, sequences, "calls that went wrong", share=10)
    _rare(total, sequences, "crashes after commit", "calls that arrived late")


def _rare(total: Counter[str], sequences: int, *names: str, share: int = 50) -> None:
    """Check that what comes in one of `share` sequences came; a few hundred are too few to tell."""
    if sequences >= ENOUGH:
        assert {name for name in names if total[name] <= sequences / share} == set()


@pytest.mark.proof
@pytest.mark.parametrize(
    "mutation", [*mutations.MUTATIONS, *mutations_elsewhere.MUTATIONS], ids=lambda mutation: mutation.__name__
)
async def test_the_machine_finds_a_barrier_with_a_statement_taken_out(
    postgres: Postgres, pattern_urls: dict[str, str], admin: Admin, mutation: Callable[[pytest.MonkeyPatch], None]
) -> None:
    name = mutation.__name__
    [(url, roles)] = await _databases(postgres, pattern_urls, admin, 1, ONLY_AT.get(name, SERVICES))
    found = await _apart(_play_mutated, mutation, url, roles, ENOUGH, SystemRandom().getrandbits(32))
    print(name, found)  # noqa: T201 - what gave it away
    assert found
