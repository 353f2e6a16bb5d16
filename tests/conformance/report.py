"""What differs between a cluster and what we believe about Zeebe, case by case, for a report."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import grpc
import pytest

_HOW_TO_SEND = (
    "What differs shows a wrong belief about Zeebe, or a cluster that is set up in another way. Please open an issue "
    "with this table, the cluster's version and how it was started; it contains no variables of yours."
)
_WIDTH = 160
_RUN = re.compile(r"-[0-9a-f]{8}-\d+\b")
"""What makes names unique per run; a report reads better without."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One case that came out otherwise."""

    case: str
    expected: str
    got: str

    def row(self) -> str:
        """Return a row of a Markdown table."""
        cells = (each.replace("|", "\\|").replace("\n", " ") for each in (self.case, self.expected, self.got))
        return f"| {' | '.join(cells)} |"


@dataclass(slots=True)
class Report:
    """The cases of one run."""

    target: str
    version: str = "unknown"
    passed: set[str] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)

    def add(self, item: pytest.Item, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
        """Take a phase of a test that has ended."""
        if report.failed and call.excinfo is not None:
            claim = item.name.removeprefix("test_").replace("_", " ")
            self.differences.append(Difference(number_of(item), claim, _reason(call.excinfo.value)))
        elif report.when == "call" and report.passed:
            self.passed.add(item.nodeid)

    def lines(self) -> Iterable[str]:
        """Return the table."""
        different = len(self.differences)
        yield f"{self.target}, gateway {self.version}: {len(self.passed)} cases as expected, {different} different"
        if not self.differences:
            return
        yield ""
        yield "| case | expected | got |"
        yield "|---|---|---|"
        yield from (each.row() for each in self.differences)
        yield ""
        yield _HOW_TO_SEND


def number_of(item: pytest.Item) -> str:
    """Return the number of a test's case."""
    marker = item.get_closest_marker("case")
    assert marker is not None, f"{item.name} has no mark `case`"
    return str(marker.args[0])


def _reason(error: BaseException) -> str:
    """Return in one line what was there instead."""
    if isinstance(error, grpc.aio.AioRpcError):
        text = f"{error.code().name}: {error.details()}"
    else:
        text = str(error).strip().partition("\n")[0] or type(error).__name__
    text = _RUN.sub("", " ".join(text.removeprefix("assert ").split()))
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"
