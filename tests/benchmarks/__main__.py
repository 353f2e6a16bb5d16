"""`make bench`: measure ours beside the other clients on the embedded engine, and hold the bars."""

import argparse
import asyncio
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from saga.clients.failure import Failure, bad_input
from saga.stack.stack import Stack
from tests.benchmarks import plot, report
from tests.benchmarks.bars import Samples, judge
from tests.benchmarks.bench import Bench
from tests.benchmarks.engine import embedded
from tests.benchmarks.lineup import line_up
from tests.benchmarks.load import Load
from tests.benchmarks.peer import Peer
from tests.benchmarks.plan import FULL, QUICK, Plan
from tests.benchmarks.scenarios.backlog import backlog
from tests.benchmarks.scenarios.engine import engine
from tests.benchmarks.scenarios.idle import idle
from tests.benchmarks.scenarios.latency import latency
from tests.benchmarks.scenarios.orders import orders
from tests.benchmarks.scenarios.recovery import recovery
from tests.benchmarks.scenarios.restart import restart
from tests.benchmarks.scenarios.searches import searches
from tests.benchmarks.scenarios.throughput import throughput
from tests.benchmarks.scenarios.types import types
from tests.stack import free_offset

Scenario = Callable[[Bench], Awaitable[None]]

_WIDTH = 110
"""Columns that the tables need at least."""
_STAGES: tuple[tuple[Scenario, ...], ...] = (
    (engine, throughput, latency),
    # An engine of its own: what has to be read again after a crash is this scenario's alone.
    (restart, recovery),
    (idle, backlog, types),
    # An engine of its own: an instance's share of its memory is told.
    (searches,),
)
"""What is measured on one engine, one engine after the other."""
_ORDERS = orders.__name__
_NAMES = [*(each.__name__ for stage in _STAGES for each in stage), _ORDERS]


class Run:
    """One run of the benchmark."""

    def __init__(
        self, console: Console, plan: Plan, only: Collection[str], work: Path, keep: Callable[["Run"], None]
    ) -> None:
        """Measure the scenarios named in `only`, and `keep` what is known after each.

        Everything else that is written on the way lies below `work`.
        """
        self._keep = keep
        self.samples = Samples()
        self._console = console
        self._plan = plan
        self._only = only
        self._work = work
        self._offset = int(os.environ.get("SAGA_PORT_OFFSET") or free_offset())
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long it has taken."""
        return time.monotonic() - self._started

    async def measure(self) -> None:
        """Go through all stages, one engine after the other."""
        self._say("the packages of the peers")
        if not Stack(self._offset, ["engine"]).has_own_engine:
            message = "The environment names a cluster (ZEEBE_ADDRESS or the like); the benchmark brings its own."
            raise bad_input(message)
        lined_up = await asyncio.to_thread(line_up, self._work)
        self.samples.left_out.update(lined_up.left_out)
        for name, why in lined_up.left_out.items():
            self._say(f"{name} is left out: {why}")
        for number, scenarios in enumerate(_STAGES):
            wanted = [each for each in scenarios if each.__name__ in self._only]
            if wanted:
                await self._stage(wanted, lined_up.peers, self._work / f"engine-{number}")
            if number == 0 and _ORDERS in self._only:
                self._say(_ORDERS)
                await orders(self._plan, self.samples, self._offset)
                self._keep(self)

    async def _stage(self, scenarios: Collection[Scenario], peers: dict[str, Peer], data: Path) -> None:
        self._say("an engine starts")
        async with embedded(data, self._offset) as running, Load(running.address) as load, AsyncExitStack() as stack:
            bench = Bench(running, load, peers, self._plan, self.samples, self._work, stack)
            for scenario in scenarios:
                self._say(scenario.__name__)
                await scenario(bench)
                self._keep(self)

    def _say(self, what: str) -> None:
        minutes, seconds = divmod(round(self.seconds), 60)
        self._console.print(f"[dim]{minutes:2}:{seconds:02}[/] {what}")


async def _main(console: Console, plan: Plan, only: Collection[str], work: Path, keep: Callable[[Run], None]) -> Run:
    # Ctrl-C cancels by itself; so shall the other ways to end a program, and every process ends with it.
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    run = Run(console, plan, only, work, keep)
    await run.measure()
    return run


def main() -> int:
    """Run what the command line asks for; return the exit status."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run: fewer and smaller repetitions")
    parser.add_argument("--only", choices=_NAMES, help="one scenario; its figures are shown and not kept")
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    only = [arguments.only] if arguments.only else _NAMES
    console = Console(highlight=False)
    console.width = max(console.width, _WIDTH)
    facts = report.machine()
    work = tempfile.mkdtemp(prefix="saga-benchmarks-")
    os.environ["SAGA_HOME"] = work
    kept = False

    def keep(run: Run) -> None:
        if not arguments.only:
            verdicts = judge(run.samples)
            content = report.document(facts, plan.name, run.seconds, verdicts, run.samples)
            caption = f"{plan.name} run of {content['date']}, {facts['processor']}, {facts['cores']} cores"
            report.write(content)
            plot.draw(verdicts, run.samples, caption)

    try:
        run = asyncio.run(_main(console, plan, only, Path(work), keep))
    except Failure as failure:
        console.print(f"[bold red]Error:[/] {failure}", soft_wrap=True)
        return failure.status
    except (KeyboardInterrupt, asyncio.CancelledError):
        console.print("Ended before its time; what was measured by then is kept, and nothing runs on.")
        return 130
    except Exception as error:
        error.add_note(f"What the engine and the peers said is in {work}.")
        kept = True
        raise
    finally:
        if not kept:
            shutil.rmtree(work, ignore_errors=True)
    verdicts = [verdict for verdict in judge(run.samples) if verdict.ratio or verdict.left_out or not arguments.only]
    report.show(console, verdicts, run.samples)
    if not arguments.only:
        console.print(f"Kept in {report.RESULTS}.")
    return report.status(verdicts)


if __name__ == "__main__":
    sys.exit(main())
