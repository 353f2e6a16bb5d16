"""The tests that wait for the embedded engine, as `waiting.toml` names them."""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

FILE = Path(__file__).with_name("waiting.toml")


@dataclass(frozen=True, slots=True)
class Removed:
    """A test that was waiting and is not there any more."""

    test: str
    reason: str
    holder: str
    """The test that holds its claim now."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the file says; a test is named by its file and function, which stand for all of its parametrizations."""

    most: int
    waiting: tuple[str, ...]
    removed: tuple[Removed, ...]

    def split(self, items: Iterable[pytest.Item]) -> tuple[list[pytest.Item], list[pytest.Item]]:
        """Return the tests that run and those that wait."""
        names = frozenset(self.waiting)
        run: list[pytest.Item] = []
        wait: list[pytest.Item] = []
        for item in items:
            (wait if item.nodeid.partition("[")[0] in names else run).append(item)
        return run, wait


def read() -> Waiting:
    """Read the file."""
    content = tomllib.loads(FILE.read_text(encoding="utf-8"))
    removed = tuple(Removed(**each) for each in content["removed"])
    return Waiting(content["most"], tuple(content["waiting"]), removed)
