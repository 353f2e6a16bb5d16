"""`make proof ARGS=--ci` is bounded in time, and says how much of each proof that was enough for."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.amount import SECONDS, portions
from tests.proof import Part, do, done
from tests.stack import ROOT


def test_all_of_a_proof_is_done_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SECONDS, raising=False)
    assert list(portions(25, 10)) == [10, 10, 5]


def test_where_the_time_is_over_one_portion_is_done_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "0")
    assert list(portions(25, 10)) == [10]


@pytest.mark.parametrize(("bounded", "statuses"), [(False, [3, 0]), (True, [3, 60])])
def test_each_part_is_done_and_bounded_only_where_all_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, bounded: bool, statuses: list[int]
) -> None:
    monkeypatch.delenv(SECONDS, raising=False)
    fails = (sys.executable, "-c", "raise SystemExit(3)")
    tells = (sys.executable, "-c", f"import os; raise SystemExit(int(os.environ.get('{SECONDS}', 0)))")
    parts = [Part("fails", fails), Part("tells", tells, seconds=60)]
    assert do(parts, 1, tmp_path, bounded=bounded) == statuses


def test_how_long_a_test_took_is_not_what_a_proof_has_done(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    properties = '<property name="kills" value="5"/><property name="seconds" value="12.5"/>'
    report.write_text(f"<testsuite><testcase><properties>{properties}</properties></testcase></testsuite>")
    assert done([report]) == ["kills: 5"]


def test_what_a_proof_has_done_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SECONDS, "0")
    report = tmp_path / "seeds.xml"
    tests = "tests/engine/core/test_invariants.py"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        "proof",
        "-o",
        "junit_family=xunit1",
        f"--junitxml={report}",
        tests,
        *("-k", "not interleaved"),
    ]
    ran = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ran.returncode == 0, ran.stdout
    assert done([report, tmp_path / "of-one-that-could-not-begin.xml"]) == [
        "seeds of commands, play: 100",
    ]
