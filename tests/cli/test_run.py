"""`saga services` and `saga workers`: our own processes against a cluster and a database that are there already."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest

from tests.stack import ROOT, SAGA, Stack, free_offset
from tests.world import World
from workers.addresses import Addresses
from workers.cluster.ports import Ports

_SECONDS = 60.0
Run = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def elsewhere(stack: Stack, addresses: Addresses, world: World) -> dict[str, str]:
    """The suite's stack as a cluster and a database of somebody else's, seen from ports of one's own."""
    return {
        **stack.environment,
        **{f"{name.upper()}_URL": url for name, url in addresses.services.items()},
        "ZEEBE_ADDRESS": addresses.engine.address,
        "DATABASE_URL": world.url,
        "SAGA_PORT_OFFSET": str(free_offset()),
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


def serves(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False).status_code == 200
    return False


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_services_run_at_the_offset_and_end_together(
    run: Run, elsewhere: dict[str, str], number: signal.Signals
) -> None:
    ports = Ports.of(int(elsewhere["SAGA_PORT_OFFSET"]))
    ours = (ports.orders, ports.inventory, ports.payment, ports.shipping)
    process = run("services")
    wait_for(lambda: all(serves(port) for port in ours))
    process.send_signal(number)
    assert process.wait(_SECONDS) == 0
    assert not any(serves(port) for port in ours)


def test_a_worker_is_ready_at_the_offset_and_ends_on_sigterm(run: Run, elsewhere: dict[str, str]) -> None:
    port = Ports.of(int(elsewhere["SAGA_PORT_OFFSET"])).workers
    process = run("workers")
    wait_for(lambda: serves(port))
    process.send_signal(signal.SIGTERM)
    assert process.wait(_SECONDS) == 0


def test_an_unknown_service_is_named(stack: Stack) -> None:
    done = stack.saga("services", "stock")
    assert done.status == 2
    assert "There is no service stock; there are inventory, orders, payment, shipping." in done.errors
