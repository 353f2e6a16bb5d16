"""The cluster that the cases run against, and a report of what differs there."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from pyzeebe.proto import gateway_pb2 as pb

from tests.conformance.clock import Clock
from tests.conformance.report import Report
from tests.conformance.target import Connections, Target, connect
from tests.conformance.zeebe import TIMEOUT, Zeebe

_HERE = Path(__file__).parent
_EMBEDDED_ONLY = ("fault", "engine_log")
_SOURCES = "m measured on 8.6.0, t tested on 8.6.0, d documentation, s public tests and maintainers' words, own ours"
_MARKS = (
    f"case(number, source): a case of Zeebe's semantics, and what it rests on: {_SOURCES}",
    "fault: kills the engine, so it needs one of our own",
    "engine_log: looks at what only the embedded engine shows",
)

_report = pytest.StashKey[Report]()
_target = pytest.StashKey[Target | None]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a person run the cases against a cluster; without being told to, no test talks to a foreign one."""
    parser.addoption(
        "--cluster",
        action="store_true",
        help="run on the cluster that the environment names, and set its clock if it can be",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Name the marks, and begin a report."""
    for mark in _MARKS:
        config.addinivalue_line("markers", mark)
    # The option is not there where pytest was not started for this folder.
    is_foreign = config.getoption("--cluster", default=False)
    try:
        # Read now: the suite's own conftest takes foreign addresses out of the environment before the first test.
        config.stash[_target] = Target.of_environment() if is_foreign else None
    except ValueError as error:
        message = f"--cluster: {error}"
        raise pytest.UsageError(message) from None
    config.stash[_report] = Report("cluster" if is_foreign else "embedded engine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a cluster of somebody else's cannot be asked for."""
    if config.stash[_target] is None:
        return
    left_out = [item for item in items if item.path.is_relative_to(_HERE) and _is_embedded_only(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _is_embedded_only(item: pytest.Item) -> bool:
    return any(map(item.get_closest_marker, _EMBEDDED_ONLY))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep how a case ended."""
    report = yield
    item.config.stash[_report].add(item, report, call)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the report of a cluster, and of the embedded engine where something differs."""
    report = config.stash[_report]
    if config.stash[_target] or report.differences:
        terminalreporter.section("conformance")
        for line in report.lines():
            terminalreporter.write_line(line)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Connections to the cluster, and what is unique to this run."""

    connections: Connections
    run: str
    numbers: Iterator[int]
    processes: set[str]


@pytest.fixture(scope="session")
async def cluster(request: pytest.FixtureRequest) -> AsyncIterator[Cluster]:
    """The cluster; what the run leaves active on one that is not ours is cancelled."""
    target = request.config.stash[_target]
    async with connect(target) as connections:
        try:
            topology = await connections.stub.Topology(pb.TopologyRequest(), timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            pytest.exit(f"The cluster does not answer: {error.code().name} {error.details()}", returncode=2)
        request.config.stash[_report].version = topology.gatewayVersion
        cluster = Cluster(connections, uuid.uuid4().hex[:8], itertools.count(1), set())
        yield cluster
        if target is not None:
            await _cancel_all(cluster)


async def _cancel_all(cluster: Cluster) -> None:
    """Cancel what is active of the processes that this run has deployed, as far as the search shows it."""
    filters = {"processDefinitionId": {"$in": sorted(cluster.processes)}, "state": "ACTIVE"}
    body = {"filter": filters, "page": {"limit": 1000}}
    answer = await cluster.connections.rest.post("/v2/process-instances/search", json=body)
    items = answer.json()["items"] if answer.is_success else []
    requests = [pb.CancelProcessInstanceRequest(processInstanceKey=int(each["processInstanceKey"])) for each in items]
    await asyncio.gather(*map(cluster.connections.stub.CancelProcessInstance, requests), return_exceptions=True)


@pytest.fixture
async def zeebe(cluster: Cluster) -> AsyncIterator[Zeebe]:
    """A client with names of its own."""
    connections = cluster.connections
    clock = Clock(connections.rest)
    zeebe = Zeebe(connections.stub, connections.rest, clock, f"{cluster.run}-{next(cluster.numbers)}")
    yield zeebe
    await zeebe.settle()
    await clock.reset()
    cluster.processes.update(zeebe.processes)


@pytest.fixture
async def clock(zeebe: Zeebe) -> Clock:
    """The engine's clock, which stands still during this test where the engine lets us."""
    await zeebe.clock.stop()
    return zeebe.clock


@pytest.fixture
def management(cluster: Cluster) -> str:
    """The URL of our own engine's management port."""
    return cluster.connections.management
