"""`saga workers --processes 2`: two worker processes that are seen, kept alive and ended as one."""

import asyncio
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyzeebe import ZeebeClient

from saga.cli.processes import Processes
from saga.clients.ports import Ports
from saga.kit.settings import WorkerSettings
from tests.cli.conftest import Run
from tests.cli.test_run import serves, wait_for
from tests.world import World, eventually

NewOrder = Callable[..., dict[str, Any]]
_SECONDS = 60.0


@pytest.fixture
def port(elsewhere: dict[str, str]) -> int:
    return Ports.of(int(elsewhere["SAGA_PORT_OFFSET"])).workers


@pytest.fixture
def parent(run: Run, port: int) -> "subprocess.Popen[str]":
    """The process that a user starts, ready."""
    process = run("workers", "--processes", "2")
    wait_for(lambda: serves(port))
    return process


def children(parent: "subprocess.Popen[str]") -> list[psutil.Process]:
    return psutil.Process(parent.pid).children()


def all_gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, _SECONDS)
    return not alive


def completed(port: int) -> dict[str, float]:
    """Return how many jobs each process has completed."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    jobs: dict[str, float] = {}
    for sample in (sample for family in text_string_to_metric_families(text) for sample in family.samples):
        if sample.name == "saga_jobs_ended_total" and sample.labels["outcome"] == "completed":
            jobs[sample.labels["process"]] = jobs.get(sample.labels["process"], 0) + sample.value
    return jobs


async def test_both_processes_do_jobs_under_load(
    parent: "subprocess.Popen[str]", port: int, engine: ZeebeClient, world: World, new_order: NewOrder
) -> None:
    orders = [new_order() for _ in range(15)]
    assert len(children(parent)) == 2
    for order in orders:
        await engine.run_process("order-fulfillment", order)
    for order in orders:
        await eventually(lambda order=order: world.effects(order["orderId"]), lambda effects: effects.shipped == 3)  # type: ignore[misc]
    jobs = await asyncio.to_thread(completed, port)
    assert set(jobs) == {"1", "2"}
    assert all(count > 0 for count in jobs.values())
    parent.terminate()
    assert await asyncio.to_thread(parent.wait, _SECONDS) == 0


def test_they_are_ready_while_both_of_them_are(parent: "subprocess.Popen[str]", port: int) -> None:
    for child in children(parent):
        child.suspend()
        try:
            wait_for(lambda: not serves(port))
        finally:
            child.resume()
        wait_for(lambda: serves(port))


def test_one_that_is_killed_is_replaced(parent: "subprocess.Popen[str]", port: int) -> None:
    dead, other = children(parent)
    dead.kill()
    wait_for(lambda: not serves(port))
    wait_for(lambda: serves(port))
    now = {child.pid for child in children(parent)}
    assert len(now) == 2
    assert other.pid in now
    assert dead.pid not in now


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)])
def test_none_of_them_outlives_its_parent(parent: "subprocess.Popen[str]", number: signal.Signals, status: int) -> None:
    both = children(parent)
    assert len(both) == 2
    parent.send_signal(number)
    assert parent.wait(_SECONDS) == status
    assert all_gone(both)


class FakeWorkers(Processes):
    """Its one process does nothing, and is made when a test says so."""

    def __init__(self, folder: Path) -> None:
        super().__init__(1, 0, WorkerSettings(host=f"unix:{folder / 'parent.sock'}"), folder)
        self.asked = asyncio.Event()
        self.go = asyncio.Event()

    async def _spawn(self, name: str) -> asyncio.subprocess.Process:
        del name
        self.asked.set()
        await self.go.wait()
        return await asyncio.create_subprocess_exec("sleep", "600")


async def test_a_process_that_is_being_made_when_all_are_to_end_ends_too(tmp_path: Path) -> None:
    processes = FakeWorkers(tmp_path)
    running = asyncio.create_task(processes.run())
    await processes.asked.wait()
    processes.stop()
    processes.go.set()
    assert await asyncio.wait_for(running, 20) == -signal.SIGTERM
