"""`make proof`: the long proofs, each at its full size, or what fits into a quarter of an hour (`--ci`).

With `--ci` three lanes run at once. The processor's: sequences of commands against the model of the barrier, commands
and processes from new seeds against the engine's core, and the model's seeded faults. What waits for most of the time:
kills of the engine under load, and a soak of the whole stack. And the stories, each once and at its smallest: the
image, a second process, a lost engine, services killed in the middle of a transaction, and more. At the end it says how
many were done.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.amount import SECONDS
from tests.lanes import SECONDS as LONG_SECONDS
from tests.lanes import failures
from tests.stack import ROOT

_MODEL = ("tests/services/test_model.py", "-k", "breaks_an_invariant")
_SEEDED_FAULTS = ("tests/services/test_model.py", "-k", "not breaks_an_invariant")
_INVARIANTS = ("tests/engine/core/test_invariants.py", "tests/engine/core/test_determinism.py")
_KILLS = ("tests/engine/test_kills.py",)
_STORIES = (
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
_PYTHON = (sys.executable, "-u", "-m")
_SOAK = (*_PYTHON, "tests.benchmarks.soak", "--minutes", "5", "--rate", "4", "--kill-minutes", "0.4", "--no-keep")
_SEQUENCES_SECONDS = 150
"""For each of the model's two tests."""
_SEEDS_SECONDS = 60
"""For each of the core's three tests."""
_KILLS_SECONDS = 240
_ONCE = 0
"""Seconds for a proof of which one portion is done."""


def main(arguments: Sequence[str]) -> int:
    """Run the proofs and return the exit status."""
    if list(arguments) != ["--ci"]:
        return _run([*_PYTHON, "pytest", "-m", "proof", "-s", *arguments])
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as threads:
        names = ("sequences", "faults", "seeds", "kills", "stories")
        reports = {name: Path(folder, f"{name}.xml") for name in names}
        lanes = [
            threads.submit(
                lambda: [
                    _prove(_MODEL, _SEQUENCES_SECONDS, reports["sequences"]),
                    _prove(_SEEDED_FAULTS, _ONCE, reports["faults"]),
                    _prove(_INVARIANTS, _SEEDS_SECONDS, reports["seeds"]),
                ]
            ),
            threads.submit(lambda: [_prove(_KILLS, _KILLS_SECONDS, reports["kills"]), _run(_SOAK)]),
            threads.submit(lambda: [_prove(_STORIES, _ONCE, reports["stories"])]),
        ]
        statuses = [status for lane in lanes for status in lane.result()]
        sys.stdout.write("\n".join([*done(reports.values()), *failures(list(reports.values())), ""]))
    return max(statuses)


def done(reports: Iterable[Path]) -> list[str]:
    """Return how many of each were done, as the tests have recorded it."""
    properties = [each for report in reports if report.exists() for each in ET.parse(report).iter("property")]  # noqa: S314 - pytest's
    counted = [each.attrib for each in properties if each.attrib["name"] != LONG_SECONDS]
    return [f"{each['name']}: {each['value']}" for each in counted]


def _prove(tests: Sequence[str], seconds: int, report: Path) -> int:
    command = [
        *_PYTHON,
        "pytest",
        "-m",
        "proof",
        "-q",
        "-s",
        "-o",
        "junit_family=xunit1",
        f"--junitxml={report}",
        *tests,
    ]
    return _run(command, **{SECONDS: str(seconds)})


def _run(command: Sequence[str], **environment: str) -> int:
    return subprocess.run(command, check=False, cwd=ROOT, env=os.environ | environment).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
