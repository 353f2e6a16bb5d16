"""What the tests of the whole process share."""

import pytest

from services.kit.tokens import Tokens
from tests.stack import Stack
from workers.cluster import stack as embedded


@pytest.fixture
def tokens(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Tokens:
    """The tokens of the suite's stack."""
    monkeypatch.setenv("SAGA_HOME", stack.environment["SAGA_HOME"])
    return Tokens({"TOKENS": str(embedded.Stack(stack.offset).tokens)})
