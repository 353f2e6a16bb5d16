"""Each throughput bar gets a ratio from every peer that takes part. The measurements are fakes."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.benchmarks.bars import BARS, DRAIN, STEADY, Samples
from tests.benchmarks.bench import Bench
from tests.benchmarks.lineup import JAVA, NAMES
from tests.benchmarks.plan import QUICK
from tests.benchmarks.scenarios import throughput
from tests.benchmarks.work import Work


class FakeProcess:
    """Stands for a peer that runs."""

    def memory(self) -> int:
        return 50_000_000


@pytest.mark.parametrize("names", [NAMES, tuple(name for name in NAMES if name != JAVA)], ids=["all", "without Java"])
async def test_each_bar_has_a_ratio_a_round_but_for_those_of_a_peer_that_is_left_out(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    async def measured(*_: object) -> Work:
        return Work(jobs=100, seconds=1.0, cpu=0.1)

    monkeypatch.setattr(throughput, "drain", measured)
    monkeypatch.setattr(throughput, "steady", measured)
    samples, running = Samples(), {name: FakeProcess() for name in names}
    bench = Bench(None, None, running, QUICK, samples, Path(), AsyncExitStack(), running)  # type: ignore[arg-type]
    await throughput.throughput(bench)
    begin = tuple(f"{what}, {load}, " for what in ("jobs/s", "CPU per job") for load in (DRAIN, STEADY))
    wanted = {bar.name for bar in BARS if bar.name.startswith(begin) and (not bar.extra or bar.extra in names)}
    assert samples.ratios == dict.fromkeys(wanted, [1.0] * QUICK.repetitions)
