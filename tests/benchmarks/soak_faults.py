"""What the soak does to the stack while orders come in: it kills each of its parts, one after the other."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import cycle

from saga.stack.stack import PARTS, Stack
from saga.stack.state import PartState, State
from saga.stack.status import resident
from tests.benchmarks.soak_memory import Lives
from tests.world import eventually

_BACK_SECONDS = 600.0
"""The longest that a part may take until it is ready again, on a machine that others keep busy."""
_WARMED_UP, _LAST = 1 / 6, 4 / 5
"""The engine is killed before and after these shares of the run. Between them the others are, in turn: the engine's
memory is judged by its life there, the workers' by theirs through all of it."""
_SAMPLE_SECONDS = 10.0
WATCHED = "engine", "workers"
"""The parts whose memory has to be flat."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A part that is ended at a time."""

    at: float
    """Seconds since the beginning of the run."""
    part: str
    signal: signal.Signals


def plan(seconds: float, every: float) -> Iterator[Fault]:
    """Yield a fault after each `every` seconds; the workers' are the first, and the last, which lets them drain."""
    others = cycle(part for part in PARTS if part not in WATCHED)
    faults = round(seconds / every) - 1
    yield Fault(every, "workers", signal.SIGKILL)
    for number in range(2, faults):
        at = number * every
        yield Fault(at, next(others) if _WARMED_UP <= at / seconds < _LAST else "engine", signal.SIGKILL)
    yield Fault(faults * every, "workers", signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Restart:
    """A part that was ended and came back."""

    part: str
    at: float
    """Seconds since the beginning of the run."""
    away: float
    """Seconds until it was ready again."""
    starts: int
    """How many it took; the supervisor begins anew with a part that is not ready in time."""


@dataclass(slots=True)
class Faults:
    """The run's faults, and the memory of `WATCHED` during them."""

    stack: Stack
    say: Callable[[str], None]
    begin: float = field(default_factory=time.monotonic)
    restarts: list[Restart] = field(default_factory=list)
    lives: dict[str, Lives] = field(default_factory=lambda: {part: Lives() for part in WATCHED})

    async def run(self, seconds: float, every: float) -> None:
        """End one part after each `every` seconds."""
        for fault in plan(seconds, every):
            await asyncio.sleep(max(0.0, self.begin + fault.at - time.monotonic()))
            await self._end(fault.part, fault.signal)

    async def sample(self) -> None:
        """Note the resident sizes again and again, until cancelled."""
        while True:
            for part, lives in self.lives.items():
                process = self._part(part).process
                size = resident(process) if process is not None else None
                if process is not None and size is not None:
                    lives.note(process, time.monotonic() - self.begin, size / 1e6)
            await asyncio.sleep(_SAMPLE_SECONDS)

    def violations(self) -> list[str]:
        """Say which part ended without having been asked to."""
        asked: Counter[str] = Counter()
        for restart in self.restarts:
            asked[restart.part] += restart.starts
        now = self.stack.running()
        if now is None:
            return ["the supervisor is gone"]
        return [
            f"{part.name} was started again {part.restarts} times, {asked[part.name]} of them because of the soak"
            for part in now.parts
            if part.restarts != asked[part.name]
        ]

    async def _end(self, name: str, number: signal.Signals) -> None:
        before = self._part(name)
        assert before.process is not None, f"{name} does not run"
        begin = time.monotonic()
        os.kill(before.process.pid, number)

        async def look() -> PartState:
            return self._part(name)

        back = await eventually(
            look, lambda part: part.state is State.READY and part.process != before.process, _BACK_SECONDS
        )
        restart = Restart(name, begin - self.begin, time.monotonic() - begin, back.restarts - before.restarts)
        self.restarts.append(restart)
        self.say(f"{name}: {number.name} at {restart.at / 60:.1f} min, ready again after {restart.away:.1f} s")

    def _part(self, name: str) -> PartState:
        now = self.stack.running()
        assert now is not None, "the supervisor is gone"
        return now.part(name)
