"""Our own processes against a cluster and a database that are there already, and searches that may lag."""

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.kit.gateway.connection import open_channel, stub
from saga.stack import stack as embedded
from tests.searches import LAGS, searching
from tests.stack import ROOT, SAGA, Stack, free_offset
from tests.standing import Standing
from tests.world import World

Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def elsewhere(stack: Stack, addresses: Addresses, world: World, tmp_path: Path) -> dict[str, str]:
    """The suite's stack as a cluster and a database of somebody else's, seen from ports of one's own."""
    return {
        **stack.environment,
        **{f"{name.upper()}_URL": url for name, url in addresses.services.items()},
        "ZEEBE_ADDRESS": addresses.engine.address,
        "DATABASE_URL": world.url,
        "TOKENS": str(embedded.Stack(stack.offset).tokens),
        "SAGA_PORT_OFFSET": str(free_offset()),
        "WORKER_STATE": str(tmp_path),
    }


@pytest.fixture(scope="module", params=LAGS)
async def searched(
    request: pytest.FixtureRequest, stack: Stack, world: World
) -> AsyncIterator[tuple[Stack, Instances, Standing]]:
    """The stack, its instances and their incidents, seen through searches without a lag and with one."""
    async with (
        searching(stack, request.param) as (own, addresses),
        Instances.at(addresses) as instances,
        open_channel(addresses.engine) as channel,
    ):
        yield own, instances, Standing(stub(channel), instances, world, own)


@pytest.fixture(scope="module")
def asked(searched: tuple[Stack, Instances, Standing]) -> Stack:
    """The stack, whose commands ask these searches."""
    return searched[0]


@pytest.fixture(scope="module")
def shown(searched: tuple[Stack, Instances, Standing]) -> Instances:
    """The instances, as these searches show them."""
    return searched[1]


@pytest.fixture
def run(elsewhere: dict[str, str]) -> Iterator[Run]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        command = [str(SAGA), *arguments]
        process = subprocess.Popen(command, cwd=ROOT, env=elsewhere, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
