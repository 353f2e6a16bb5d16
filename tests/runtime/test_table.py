"""The table of who holds what names tests that exist."""

import re
from pathlib import Path

from tests import runtime

TESTS = Path(__file__).parents[1]


def test_every_test_that_the_table_names_exists() -> None:
    rows = [line for line in (runtime.__doc__ or "").splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 14
    for row in rows:
        file = ""
        named = re.findall(r"`([\w/.]*)::(\w+)`", row)
        assert named, row
        for here, test in named:
            file = here or file
            assert re.search(rf"def {test}\(", (TESTS / file).read_text()), f"{file}::{test}"
