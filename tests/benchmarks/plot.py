"""The picture of a run: each bar against its limit, and what the peers did in absolute figures."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from tests.benchmarks import lineup
from tests.benchmarks.bars import DRAIN, STEADY, Samples, Sense, Spread, Verdict
from tests.benchmarks.report import RESULTS

_HELD, _MISSED, _OURS, _OTHER, _CEILING = "#2e7d4f", "#c0392b", "#1f5fa8", "#b5bcc6", "#555555"
_UNITS = ("jobs/s", "ms of CPU per job")
_TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50, 100)


def draw(verdicts: Sequence[Verdict], samples: Samples, caption: str) -> Path:
    """Draw latest.svg."""
    # Text as text, and the same bytes for the same figures.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    figure = Figure(figsize=(11, 11), layout="constrained")
    halves = figure.add_gridspec(2, 1, height_ratios=(1.1, 1))
    above = figure.add_subfigure(halves[0]).subplots()
    _bars(above, [verdict for verdict in verdicts if verdict.ratio is not None])
    measured = [load for load in (DRAIN, STEADY) if (f"{load}: {lineup.OURS}", _UNITS[0]) in samples.figures]
    # A run that has just begun has measured no peer yet.
    if measured:
        below = figure.add_subfigure(halves[1]).subplots(len(_UNITS), len(measured), sharey="row", squeeze=False)
        for row, unit in zip(below, _UNITS, strict=True):
            row[0].set_ylabel(unit)
            for axes, load in zip(row, measured, strict=True):
                _peers(axes, samples, load, unit)
    figure.suptitle(caption, fontsize=9, color="#555555")
    path = RESULTS / "latest.svg"
    figure.savefig(path, metadata={"Date": None})
    return path


def _bars(axes: Axes, verdicts: Sequence[Verdict]) -> None:
    names = []
    for row, verdict in enumerate(reversed(verdicts)):
        spread = verdict.ratio
        if spread is None:
            continue
        # Read to the right: on either side of a limit, more is better.
        margins = sorted(_margin(verdict, each) for each in (spread.min, spread.max))
        colour = _HELD if verdict.holds else _MISSED
        axes.plot(margins, [row, row], color=colour, linewidth=2, solid_capstyle="round")
        axes.plot(_margin(verdict, spread.median), row, "o", color=colour, markersize=6)
        if verdict.ceiling is not None:
            axes.plot(_margin(verdict, verdict.ceiling.median), row, "|", color=_CEILING, markersize=14)
        names.append(f"{verdict.bar.name}: {spread.median:.3g} ({verdict.bar.wanted})")
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel(
        "how many times better than the limit: median, and from the least to the most of all repetitions;\n"
        "| is what the bare stubs reach"
    )
    axes.grid(axis="x", color="#e6e6e6")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)


def _margin(verdict: Verdict, value: float) -> float:
    limit = verdict.bar.limit
    ratio = value / limit if verdict.bar.sense is Sense.AT_LEAST else limit / max(value, 1e-9)
    return min(max(ratio, _TICKS[0]), _TICKS[-1])


def _peers(axes: Axes, samples: Samples, load: str, unit: str) -> None:
    measured = {
        name: samples.figures[figure]
        for name in lineup.NAMES
        if (figure := (f"{load}: {name}", unit)) in samples.figures
    }
    for place, (name, values) in enumerate(measured.items()):
        spread = Spread.of(values)
        axes.bar(place, spread.median, color=_OURS if name == lineup.OURS else _OTHER, width=0.7)
        axes.plot([place, place], [spread.min, spread.max], color="black", linewidth=1)
        axes.annotate(f"{spread.median:.3g}", (place, spread.max), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(range(len(measured)), [name.replace(" ", "\n") for name in measured], fontsize=8)
    axes.set_title(load, fontsize=9)
    axes.margins(y=0.12)
    axes.spines[["top", "right"]].set_visible(False)
