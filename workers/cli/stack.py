"""`saga up`, `down`, `status`, `logs` and `doctor`: the embedded stack's commands."""

import asyncio
import json
import sys
from typing import Annotated, Any

import typer
from rich.console import Console

from workers.cli.addresses import PortOffset
from workers.cluster.errors import StackError
from workers.cluster.stack import PARTS, Stack
from workers.cluster.state import State, StackState
from workers.cluster.status import report
from workers.cluster.stopping import stop_on_signals

app = typer.Typer()


@app.command()
def up(
    parts: Annotated[list[str] | None, typer.Argument(help="Only these parts and what they need.")] = None,
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return when all is ready; it goes on running.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Start the stack."""
    stack = Stack(port_offset, parts or PARTS)
    stack.download()
    seen: dict[str, State] = {}

    def watch(now: StackState) -> None:
        for part in now.parts:
            if seen.get(part.name) is not part.state:
                seen[part.name] = part.state
                print(part.name, part.state, part.ready_seconds or "")
    if detach:
        if stack.running() is None:
            stack.start_detached()
        stack.wait_ready(watch)
        return
    async def run() -> None:
        with stop_on_signals() as stop:
            await stack.run(stop, lambda: print("ready"), watch)
    asyncio.run(run())


@app.command()
def down(*, delete_data: Annotated[bool, typer.Option("--delete-data")] = False, port_offset: PortOffset = 0) -> None:
    """Stop the stack."""
    print("stopped" if Stack(port_offset).down(delete_data=delete_data) else "nothing ran")


@app.command()
def status(*, as_json: Annotated[bool, typer.Option("--json")] = False, port_offset: PortOffset = 0) -> None:
    """Show status."""
    print(json.dumps(report(Stack(port_offset))))
