"""One real stack for the whole suite, started as a user starts it, and what a test needs to look into it."""

import asyncio
import itertools
import json
import os
import uuid
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

import pytest
import structlog
from playwright.async_api import Browser
from pyzeebe import ZeebeClient

import services
from bpmn import render
from saga.clients.addresses import Addresses
from saga.clients.instances import Instances
from saga.kit.definition.saga import EXAMPLES
from saga.kit.gateway.connection import open_channel, stub
from saga.stack import stack as embedded
from tests.lanes import LONG, SECONDS
from tests.parts import missing
from tests.proxy import HoldingProxy
from tests.stack import Stack, free_port
from tests.standing import Standing
from tests.world import World

LEASE = 4.0
"""Seconds of a job's lease in the suite: a killed worker's job comes back after it."""


def pytest_configure() -> None:
    """Have tracebacks printed as Python does: structlog's own default draws every frame with its local values."""
    structlog.dev.ConsoleRenderer.get_active().exception_formatter = structlog.dev.plain_traceback


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note for `make test` how long a test took that does not say that it takes long."""
    if call.when == "call" and call.duration > LONG and item.get_closest_marker("long") is None:
        item.user_properties.append((SECONDS, call.duration))
    return (yield)


@pytest.fixture(scope="session")
def ways() -> dict[str, HoldingProxy]:
    """The way from the workers to each participant."""
    return {name: HoldingProxy(free_port()) for name in services.participants()}


@pytest.fixture(scope="session")
def payment_proxy(ways: dict[str, HoldingProxy]) -> HoldingProxy:
    """The way from the workers to the payment service."""
    return ways["payment"]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory, ways: dict[str, HoldingProxy]) -> Iterator[Stack]:
    """Start the stack, ports and data its own; at the end nothing of it is left."""
    home = tmp_path_factory.mktemp("saga")
    urls = {f"{name.upper()}_URL": way.url for name, way in ways.items()}
    stack = Stack(home, {"WORKER_LEASE": str(LEASE), "SAGA_ENGINE_VALUES": "1", **urls})
    for name, way in ways.items():
        way.start(f"http://127.0.0.1:{services.PORTS[name] + stack.offset}")
    try:
        started = stack.saga("up", "--detach")
        assert started.status == 0, started.output + started.errors
        yield stack
    finally:
        stopped = stack.saga("down", "--delete-data")
        for way in ways.values():
            way.stop()
    assert stopped.status == 0, stopped.output + stopped.errors


@pytest.fixture(scope="session")
def addresses(stack: Stack) -> Addresses:
    """Where the stack's parts are."""
    return Addresses.of(stack.offset)


@pytest.fixture(scope="session")
async def engine(addresses: Addresses) -> AsyncIterator[ZeebeClient]:
    """The engine's client API."""
    async with open_channel(addresses.engine) as channel:
        yield ZeebeClient(channel)


@pytest.fixture(scope="session")
async def instances(addresses: Addresses) -> AsyncIterator[Instances]:
    """What the engine's REST API shows of process instances."""
    async with Instances.at(addresses) as instances:
        yield instances


@pytest.fixture(scope="session")
async def world(stack: Stack, monkeypatch_session: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """The participants' tables."""
    monkeypatch_session.setenv("SAGA_HOME", stack.environment["SAGA_HOME"])
    async with World(embedded.Stack(stack.offset).database_url) as world:
        yield world


@pytest.fixture(scope="session")
async def standing(addresses: Addresses, instances: Instances, world: World, stack: Stack) -> AsyncIterator[Standing]:
    """What stands still at an incident."""
    async with open_channel(addresses.engine) as channel:
        yield Standing(stub(channel), instances, world, stack)


@pytest.fixture(scope="session")
def monkeypatch_session() -> Iterator[pytest.MonkeyPatch]:
    """A monkeypatch for the suite's own length."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def new_order() -> Callable[..., dict[str, Any]]:
    """Make an order's variables from one of the examples, under an id of its own."""
    run = uuid.uuid4().hex[:8]
    numbers = itertools.count(1)

    def make(example: str = "fulfilled", **changes: object) -> dict[str, Any]:
        order = json.loads((EXAMPLES / f"{example}.json").read_text())
        return {**order, "orderId": f"test-{run}-{next(numbers)}", **changes}

    return make


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """A real Chromium."""
    if await asyncio.to_thread(render.chromium) is None:
        missing("no Chromium: `playwright install chromium` brings one")
    async with render.headless() as browser:
        yield browser


@pytest.fixture(scope="session", autouse=True)
def no_cluster_from_outside() -> None:
    """The suite brings its own stack; what the environment names would send its orders elsewhere."""
    foreign = ("ZEEBE_", "CAMUNDA_", "WORKER_", "DATABASE_URL", "HOST", "PORT", "TOKEN")
    for name in [name for name in os.environ if name.startswith(foreign) or name.endswith(("_URL", "_DATABASE_URL"))]:
        del os.environ[name]
