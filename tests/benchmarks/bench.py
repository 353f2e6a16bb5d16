"""What a scenario works with: an engine, a load, the peers, the plan, and where its figures go."""

from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from tests.benchmarks.bars import Samples
from tests.benchmarks.engine import Engine
from tests.benchmarks.load import Load
from tests.benchmarks.peer import Peer, Process
from tests.benchmarks.plan import Plan


@dataclass(slots=True)
class Bench:
    """One engine's part of a run."""

    engine: Engine
    load: Load
    peers: dict[str, Peer]
    plan: Plan
    samples: Samples
    logs: Path
    stack: AsyncExitStack
    """Ends the peers with the engine."""
    _processes: dict[str, Process] = field(default_factory=dict)

    async def process(self, name: str) -> Process:
        """Return the peer's process: one for all scenarios, so that it is warm in most of them."""
        if name not in self._processes:
            self._processes[name] = await self.stack.enter_async_context(self.running(name))
        return self._processes[name]

    def running(self, name: str) -> AbstractAsyncContextManager[Process]:
        """Run the peer in a process of its own for one scenario."""
        return self.peers[name].running(self.engine.address, self.plan.in_flight, self.logs)

    def ratio(self, bar: str, value: float, ceiling: float | None = None) -> None:
        """Add a repetition's ratio, and that of the bare stubs where they can be measured so."""
        self.samples.ratio(bar, value)
        if ceiling is not None:
            self.samples.ceiling(bar, ceiling)
