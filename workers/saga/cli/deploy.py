"""`saga deploy`: bring diagrams and forms to the engine."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.clients.diagram import task_types
from saga.clients.zeebe import deploy, resources
from saga.kit.definition.registry import discover_sagas
from saga.operations.reconcile.manual_tasks import TASK_TYPE

app = typer.Typer()


@app.command("deploy")
def deploy_command(
    files: Annotated[
        list[Path] | None, typer.Argument(help="BPMN and form files; all of bpmn/ if none is named.")
    ] = None,
    port_offset: PortOffset = 0,
) -> None:
    """Deploy diagrams and forms to the engine."""
    given = files or resources()
    for line in asyncio.run(deploy(Addresses.of(port_offset), given)):
        typer.echo(f"Deployed {line}")
    for line in _unserved(given):
        typer.echo(line, err=True)


def _unserved(files: Iterable[Path]) -> Iterator[str]:
    """Yield a line for each task type of diagrams that no worker of ours does: instances would stand still there."""
    served = discover_sagas().handlers.keys() | {TASK_TYPE}
    for file in files:
        found = task_types(file.read_bytes()) if file.suffix == ".bpmn" else {}
        # An expression names its type only when the process runs.
        for task_type in sorted(name for name in found.keys() - served if not name.startswith("=")):
            elements = ", ".join(found[task_type])
            yield (
                f"No worker of this project does {task_type} ({elements} in {file.name}): an instance waits there "
                "until another one does."
            )
