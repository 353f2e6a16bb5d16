"""What the runtime's tests share."""

import pytest

from tests.kit.bench import Bench
from tests.kit.gateway import ScriptedGateway


@pytest.fixture
def gateway() -> ScriptedGateway:
    return ScriptedGateway()  # type: ignore[abstract] # it answers what a worker asks, and no more


@pytest.fixture
def bench() -> Bench:
    return Bench()
