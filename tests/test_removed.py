"""What a real 8.6.0 proved and is not tested any more is listed, with what holds its claim now."""

import ast
import tomllib
from pathlib import Path

import pytest

from tests.stack import ROOT

REMOVED: list[dict[str, str]] = tomllib.loads(Path(__file__).with_name("removed.toml").read_text("utf-8"))["removed"]


def exists(test: str) -> bool:
    file, _, function = test.partition("::")
    if not (ROOT / file).exists():
        return False
    module = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return function in {
        each.name for each in module.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
    } and function.startswith("test_")


@pytest.mark.parametrize("removed", REMOVED, ids=lambda removed: removed["test"])
def test_a_removed_test_is_gone_and_its_claim_is_held_by_one_that_exists(removed: dict[str, str]) -> None:
    assert removed["reason"]
    assert not exists(removed["test"])
    assert exists(removed["holder"])
