"""The file's stack on this machine without Docker: each container's process, started as the file says."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from saga.clients.instances import Instances
from saga.clients.ports import HOST
from saga.stack.state import StackState
from saga.stack.supervisor import Supervisor
from tests.compose.composefile import ROOT, ComposeFile
from tests.compose.image import Image
from tests.compose.processes import Processes

pytestmark = pytest.mark.proof  # The image is built for it, as its Dockerfile says.

_ORDER = "bpmn/examples/fulfilled.json"
_READY_SECONDS = 60


@pytest.fixture(scope="module")
def processes(compose: ComposeFile, image: Image, tmp_path_factory: pytest.TempPathFactory) -> Processes:
    return Processes(compose, image, tmp_path_factory.mktemp("compose"))


@pytest.fixture(scope="module", autouse=True)
async def running(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[StackState]:
    """Every long-running container's process runs, each one healthy by its own health check."""
    supervisor = Supervisor(processes.parts(), tmp_path_factory.mktemp("logs"), lambda _state: None)
    stop = asyncio.Event()
    life = asyncio.create_task(supervisor.run(stop))
    ready = asyncio.create_task(supervisor.until_ready())
    try:
        await asyncio.wait([life, ready], return_when=asyncio.FIRST_COMPLETED, timeout=_READY_SECONDS)
        assert ready.done(), supervisor.state.model_dump_json(indent=1)
        yield supervisor.state
    finally:
        ready.cancel()
        stop.set()
        await life


async def test_the_deploy_container_s_command_deploys(processes: Processes, image: Image) -> None:
    done = await asyncio.to_thread(image.run, "deploy", **processes.environment("deploy"))
    assert done.returncode == 0, done.stderr
    assert "Deployed order-fulfillment" in done.stdout


async def test_an_order_is_fulfilled_and_the_rest_api_shows_it(processes: Processes, image: Image) -> None:
    environment = processes.environment("deploy")
    environment["TOKEN_READ"] = processes.environment("orders")["TOKEN_READ"]
    await asyncio.to_thread(image.run, "deploy", **environment)
    environment["ORDERS_URL"] = f"http://{HOST}:{processes.port('orders', 8101)}"
    order = str(ROOT / _ORDER)
    done = await asyncio.to_thread(image.run, "start", order, "--wait", **environment)
    assert "fulfilled" in done.stdout, done.stderr
    instance = int(done.stdout.split("instance ")[1].split()[0])
    async with Instances(f"http://{HOST}:{processes.port('engine', 8080)}") as instances:
        names = [node.name for node in await instances.path(instance)]
    assert "Order fulfilled" in names


async def test_our_processes_fit_their_containers_memory(compose: ComposeFile, running: StackState) -> None:
    for name in compose.ours.keys() - {"deploy"}:
        identity = running.part(name).process
        process = identity.find() if identity else None
        assert process is not None, name
        limit = compose.services[name].deploy.resources.limits.mebibytes * 1024 * 1024
        assert process.memory_info().rss < 0.75 * limit, name
