"""`saga up`, `down`, `status`, `logs` and `doctor`: the embedded stack's commands."""

import asyncio
import json
import signal
import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from saga.cli.console import SteadyConsole
from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.clients.failure import bad_input
from saga.common.signals import stop_on_signals
from saga.stack import display
from saga.stack.doctor import examine
from saga.stack.engine_log import accept_new
from saga.stack.logs import follow as follow_lines
from saga.stack.logs import tail
from saga.stack.stack import PARTS, Stack
from saga.stack.state import State
from saga.stack.status import report

app = typer.Typer()

_COLOURS = {State.READY: "green", State.RESTARTING: "yellow", State.DEGRADED: "yellow", State.DOWN: "red"}


@app.command()
def up(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"Only these and what they need: {', '.join(PARTS)}.")
    ] = None,
    *,
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is ready; it goes on running.")
    ] = False,
    new_engine: Annotated[
        bool, typer.Option("--new-engine", help="Begin a new engine log, though sagas are open in the database.")
    ] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Start the stack, deploy diagrams and forms, and show where everything is; it stays up until Ctrl-C."""
    stack = Stack(port_offset, parts or PARTS)
    console = SteadyConsole(highlight=False, soft_wrap=True)
    if new_engine:
        accept_new(stack.layout)

    def deploy_all() -> bool:
        if "workers" in stack.parts:
            deploy_resources(port_offset, console)
        return True

    bring_up(stack, console, detach=detach, after_ready=deploy_all)


@app.command()
def down(
    *,
    delete_data: Annotated[bool, typer.Option("--delete-data", help="Forget its data too, for good.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Stop the stack and wait until nothing of it is left; its data stays."""
    stack = Stack(port_offset)
    console = _console()
    with console.status("Stopping"):
        ran = stack.down(delete_data=delete_data)
    console.print("Stopped." if ran else "Nothing ran.")
    if delete_data:
        console.print(f"Deleted {stack.layout.data}.")


@app.command()
def status(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Show what runs, since when, and where it is; the exit status is 1 where a part is not ready any more."""
    now = report(Stack(port_offset))
    console = _console()
    if as_json:
        console.print(json.dumps(now), soft_wrap=True, markup=False)
        _exit_with(now["state"])
        return
    table = Table("Part", "State", "Pid", "Restarts", "Ready after", "Memory", box=None, pad_edge=False)
    for part in now["parts"]:
        seconds, rss = part["readySeconds"], part["rssBytes"]
        table.add_row(
            part["name"],
            f"[{_COLOURS.get(part['state'], 'default')}]{part['state']}[/]",
            str(part["pid"] or ""),
            str(part["restarts"]),
            "" if seconds is None else f"{seconds} s",
            "" if rss is None else f"{rss / 1e6:.0f} MB",
        )
    console.print(f"The stack at port offset {port_offset} is {now['state']}; its data: {now['dataDir']}")
    if now["parts"]:
        console.print(table)
    _exit_with(now["state"])


@app.command()
def logs(
    part: Annotated[str | None, typer.Argument(help=f"One of {', '.join(PARTS)}, supervisor; all by default.")] = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is added, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="So many of the last lines, of each part.")] = 50,
    port_offset: PortOffset = 0,
) -> None:
    """Print what the parts have written; it stays after the stack has stopped."""
    known = (*PARTS, "supervisor")
    if part is not None and part not in known:
        message = f"There is no part {part}; there are {', '.join(known)}."
        raise bad_input(message)
    layout = Stack(port_offset).layout
    paths = {name: layout.log(name) for name in ([part] if part else known)}
    width = 0 if part else max(map(len, paths))

    def show(name: str, line: str) -> None:
        sys.stdout.write(f"{name:<{width}} | {line}\n" if width else f"{line}\n")
        sys.stdout.flush()

    for name, path in paths.items():
        for line in tail(path, lines):
            show(name, line)
    if follow:
        try:
            for name, line in follow_lines(paths):
                show(name, line)
        except KeyboardInterrupt:
            return


@app.command()
def doctor(port_offset: PortOffset = 0) -> None:
    """Look whether everything is there that the stack needs, and say what to do where it is not."""
    console = _console()
    findings = list(examine(Stack(port_offset)))
    table = Table.grid(padding=(0, 2))
    for finding in findings:
        table.add_row("[green]✓[/]" if finding.ok else "[bold red]✗[/]", finding.subject, finding.detail)
    console.print(table)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _exit_with(state: State) -> None:
    if state is State.DEGRADED:
        raise typer.Exit(1)


def bring_up(
    stack: Stack,
    console: Console,
    *,
    detach: bool = False,
    after_ready: Callable[[], bool] = lambda: True,
) -> None:
    """Start the stack and show where everything is.

    Args:
        stack: what to start; one that runs already is waited for and left alone.
        console: where to show it.
        detach: whether to return when all is ready; else the stack stays up until Ctrl-C.
        after_ready: is called once, on a thread without an event loop, when every part is ready; whether to stay up.

    Raises:
        StackError: the stack did not become ready, or did not stay up.
    """
    if not stack.parts:
        console.print("Nothing to start: the environment names a cluster or a database for everything asked for.")
        after_ready()
        return
    if stack.running() is not None:
        console.print("A stack runs already at this port offset.")
        _wait_detached(stack, console, start=False, after_ready=after_ready)
    elif detach:
        _wait_detached(stack, console, start=True, after_ready=after_ready)
    else:
        asyncio.run(_stay_up(stack, console, after_ready))


def deploy_resources(port_offset: int, console: Console) -> None:
    """Deploy every diagram and form of the project; where none has changed, each stays the version that it is.

    Raises:
        Failure: the engine refuses a file.
    """
    from saga.clients.zeebe import deploy, resources  # noqa: PLC0415 - pyzeebe's client: the parts start sooner without it

    for line in asyncio.run(deploy(Addresses.of(port_offset), resources())):
        console.print(f"[green]✓[/] deployed {line}")


def _wait_detached(stack: Stack, console: Console, *, start: bool, after_ready: Callable[[], bool]) -> None:
    with display.Readiness(console) as readiness:
        stack.wait_ready(readiness, stack.start_detached() if start else None)
        after_ready()
    option = f" --port-offset {stack.port_offset}" if stack.port_offset else ""
    display.addresses(stack, console, stop=f"saga down{option}")


async def _stay_up(stack: Stack, console: Console, after_ready: Callable[[], bool]) -> None:
    readiness = display.Readiness(console)

    def on_ready() -> bool:
        stay = after_ready()
        readiness.stop()
        if stay:
            display.addresses(stack, console, stop="Ctrl-C")
        return stay

    with stop_on_signals(signal.SIGHUP) as stop, readiness:
        await stack.run(stop, readiness, on_ready)


def _console() -> Console:
    return Console(highlight=False, soft_wrap=True)
