"""Our own processes against a cluster and a database that are there already."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack import ROOT, SAGA, Stack, free_offset
from tests.world import World
from workers.addresses import Addresses
from workers.cluster import stack as embedded

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
