"""The list of tests that wait for the engine names only tests that exist, and only shrinks."""

import ast
from types import SimpleNamespace
from typing import cast

import pytest

from tests.stack import ROOT
from tests.waiting import Removed, Waiting, read


def exists(test: str) -> bool:
    file, _, function = test.partition("::")
    if not (ROOT / file).exists():
        return False
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return function in {
        each.name for each in module.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    } and function.startswith("test_")


def test_each_waiting_test_exists() -> None:
    assert [test for test in read().waiting if not exists(test)] == []


def test_the_list_is_as_long_as_the_number_that_only_shrinks() -> None:
    found = read()
    assert len(found.waiting) == found.most, "make `most` smaller with the list; neither ever grows"
    assert list(found.waiting) == sorted(set(found.waiting))


@pytest.mark.parametrize("removed", read().removed, ids=lambda removed: removed.test)
def test_a_removed_test_is_gone_and_its_claim_is_held_by_one_that_exists(removed: Removed) -> None:
    assert removed.reason
    assert not exists(removed.test)
    assert exists(removed.holder)


def test_a_test_waits_with_all_its_parametrizations_and_nothing_else_does() -> None:
    waiting = Waiting(1, ("tests/a.py::test_one",), ())
    items = [
        cast("pytest.Item", SimpleNamespace(nodeid=f"tests/a.py::test_{name}"))
        for name in ("one", "one[x]", "one_more", "two[test_one]")
    ]
    run, wait = waiting.split(items)
    assert [wait, run] == [items[:2], items[2:]]
