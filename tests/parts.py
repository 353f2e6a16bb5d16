"""Parts of the machine that a test needs and may not find."""

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """Skip where a person works without an optional tool; fail in CI, where nothing may be skipped."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
