"""What a run says: tables on the terminal, and latest.json for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from tests.benchmarks.bars import Samples, Spread, Verdict

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, object]:
    """Return what the figures depend on, and no name."""
    return {
        "system": platform.platform(terse=True),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "python": platform.python_version(),
        "load_average": [round(each, 2) for each in os.getloadavg()],
    }


def document(
    facts: Mapping[str, object], plan: str, seconds: float, verdicts: Sequence[Verdict], samples: Samples
) -> dict[str, object]:
    """Return what latest.json holds."""
    return {
        "machine": facts,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "run": plan,
        "seconds": round(seconds),
        "rule": "A bar holds when the median of its repetitions is on the right side of the limit.",
        "left_out": samples.left_out,
        "bars": [verdict.record() for verdict in verdicts],
        "figures": [
            {"name": name, "unit": unit, **asdict(Spread.of(values))}
            for (name, unit), values in samples.figures.items()
        ],
    }


def write(content: Mapping[str, object], name: str = "latest") -> Path:
    """Write `name`.json."""
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def show(console: Console, verdicts: Sequence[Verdict], samples: Samples) -> None:
    """Print the figures, then the bars, then what was missed by name."""
    figures = Table("Figure", "Unit", *_numbers(), title="Figures, for information", title_justify="left", box=None)
    for (name, unit), values in samples.figures.items():
        figures.add_row(name, unit, *_cells(Spread.of(values)))
    console.print(figures)
    bars = Table(
        "Bar", *_numbers(), "Limit", "Holds", "Bare stubs", title="Bars, by the median", title_justify="left", box=None
    )
    for verdict in verdicts:
        spread = ("", "not measured", "") if verdict.ratio is None else _cells(verdict.ratio)
        holds = "[bold red]no[/]" if verdict.missed else "[green]yes[/]" if verdict.holds else ""
        ceiling = "" if verdict.ceiling is None else f"{verdict.ceiling.median:.3g}"
        bars.add_row(verdict.bar.name, *spread, verdict.bar.wanted, holds, ceiling)
    console.print(bars)
    for missed in (verdict for verdict in verdicts if verdict.missed):
        ceiling = "" if missed.ceiling is None else f"; the bare stubs: {missed.ceiling.median:.3g}"
        console.print(f"[bold red]Missed:[/] {missed.bar.name}{ceiling}")


def status(verdicts: Sequence[Verdict]) -> int:
    """Return the exit status: 1 when a bar is missed."""
    return 1 if any(verdict.missed for verdict in verdicts) else 0


def _numbers() -> list[str]:
    return ["min", "median", "max"]


def _cells(spread: Spread) -> tuple[str, str, str]:
    return f"{spread.min:.3g}", f"{spread.median:.3g}", f"{spread.max:.3g}"


def _processor() -> str:
    lines = Path("/proc/cpuinfo")
    if not lines.exists():
        return platform.processor()
    found = (line for line in lines.read_text(encoding="utf-8").splitlines() if line.startswith("model name"))
    return next(found, "").partition(":")[2].strip() or platform.machine()
