"""What a start after a crash takes, with as many records behind the newest snapshot as there can be."""

from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.benchmarks.bars import RECOVERY
from tests.benchmarks.bench import Bench
from tests.benchmarks.load import Load
from tests.benchmarks.start import started
from tests.engine import appended

_TYPE = "recovered"
_STEP = 20
"""Instances that are started between two looks at how many records there are, each of some 25."""
_SECONDS, _SECONDS_A_RECORD = 0.3, 3e-6
"""What it may take longer than the start of an empty engine, and longer for each record of the log."""


async def recovery(bench: Bench) -> None:
    """Fill a log, kill the engine, and start it again, in turn with one that has nothing to read."""
    for records in bench.plan.recovered:
        with TemporaryDirectory() as folder:
            data = Path(folder, "data")
            there_are = await _fill(data, records)
            for _ in range(bench.plan.repetitions):
                async with started("--memory") as empty, started(f"--data={data}") as full:
                    seconds = full.seconds - empty.seconds
                bench.samples.figure(f"engine: start after a crash with {records:,} records", "s", seconds)
                bench.samples.ratio(RECOVERY, seconds / (_SECONDS + _SECONDS_A_RECORD * there_are))


async def _fill(data: Path, records: int) -> int:
    """Start instances until a new log has `records` at least; return how many it has when the engine is killed."""
    async with (
        started(f"--data={data}") as engine,
        Load(engine.gateway) as load,
        httpx.AsyncClient(trust_env=False) as http,
    ):
        while (there_are := await appended(http, engine.management)) < records:
            await load.create(_TYPE, _STEP)
        return there_are
