"""`make proof`: the long proofs, each at its full size, or what fits into a quarter of an hour (`--ci`).

With `--ci` four kinds share the time: sequences of commands against the model of the barrier, commands and processes
from new seeds against the engine's core, kills of the engine under load, and a soak of the whole stack. Two lanes run
at once: the first two kinds are the processor's, the others wait for most of the time. At the end it says how many were
done.
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
from tests.stack import ROOT

_MODEL = ("tests/services/test_model.py", "-k", "breaks_an_invariant")
_INVARIANTS = ("tests/engine/core/test_invariants.py", "tests/engine/core/test_determinism.py")
_KILLS = ("tests/engine/test_kills.py",)
_PYTHON = (sys.executable, "-u", "-m")
_SOAK = (*_PYTHON, "tests.benchmarks.soak", "--minutes", "5", "--rate", "4", "--kill-minutes", "1.5", "--no-keep")
_SEQUENCES_SECONDS = 240
"""For each of the model's two tests."""
_SEEDS_SECONDS = 80
"""For each of the core's three tests."""
_KILLS_SECONDS = 300


def main(arguments: Sequence[str]) -> int:
    """Run the proofs and return the exit status."""
    if list(arguments) != ["--ci"]:
        return _run([*_PYTHON, "pytest", "-m", "proof", "-s", *arguments])
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor() as lanes:
        reports = [Path(folder, f"{name}.xml") for name in ("sequences", "seeds", "kills")]
        first = lanes.submit(
            lambda: [
                _prove(_MODEL, _SEQUENCES_SECONDS, reports[0]),
                _prove(_INVARIANTS, _SEEDS_SECONDS, reports[1]),
            ]
        )
        second = lanes.submit(lambda: [_prove(_KILLS, _KILLS_SECONDS, reports[2]), _run(_SOAK)])
        statuses = [*first.result(), *second.result()]
        sys.stdout.write("\n".join([*done(reports), ""]))
    return max(statuses)


def done(reports: Iterable[Path]) -> list[str]:
    """Return how many of each were done, as the tests have recorded it."""
    properties = [each for report in reports if report.exists() for each in ET.parse(report).iter("property")]  # noqa: S314 - pytest's
    return [f"{each.attrib['name']}: {each.attrib['value']}" for each in properties]


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
