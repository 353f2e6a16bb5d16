"""The cluster that the cases run against: the one that the environment names, or else an engine of our own."""

import asyncio
import itertools
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
from pyzeebe.proto import gateway_pb2 as pb
from pyzeebe.proto.gateway_pb2_grpc import GatewayStub

from tests.conformance.clock import Clock
from tests.conformance.report import Report
from tests.conformance.zeebe import PATIENCE, Zeebe
from tests.engine.process import running

if TYPE_CHECKING:
    # The asynchronous stub exists for type checkers only: at run time it is the same class.
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

# Read now: the suite's own conftest takes foreign addresses out of the environment before the first test.
GATEWAY = os.environ.get("ZEEBE_ADDRESS", "")
REST = os.environ.get("CAMUNDA_REST_ADDRESS", "")
_HERE = Path(__file__).parent
_EMBEDDED_ONLY = ("fault", "engine_log")
_MESSAGE_SIZE = 16 << 20
"""Bytes of a message that we take: as JSON a batch is larger than the broker counts."""

_report = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks, and begin a report."""
    sources = "m measured, t tested on 8.6.0, d documentation, s public tests and maintainers' words, own ours"
    for mark in (
        f"case(number, source): a case of Zeebe's semantics, and where it is from: {sources}",
        "fault: has to kill the engine, so it runs on an engine of our own",
        "engine_log: only the embedded engine can do this",
    ):
        config.addinivalue_line("markers", mark)
    config.stash[_report] = Report(GATEWAY or "embedded engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a cluster of somebody else's cannot be asked for."""
    if not GATEWAY:
        return
    left_out = [item for item in items if item.path.is_relative_to(_HERE) and _is_embedded_only(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _is_embedded_only(item: pytest.Item) -> bool:
    return any(map(item.get_closest_marker, _EMBEDDED_ONLY))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Keep how a case ended."""
    report: pytest.TestReport = yield
    item.config.stash[_report].add(item, report, call)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the report of a cluster, and of the embedded engine where something differs."""
    report = config.stash[_report]
    if GATEWAY or report.differences:
        terminalreporter.section("conformance")
        for line in report.lines():
            terminalreporter.write_line(line)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Connections to the cluster, and what is unique to this run."""

    stub: "GatewayAsyncStub"
    rest: httpx.AsyncClient
    run: str
    numbers: Iterator[int]
    processes: set[str]


@pytest.fixture(scope="session")
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """The cluster; what the run leaves active on one that is not ours is cancelled."""
    async with AsyncExitStack() as stack:
        gateway, rest = GATEWAY, REST
        if not gateway:
            engine = await stack.enter_async_context(running("--clock", "controlled"))
            gateway, rest = engine.gateway, f"http://{engine.rest}"
        assert rest, (
            "CAMUNDA_REST_ADDRESS: not set. Set it to the cluster's REST address, such as http://localhost:8080."
        )
        options = [("grpc.max_receive_message_length", _MESSAGE_SIZE)]
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(gateway, options))
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=rest, timeout=PATIENCE))
        stub: GatewayAsyncStub = GatewayStub(channel)  # type: ignore[assignment]
        topology = await stub.Topology(pb.TopologyRequest(), timeout=PATIENCE)
        request.config.stash[_report].version = topology.gatewayVersion
        cluster = Cluster(stub, http, uuid.uuid4().hex[:8], itertools.count(1), set())
        yield cluster
        if GATEWAY:
            await _cancel_all(cluster)


async def _cancel_all(cluster: Cluster) -> None:
    """Cancel what is active of the processes that this run has deployed, as far as the search shows it."""
    filters = {"processDefinitionId": {"$in": sorted(cluster.processes)}, "state": "ACTIVE"}
    answer = await cluster.rest.post("/v2/process-instances/search", json={"filter": filters, "page": {"limit": 1000}})
    keys = [int(each["processInstanceKey"]) for each in answer.json().get("items", [])]
    requests = [pb.CancelProcessInstanceRequest(processInstanceKey=key) for key in keys]
    await asyncio.gather(*map(cluster.stub.CancelProcessInstance, requests), return_exceptions=True)


@pytest.fixture
async def zeebe(cluster: Cluster) -> AsyncIterator[Zeebe]:
    """A client with names of its own."""
    clock = Clock(cluster.rest)
    zeebe = Zeebe(cluster.stub, cluster.rest, clock, f"{cluster.run}-{next(cluster.numbers)}")
    yield zeebe
    await zeebe.settle()
    await clock.reset()
    cluster.processes.update(zeebe.processes)


@pytest.fixture
async def clock(zeebe: Zeebe) -> Clock:
    """The engine's clock, which stands still during this test where the engine lets us."""
    await zeebe.clock.stop()
    return zeebe.clock
