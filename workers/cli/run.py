"""`saga services` and `saga workers`: run our own processes in the foreground."""

import asyncio
import signal
from contextlib import AsyncExitStack
from random import SystemRandom
from typing import Annotated

import httpx
import typer

import services
import workers.steps
from services.kit.logs import configure_logging
from workers.cli.addresses import Addresses, PortOffset
from workers.cli.failure import Failure, bad_input
from workers.kit.connection import open_channel
from workers.kit.discovery import discover, handlers
from workers.kit.health import HealthServer
from workers.kit.settings import WorkerSettings
from workers.kit.worker import Worker

_CALL_TIMEOUT = httpx.Timeout(10.0, connect=2.0)
"""Seconds: a participant that takes longer is asked again by the engine, with the same key."""

app = typer.Typer()


@app.command("workers")
def workers_command(port_offset: PortOffset = 0) -> None:
    """Run the workers of every step until SIGTERM or Ctrl-C; a second one ends them at once."""
    configure_logging("workers")
    asyncio.run(_work(Addresses.of(port_offset), WorkerSettings()))


async def _work(addresses: Addresses, settings: WorkerSettings) -> None:
    by_type = handlers(discover(workers.steps))
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(open_channel(addresses.engine))
        limits = httpx.Limits(max_connections=settings.window, max_keepalive_connections=settings.window)
        clients = {
            name: await stack.enter_async_context(
                httpx.AsyncClient(base_url=addresses.services[name], timeout=_CALL_TIMEOUT, limits=limits)
            )
            for name in sorted({name for handler in by_type.values() for name in handler.services})
        }
        worker = Worker(channel, by_type, clients, settings, SystemRandom())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        health = HealthServer(settings.host, settings.port, lambda: worker.ready)
        serving = asyncio.create_task(health.serve())
        try:
            await worker.run()
        finally:
            health.should_exit = True
            await serving


@app.command("services")
def services_command(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(services.PORTS)}.")], port_offset: PortOffset = 0
) -> None:
    """Run one participant service until SIGTERM or Ctrl-C."""
