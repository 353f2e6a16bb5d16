"""`make test`: all tests in two lanes at once, then where the time went, by folder, and at last what failed.

The lane "parts" has what is tested by itself, "stack" what needs the whole stack; each takes about half of the time.
With arguments it is pytest itself: `make test ARGS=tests/kit`.
"""

import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.etree import ElementTree as ET

from tests.stack import ROOT

_ROOT_FOLDER = "."
"""Stands for the test files that lie in no folder of their own."""
SUM = 3_590
"""Seconds that all budgets may come to together; it only ever becomes smaller.

The tests themselves are to take 1,300 on two cores that do nothing else: 1,245 were measured.
"""

SECONDS = "seconds"
"""Names what a report has of a test beyond `LONG` that is not marked as long: without its set-up and tear-down."""
LONG = 10.0
"""Seconds after which a test has to be marked as long, on a machine that does nothing else."""
_LINE = 300
"""Characters of a line that names a failed test."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of tests: its lane, and the seconds that its tests may take together."""

    lane: str
    budget: int


FOLDERS: Mapping[str, Folder] = {
    "architecture": Folder("parts", 30),
    "benchmarks": Folder("stack", 20),
    "bpmn": Folder("parts", 50),
    "cli": Folder("stack", 390),
    "common": Folder("stack", 10),
    "cluster": Folder("stack", 320),
    "compensation": Folder("stack", 10),
    "compose": Folder("parts", 20),
    "conformance": Folder("parts", 60),
    "engine": Folder("parts", 380),
    "feel": Folder("parts", 40),
    "incidents": Folder("stack", 10),
    "kit": Folder("stack", 220),
    "process": Folder("stack", 350),
    "readme": Folder("stack", 120),
    "reconcile": Folder("parts", 440),
    "runtime": Folder("stack", 260),
    "second_process": Folder("stack", 10),
    "services": Folder("parts", 760),
    "steps": Folder("stack", 20),
    "tasks": Folder("stack", 10),
    _ROOT_FOLDER: Folder("stack", 60),
}
"""A budget is about twice what two cores take that do nothing else: a loaded machine is no reason to fail."""


def main(arguments: Sequence[str]) -> int:
    """Run the tests and return the exit status."""
    if arguments:
        return subprocess.run([sys.executable, "-m", "pytest", *arguments], check=False).returncode
    with tempfile.TemporaryDirectory() as folder:
        begun = time.monotonic()
        lanes = {name: _Lane(name, Path(folder)) for name in sorted({each.lane for each in FOLDERS.values()})}
        statuses = [lane.end() for lane in lanes.values()]
        seconds = time.monotonic() - begun
        reports = [lane.report for lane in lanes.values()]
        spent = seconds_by_folder(reports)
        over = [*over_budget(spent), *unmarked(reports)]
        last = [table(spent, seconds), *over, *failures(reports)]
    sys.stdout.write("\n".join([*last, ""]))
    return max(*statuses, bool(over))


def paths(lane: str, root: Path = ROOT / "tests") -> list[str]:
    """Return what a lane runs, as paths for pytest."""
    folders = [name for name, folder in FOLDERS.items() if folder.lane == lane]
    loose = sorted(root.glob("test_*.py")) if _ROOT_FOLDER in folders else []
    return [str(path.relative_to(root.parent)) for path in [*(root / name for name in folders if name != "."), *loose]]


class _Lane:
    """One pytest, whose lines are printed with the lane's name."""

    def __init__(self, name: str, reports: Path) -> None:
        self.report = reports / f"{name}.xml"
        command = [sys.executable, "-u", "-m", "pytest", "-q", f"--junitxml={self.report}", *paths(name)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        self._printing = threading.Thread(target=_print_lines, args=(f"{name:8} | ", self._process.stdout))
        self._printing.start()

    def end(self) -> int:
        """Wait for its end and return its status."""
        self._printing.join()
        return self._process.wait()


def _print_lines(prefix: str, lines: IO[str]) -> None:
    for line in lines:
        sys.stdout.write(prefix + line)
        sys.stdout.flush()


def seconds_by_folder(reports: Sequence[Path]) -> dict[str, tuple[int, float]]:
    """Return the number of tests of each folder and the seconds that they took, set-up and tear-down with them."""
    spent: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for case in _cases(reports):
        parts = case.attrib["classname"].split(".")
        folder = parts[1] if len(parts) > 2 else _ROOT_FOLDER
        tests, seconds = spent[folder]
        spent[folder] = tests + 1, seconds + float(case.attrib["time"])
    return dict(spent)


def table(spent: Mapping[str, tuple[int, float]], seconds: float) -> str:
    """Return where the time went, to be read by people."""
    lines = [f"{'folder':14}{'tests':>7}{'seconds':>9}{'budget':>8}"]
    lines += [
        f"{name:14}{tests:7}{took:9.1f}{FOLDERS[name].budget if name in FOLDERS else 0:8}"
        for name, (tests, took) in sorted(spent.items())
    ]
    tests, took = (sum(column) for column in zip(*spent.values(), strict=True)) if spent else (0, 0.0)
    return "\n".join([*lines, f"{'all':14}{tests:7}{took:9.1f}{SUM:8}   in {seconds / 60:.1f} minutes"])


def over_budget(spent: Mapping[str, tuple[int, float]]) -> list[str]:
    """Return a line for each folder that took longer than it may, or has no budget."""
    lines = []
    for name, (_, took) in sorted(spent.items()):
        if name not in FOLDERS:
            lines.append(f"tests/{name} has no budget; give it one in tests/lanes.py.")
        elif took > FOLDERS[name].budget:
            lines.append(
                f"tests/{name} took {took:.0f} s, {FOLDERS[name].budget} are its budget: "
                "make it faster, or move what is long to `make proof`."
            )
    return lines


def unmarked(reports: Sequence[Path]) -> list[str]:
    """Return a line for each test that takes thrice what one without the mark `long` may, as on a loaded machine."""
    return [
        f"{case.attrib['classname']}.{case.attrib['name']} took {float(each.attrib['value']):.0f} s: make it faster, "
        "or mark it as long and say why."
        for case in _cases(reports)
        for each in case.iter("property")
        if each.attrib["name"] == SECONDS and float(each.attrib["value"]) > 3 * LONG
    ]


def failures(reports: Sequence[Path]) -> list[str]:
    """Return a line for each test that failed, short enough for the last lines that CI keeps of a run."""
    return [
        f"FAILED {case.attrib['classname']}.{case.attrib['name']}: {each.attrib.get('message', '')}"[
            :_LINE
        ].splitlines()[0]
        for case in _cases(reports)
        for each in (*case.iter("failure"), *case.iter("error"))
    ]


def _cases(reports: Sequence[Path]) -> list[ET.Element]:
    return [case for report in reports if report.exists() for case in ET.parse(report).iter("testcase")]  # noqa: S314 - pytest's


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
