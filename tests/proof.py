"""`make proof`: the long proofs, each at its full size, or what fits into a quarter of an hour (`--ci`).

Its parts are begun in this order, each as soon as a lane is free: what keeps a processor busy first, then what waits
for most of the time. The whole has two lanes, and at last, alone, what measures and wants a machine that does nothing
else. Bounded in time there are three lanes, each story is told once and at its smallest, and a soak of the whole stack
is one part more. At the end it says how many of each were done.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from tests.amount import SECONDS
from tests.lanes import SECONDS as LONG_SECONDS
from tests.lanes import failures
from tests.stack import ROOT


class Part(NamedTuple):
    """What is done in one lane at a time."""

    name: str
    command: Sequence[str]
    seconds: int = 0
    """For each of its tests, where time is bounded: with none a test does one portion of what it has to do."""


_PYTHON = (sys.executable, "-u", "-m")
_PYTEST = (*_PYTHON, "pytest", "-m", "proof", "-q", "-s", "-o", "junit_family=xunit1")
_MODEL = "tests/services/test_model.py"
_CORE = ("tests/engine/core/test_invariants.py", "tests/engine/core/test_determinism.py")
_KILLS = "tests/engine/test_kills.py"
_MEASURED = ("tests/services/test_overload.py", "tests/engine/test_stalls.py")
_ALL_OTHERS = ("tests", *(f"--ignore={path}" for path in (_MODEL, *_CORE, _KILLS, *_MEASURED)))
_SMALLEST = (
    "tests/process/test_crashes.py",
    "tests/process/test_starts.py",
    "tests/runtime/test_deaths.py",
    "tests/reconcile/test_lost_engine.py",
    "tests/second_process",
    "tests/compose",
    "tests/engine/test_damage.py",
    "tests/engine/test_fuzz.py",
    "tests/engine/rest/test_contract.py",
    "tests/services/test_contract.py",
    "tests/services/test_kills.py",
    "tests/services/test_kills_elsewhere.py",
    "tests/services/test_mesh.py",
    "tests/services/test_overload.py",
    # A figure, which wants a machine that does nothing else.
    "-k",
    "not most_of_the_rate",
)
_SOAK = (*_PYTHON, "tests.benchmarks.soak", "--minutes", "5", "--rate", "4", "--kill-minutes", "0.4", "--no-keep")

_SEQUENCES = Part("sequences", (*_PYTEST, _MODEL, "-k", "breaks_an_invariant"), seconds=150)
_SEEDED_FAULTS = Part("faults", (*_PYTEST, _MODEL, "-k", "not breaks_an_invariant"))
_SEEDS = Part("seeds", (*_PYTEST, *_CORE), seconds=60)
_KILLS_UNDER_LOAD = Part("kills", (*_PYTEST, _KILLS), seconds=240)
_WHOLE = (_SEQUENCES, _SEEDS, _SEEDED_FAULTS, _KILLS_UNDER_LOAD, Part("stories", (*_PYTEST, *_ALL_OTHERS)))
_WHOLE_ALONE = Part("figures", (*_PYTEST, *_MEASURED))
_BOUNDED = (
    _SEQUENCES,
    Part("stories", (*_PYTEST, *_SMALLEST)),
    _KILLS_UNDER_LOAD,
    _SEEDED_FAULTS,
    Part("soak", _SOAK),
    _SEEDS,
)


def main(arguments: Sequence[str]) -> int:
    """Run the proofs and return the exit status; with other arguments it is pytest itself."""
    bounded = list(arguments) == ["--ci"]
    if arguments and not bounded:
        return subprocess.run([*_PYTEST, *arguments], check=False, cwd=ROOT).returncode
    with tempfile.TemporaryDirectory() as folder:
        if bounded:
            statuses = do(_BOUNDED, 3, Path(folder), bounded=True)
        else:
            statuses = [*do(_WHOLE, 2, Path(folder)), *do([_WHOLE_ALONE], 1, Path(folder))]
        reports = sorted(Path(folder).glob("*.xml"))
        sys.stdout.write("\n".join([*done(reports), *failures(reports), ""]))
    return max(statuses)


def do(parts: Sequence[Part], lanes: int, reports: Path, *, bounded: bool = False) -> list[int]:
    """Do all parts, in as many lanes at once, and return their statuses; what pytest did is then in `reports`."""

    def run(part: Part) -> int:
        report = [f"--junitxml={reports / part.name}.xml"] if "pytest" in part.command else []
        environment = os.environ | ({SECONDS: str(part.seconds)} if bounded else {})
        begun = time.monotonic()
        status = subprocess.run([*part.command, *report], check=False, cwd=ROOT, env=environment).returncode
        sys.stdout.write(f"{part.name}: exit {status} after {(time.monotonic() - begun) / 60:.1f} minutes\n")
        sys.stdout.flush()
        return status

    with ThreadPoolExecutor(lanes) as threads:
        return list(threads.map(run, parts))


def done(reports: Iterable[Path]) -> list[str]:
    """Return how many of each were done, as the tests have recorded it."""
    properties = [each for report in reports if report.exists() for each in ET.parse(report).iter("property")]  # noqa: S314 - pytest's
    counted = [each.attrib for each in properties if each.attrib["name"] != LONG_SECONDS]
    return [f"{each['name']}: {each['value']}" for each in counted]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
