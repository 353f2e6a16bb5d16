"""`make test` runs every test in one of its lanes, and tells which folder takes longer than it may."""

from pathlib import Path

import pytest

from tests.lanes import FOLDERS, SUM, failures, main, over_budget, paths, seconds_by_folder, table, unmarked
from tests.stack import ROOT

LANES = {folder.lane for folder in FOLDERS.values()}


def test_each_test_file_is_in_exactly_one_lane() -> None:
    ran = [file for lane in LANES for path in paths(lane) for file in _files(ROOT / path)]
    assert sorted(ran) == sorted((ROOT / "tests").rglob("test_*.py"))


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else sorted(path.rglob("test_*.py"))


def test_the_budgets_together_are_within_the_whole_one() -> None:
    assert sum(folder.budget for folder in FOLDERS.values()) <= SUM


def test_a_folder_beyond_its_budget_and_one_without_a_budget_are_named(tmp_path: Path) -> None:
    report = tmp_path / "lane.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.kit.test_step" name="test_a" time="5000.5"/>'
        '<testcase classname="tests.kit.test_step" name="test_b" time="1"/>'
        '<testcase classname="tests.new.deep.test_c" name="test_c" time="0.1"/>'
        '<testcase classname="tests.test_d" name="test_d" time="0.2"/></testsuite></testsuites>',
        encoding="utf-8",
    )
    spent = seconds_by_folder([report, tmp_path / "of-a-lane-that-could-not-begin.xml"])
    assert spent == {"kit": (2, 5001.5), "new": (1, 0.1), ".": (1, 0.2)}
    kit, new = over_budget(spent)
    assert kit.startswith("tests/kit took 5002 s")
    assert new.startswith("tests/new has no budget")
    assert "in 2.0 minutes" in table(spent, 120.0)


def test_a_test_that_takes_long_and_does_not_say_so_is_named(tmp_path: Path) -> None:
    report = tmp_path / "lane.xml"
    cases = "".join(
        f'<testcase classname="tests.kit" name="{name}"><property name="seconds" value="{seconds}"/></testcase>'
        for name, seconds in (("test_short", 29.9), ("test_long", 30.1))
    )
    report.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>", encoding="utf-8")
    [line] = unmarked([report])
    assert line.startswith("tests.kit.test_long took 30 s: ")


def test_each_test_that_failed_is_named_with_its_reason_on_one_line(tmp_path: Path) -> None:
    report = tmp_path / "lane.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.kit.test_a" name="test_b"/>'
        '<testcase classname="tests.kit.test_a" name="test_c">'
        '<failure message="assert 1 == 2&#10; + where">…</failure></testcase>'
        f'<testcase classname="tests.kit.test_a" name="test_d"><error message="{"x" * 999}"/></testcase>'
        "</testsuite></testsuites>",
        encoding="utf-8",
    )
    failure, error = failures([report])
    assert failure == "FAILED tests.kit.test_a.test_c: assert 1 == 2"
    assert error.startswith("FAILED tests.kit.test_a.test_d: xxx")
    assert len(error) == 300


def test_arguments_go_to_pytest_and_its_status_comes_back(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert "pytest" in "".join(capfd.readouterr())
    assert main(["--no-such-option"]) == pytest.ExitCode.USAGE_ERROR
