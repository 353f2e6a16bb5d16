"""The command line of a benchmark of the participants: measure, print, write."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from rich.console import Console

from tests.benchmarks import report
from tests.benchmarks.bars import Bar, Samples, judge


def run(
    module: str,
    description: str | None,
    measure: Callable[[Samples, bool], Awaitable[None]],
    bars: Sequence[Bar],
    *,
    result: str,
    keeps_quick: bool,
) -> int:
    """Return 1 where a bar is missed.

    `measure` is told whether to be quick; a quick run is written only where `keeps_quick` says so.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=description)
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds")
    quick = parser.parse_args().quick
    samples, facts, begun = Samples(), report.machine(), time.monotonic()

    async def measured() -> None:
        await measure(samples, quick)

    asyncio.run(measured())
    verdicts = judge(samples, bars)
    report.show(Console(width=110), verdicts, samples)
    document = report.document(facts, "quick" if quick else "full", time.monotonic() - begun, verdicts, samples)
    if keeps_quick or not quick:
        report.write(document, result)
    return report.status(verdicts)
