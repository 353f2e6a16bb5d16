"""A run is drawn after each scenario, whatever it has measured by then."""

from pathlib import Path

import pytest

from tests.benchmarks import plot
from tests.benchmarks.bars import DRAIN, ECHO_RATE, Samples, judge
from tests.benchmarks.lineup import OURS


@pytest.mark.parametrize("has_peers", [False, True])
def test_a_run_is_drawn_whether_or_not_it_has_come_to_the_peers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, has_peers: bool
) -> None:
    monkeypatch.setattr(plot, "RESULTS", tmp_path)
    samples = Samples()
    samples.ratio(ECHO_RATE, 0.5)
    if has_peers:
        samples.figure(f"{DRAIN}: {OURS}", "jobs/s", 400.0)
    drawn = plot.draw(judge(samples), samples, "a run").read_text(encoding="utf-8")
    assert ECHO_RATE in drawn
    assert (DRAIN in drawn) is has_peers
