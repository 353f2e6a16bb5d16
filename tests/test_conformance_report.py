"""The table that `make conformance` prints."""

from tests.conformance.report import Difference, Report


def test_a_report_names_case_and_claim_and_what_was_there_instead() -> None:
    report = Report("cluster", "8.8.1", {"one", "two"}, [Difference("71", "it stays", "[1] == [2] | 3")])
    lines = list(report.lines())
    assert lines[0] == "cluster, gateway 8.8.1: 2 cases as expected, 1 different"
    assert "| case | expected | got |" in lines
    assert "| 71 | it stays | [1] == [2] \\| 3 |" in lines
    assert "open an issue" in lines[-1]


def test_a_report_without_differences_is_one_line() -> None:
    assert list(Report("cluster", "8.9.0", {"one"}).lines()) == [
        "cluster, gateway 8.9.0: 1 cases as expected, 0 different"
    ]
