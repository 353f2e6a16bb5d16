"""A laboratory for the reconciler's tests: a stack of their own, without workers and without a reconciler."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import services
from saga.clients.addresses import Addresses
from saga.stack import stack as embedded
from tests.reconcile.lab import Lab, laboratory
from tests.stack import Stack

PARTS = ("engine", *services.PORTS)
"""Of a laboratory's stack."""


@pytest.fixture(scope="package")
async def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    """The laboratory that these tests share, and that is gone when others begin."""
    async with opened(tmp_path_factory.mktemp("lab")) as lab:
        yield lab


@pytest.fixture(scope="package")
def lab(shared_lab: Lab) -> Lab:
    """The shared laboratory as it is.

    Where a module has it in several ways, its fixture `lab` takes `shared_lab` too: pytest starts a fixture anew for
    each parameter of one that has the same name.
    """
    return shared_lab


@asynccontextmanager
async def opened(home: Path) -> AsyncIterator[Lab]:
    """Start a stack; at the end nothing of it is left."""
    stack = Stack(home, {"SAGA_ENGINE_VALUES": "1"})
    started = stack.saga("up", *PARTS, "--detach")
    try:
        assert started.status == 0, started.output + started.errors
        deployed = stack.saga("deploy")
        assert deployed.status == 0, deployed.output + deployed.errors
        addresses = Addresses.of(stack.offset)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SAGA_HOME", str(home))
            url = embedded.Stack(stack.offset).database_url
        async with laboratory(stack, url, addresses, home) as lab:
            yield lab
    finally:
        stopped = stack.saga("down", "--delete-data")
    assert stopped.status == 0, stopped.output + stopped.errors
