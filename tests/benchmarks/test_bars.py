"""The bars' verdict and what is kept of it; no engine is needed."""

from typing import Any

import pytest
from rich.console import Console

from tests.benchmarks import report
from tests.benchmarks.bars import BARS, JAVA, Bar, Samples, Sense, judge


def samples(missed: Bar | None = None) -> Samples:
    """Make a run in which every bar is met on its limit, but for the one that is missed by a little."""
    made = Samples()
    for bar in BARS:
        worse = 0.99 if bar.sense is Sense.AT_LEAST else 1.01
        middle = bar.limit * (worse if bar is missed else 1)
        for value in (bar.limit / 2, middle, bar.limit * 2):
            made.ratio(bar.name, value)
    made.figure("latency", "ms", 12.5)
    return made


def document(run: Samples) -> dict[str, Any]:
    return report.document({"cores": 2}, "quick", 61.4, judge(run), run)


def test_a_run_that_meets_every_bar_succeeds() -> None:
    assert report.status(judge(samples())) == 0


@pytest.mark.parametrize("missed", BARS, ids=lambda bar: bar.name)
def test_a_missed_bar_fails_the_run_and_is_named(missed: Bar) -> None:
    run = samples(missed)
    verdicts = judge(run)
    assert report.status(verdicts) == 1
    console = Console(record=True, width=200, quiet=False)
    report.show(console, verdicts, run)
    assert f"Missed: {missed.name}" in (shown := console.export_text())
    assert "the bare stubs" not in shown.partition("Missed: ")[2]
    assert [bar["name"] for bar in document(run)["bars"] if not bar["holds"]] == [missed.name]


def test_what_the_bare_stubs_reach_is_said_of_a_missed_bar_and_decides_nothing() -> None:
    missed = BARS[0]
    run = samples(missed)
    for value in (missed.limit / 4, missed.limit / 2, missed.limit):
        run.ceiling(missed.name, value)
    verdicts = judge(run)
    assert report.status(verdicts) == 1
    console = Console(record=True, width=200, quiet=False)
    report.show(console, verdicts, run)
    assert f"Missed: {missed.name}; the bare stubs: {missed.limit / 2:.3g}" in console.export_text()
    first, second, *_ = document(run)["bars"]
    assert first["ceiling"] == {"min": missed.limit / 4, "median": missed.limit / 2, "max": missed.limit}
    assert second["ceiling"] is None


def test_a_bar_that_was_not_measured_is_missed() -> None:
    run = samples()
    del run.ratios[BARS[0].name]
    assert report.status(judge(run)) == 1
    assert document(run)["bars"][0]["ratio"] is None


def test_a_bar_whose_peer_is_left_out_is_not_measured_and_fails_nothing() -> None:
    run = samples()
    java = [bar.name for bar in BARS if bar.extra == JAVA]
    for name in java:
        del run.ratios[name]
    run.left_out[JAVA] = "no mvn on the PATH"
    verdicts = judge(run)
    assert report.status(verdicts) == 0
    console = Console(record=True, width=200, quiet=False)
    report.show(console, verdicts, run)
    shown = console.export_text()
    assert [line for name in java for line in shown.splitlines() if name in line and "not measured" not in line] == []
    assert "Missed" not in shown
    kept = document(run)
    assert kept["left_out"] == {JAVA: "no mvn on the PATH"}
    assert [bar["name"] for bar in kept["bars"] if bar["holds"] is None] == java
    assert len(java) == 4


def test_what_is_kept_has_every_bar_with_its_spread_and_its_limit() -> None:
    kept = document(samples())
    assert [bar["name"] for bar in kept["bars"]] == [bar.name for bar in BARS]
    for bar, record in zip(BARS, kept["bars"], strict=True):
        assert record["ratio"] == {"min": bar.limit / 2, "median": bar.limit, "max": bar.limit * 2}
        assert record["limit"] == bar.limit
        assert record["holds"] is True
    assert kept["figures"] == [{"name": "latency", "unit": "ms", "min": 12.5, "median": 12.5, "max": 12.5}]
    assert set(kept) == {"machine", "date", "run", "seconds", "rule", "left_out", "bars", "figures"}
