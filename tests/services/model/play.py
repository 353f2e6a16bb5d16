"""Play sequences: in this process, as many as are asked for, with a seed that plays them again."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
import structlog
import uvloop
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.services.model.lanes import Lane
from tests.services.model.machine import LANES, Machine, World

_STEPS = 12


def play(
    admin_url: str, role_urls: dict[str, str], sequences: int, number: int, *, shrink: bool = True
) -> Counter[str]:
    """Play `sequences` sequences from the seed `number` and return what was played.

    Raises:
        Violation: an invariant does not hold; Hypothesis has noted the sequence.
    """
    with _world(admin_url, role_urls) as world:
        play_in(world, sequences, number, shrink=shrink)
        return world.played


def play_in(world: World, sequences: int, number: int, *, shrink: bool = True) -> None:
    """Do so with connections that are open."""
    phases = (Phase.generate, Phase.shrink) if shrink else (Phase.generate,)

    class Played(Machine):
        pass

    Played.world = world
    run_state_machine_as_test(
        seed(number)(Played),
        settings=settings(
            max_examples=sequences,
            stateful_step_count=_STEPS,
            deadline=None,  # A sequence takes as long as PostgreSQL does.
            database=None,  # Sagas are new each time, and a run is repeated by its seed.
            derandomize=False,  # Each run of the suite plays others.
            print_blob=True,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],  # Real statements take time.
        ),
    )


@contextmanager
def _world(admin_url: str, role_urls: dict[str, str]) -> Iterator[World]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        world = runner.run(_open(admin_url, role_urls))
        try:
            yield world
        finally:
            runner.run(_close(world))
            structlog.reset_defaults()


async def _open(admin_url: str, role_urls: dict[str, str]) -> World:
    watcher = await asyncpg.connect(admin_url)
    lanes = {name: [Lane(url, name) for _ in range(LANES)] for name, url in role_urls.items()}
    events = {name: await watcher.fetchval(f"SELECT coalesce(max(position), 0) FROM {name}.outbox") for name in lanes}  # noqa: S608 - our names
    return World(asyncio.get_running_loop(), lanes, watcher, events)


async def _close(world: World) -> None:
    for lanes in world.lanes.values():
        for lane in lanes:
            await lane.close()
    await world.watcher.close()
