"""What the soak does to the stack while orders come in: it kills the broker and restarts the workers."""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from saga.stack.stack import Stack
from saga.stack.state import PartState, State
from saga.stack.status import resident
from tests.benchmarks.soak_memory import Lives
from tests.world import eventually

_BACK_SECONDS = 600.0
"""The longest that a part may take until it is ready again, on a machine that others keep busy."""
_WORKER_RESTARTS = 3 / 4, 9 / 10
"""When the workers are restarted, as shares of the run: late, for memory is judged by one long life before that."""
_SAMPLE_SECONDS = 10.0


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
    """The run's faults, and the workers' memory during them."""

    stack: Stack
    say: Callable[[str], None]
    begin: float = field(default_factory=time.monotonic)
    restarts: list[Restart] = field(default_factory=list)
    lives: Lives = field(default_factory=Lives)

    async def run(self, seconds: float, kill_every: float) -> None:
        """Kill the broker after each `kill_every` seconds and restart the workers near the end."""
        kills = range(1, round(seconds / kill_every))
        events = sorted(
            [
                *((number * kill_every, "engine", signal.SIGKILL) for number in kills),
                *((share * seconds, "workers", signal.SIGTERM) for share in _WORKER_RESTARTS),
            ]
        )
        for at, part, number in events:
            await asyncio.sleep(max(0.0, self.begin + at - time.monotonic()))
            await self._end(part, number)

    async def sample(self) -> None:
        """Note the workers' resident size again and again, until cancelled."""
        while True:
            process = self._part("workers").process
            size = resident(process) if process is not None else None
            if process is not None and size is not None:
                self.lives.note(process, time.monotonic() - self.begin, size / 1e6)
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
