"""Play sequences: in this process, as many as are asked for, with a seed that plays them again."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from itertools import chain

import asyncpg
import structlog
import uvloop
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.services.model.elsewhere import MachineElsewhere
from tests.services.model.lanes import Lane
from tests.services.model.machine import LANES, Machine, World
from tests.services.model.third_party import CallingLane, third_party

_STEPS = 12
_THIRD_PARTY = "card_processor"


def play(
    admin_url: str, role_urls: dict[str, str], sequences: int, number: int, *, shrink: bool = True
) -> Counter[str]:
    """Play `sequences` sequences from the seed `number` and return what was played.

    With the card processor's role among the services' it is payment's turn.

    Raises:
        Violation: an invariant does not hold; Hypothesis has noted the sequence.
    """
    with _world(admin_url, role_urls) as world:
        machine = MachineElsewhere if _THIRD_PARTY in role_urls else Machine
        played = type("Played", (machine,), {"world": world})
        run_state_machine_as_test(seed(number)(played), settings=_settings(sequences, shrink=shrink))
        return world.played


def _settings(sequences: int, *, shrink: bool) -> settings:
    return settings(
        max_examples=sequences,
        stateful_step_count=_STEPS,
        deadline=None,  # A sequence takes as long as PostgreSQL does.
        database=None,  # Sagas are new each time, and a run is repeated by its seed.
        derandomize=False,  # Each run of the suite plays others.
        print_blob=True,
        phases=(Phase.generate, Phase.shrink) if shrink else (Phase.generate,),
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],  # Real statements take time.
    )


@contextmanager
def _world(admin_url: str, role_urls: dict[str, str]) -> Iterator[World]:
    # What is lost on purpose is warned of, and is no news.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        try:
            yield runner.run(_open(stack, admin_url, role_urls))
        finally:
            runner.run(stack.aclose())
            structlog.reset_defaults()


async def _open(stack: AsyncExitStack, admin_url: str, role_urls: dict[str, str]) -> World:
    watcher = await asyncpg.connect(admin_url)
    stack.push_async_callback(watcher.close)
    make: Callable[[str, str], Lane] = Lane
    if _THIRD_PARTY in role_urls:
        other = await stack.enter_async_context(third_party(role_urls[_THIRD_PARTY]))
        make = partial(CallingLane, other=other)
    lanes = {name: [make(url, name) for _ in range(LANES)] for name, url in role_urls.items() if name != _THIRD_PARTY}
    for lane in chain.from_iterable(lanes.values()):
        stack.push_async_callback(lane.close)
    events = {name: await watcher.fetchval(f"SELECT coalesce(max(position), 0) FROM {name}.outbox") for name in lanes}  # noqa: S608 - our names
    return World(asyncio.get_running_loop(), lanes, watcher, events)
