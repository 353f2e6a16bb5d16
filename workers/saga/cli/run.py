"""`saga workers`: run every step's worker in the foreground."""

import asyncio
import gc
import re
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from random import SystemRandom
from typing import Annotated

import httpx
import structlog
import typer

from saga.cli import foreground
from saga.cli.options import PortOffset
from saga.cli.processes import run_processes
from saga.clients.addresses import Addresses
from saga.clients.environment import read
from saga.clients.gateway import channel as channel_to
from saga.clients.participant import TIMEOUT
from saga.clients.ports import Ports
from saga.clients.tokens import for_step
from saga.common.http_clients import open_client
from saga.common.logs import configure_logging
from saga.common.pools import Pools
from saga.common.signals import on_stop_signal
from saga.common.tokens import read_tokens
from saga.kit.definition.registry import discover_sagas
from saga.kit.execution.crash_guard import CrashGuard, Journal
from saga.kit.execution.wiring import create_worker
from saga.kit.observability.health import Health, HealthServer
from saga.kit.observability.log import Log
from saga.kit.observability.metrics import Metrics
from saga.kit.settings import WorkerSettings
from saga.operations.reconcile.doubts import Reporter
from saga.stack.tokens import find_tokens

app = typer.Typer()
_log = structlog.get_logger(__name__)


@app.command("workers")
def workers_command(
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="So many processes, to use more than one core; each has its own windows.")
    ] = 1,
    port_offset: PortOffset = 0,
) -> None:
    """Run the workers of every step until SIGTERM or Ctrl-C; a second one ends them at once."""
    configure_logging("workers")
    settings = read(WorkerSettings)
    if "port" not in settings.model_fields_set:
        settings = settings.model_copy(update={"port": Ports.of(port_offset).workers})
    find_tokens(port_offset)
    if processes > 1:
        sys.exit(run_processes(processes, port_offset, settings))
    foreground.run(_work(Addresses.of(port_offset), settings))


async def _work(addresses: Addresses, settings: WorkerSettings) -> None:
    sagas = discover_sagas()
    by_type = sagas.handlers
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(channel_to(addresses))
        clients = {
            name: await stack.enter_async_context(
                httpx.AsyncClient(
                    # A participant that takes longer is asked again by the engine, with the same key.
                    base_url=addresses.service(name),
                    timeout=TIMEOUT,
                    transport=Pools(settings.window),
                )
            )
            for name in sorted({name for handler in by_type.values() for name in handler.services})
        }
        reconciler = await stack.enter_async_context(open_client(addresses.reconciler))
        reporter = Reporter(reconciler, sagas)
        stack.push_async_callback(reporter.close)
        metrics = Metrics()
        journal = _journal(settings.state, addresses.engine.address)
        if journal is not None:
            stack.callback(journal.close)
        worker = create_worker(
            channel,
            by_type,
            clients,
            settings,
            SystemRandom(),
            middleware=[Log(), metrics, reporter],
            crash_guard=CrashGuard(settings.activations, journal),
            token=for_step(read_tokens()),
        )
        metrics.watch(worker)
        on_stop_signal(lambda _: worker.stop())

        async def health() -> Health:
            return Health(worker.ready, worker.unreachable)

        async def text() -> bytes:
            return metrics.text()

        server = HealthServer(settings.host, settings.port, health, text)
        serving = asyncio.create_task(server.serve())
        gc.freeze()  # What is there now stays for good: looking through it again and again costs a tenth of a job.
        try:
            await worker.run()
        finally:
            server.should_exit = True
            await serving


def _journal(state: Path, engine: str) -> Journal | None:
    """Open the journal for jobs of this engine; without one, what kills its worker is not told from what does not."""
    folder = state / re.sub(r"[^A-Za-z0-9.-]", "_", engine)
    try:
        return Journal.open(folder.expanduser())  # a user without a home has none to expand
    except (OSError, RuntimeError) as error:
        _log.warning(
            "no journal", folder=folder, why=str(error), mend="set WORKER_STATE to a folder that can be written"
        )
        return None
