"""`saga services` and `saga workers`: our own processes against a cluster and a database that are there already."""

import signal
import time
from collections.abc import Callable
from contextlib import suppress

import httpx
import pytest

from saga.clients.ports import Ports
from tests.cli.conftest import Run
from tests.stack import Stack

_SECONDS = 60.0


def serves(port: int) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(f"http://127.0.0.1:{port}/ready", trust_env=False).status_code == 200
    return False


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < end, "still not so"
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.proof)])
def test_all_services_run_at_the_offset_and_end_together(
    run: Run, elsewhere: dict[str, str], number: signal.Signals
) -> None:
    ports = Ports.of(int(elsewhere["SAGA_PORT_OFFSET"]))
    ours = ports.services.values()
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
    assert "There is no service stock; there are card_processor, inventory, orders, payment, shipping." in done.errors
