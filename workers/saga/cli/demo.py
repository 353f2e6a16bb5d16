"""`saga demo`: run one order of each kind on the real thing, and show the way that each of them took."""

import asyncio
import json
import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.box import HORIZONTALS
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from saga.cli.console import SteadyConsole
from saga.cli.options import PortOffset
from saga.cli.stack import bring_up, deploy_resources
from saga.clients.addresses import Addresses
from saga.clients.gateway import Ended
from saga.clients.instances import ElementInstance, Instances
from saga.kit.definition.registry import discover_sagas
from saga.kit.definition.saga import SagaDefinition, Sample
from saga.kit.gateway.connection import plain_text
from saga.kit.settings import EngineSettings
from saga.stack.node import ensure_zbctl
from saga.stack.stack import Stack

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class Run:
    """A sample that has ended."""

    saga: SagaDefinition
    sample: Sample
    saga_id: str
    instance: int
    ended: Ended
    nodes: tuple[ElementInstance, ...] | None
    """The tasks that it went through, as the cluster shows them; None where no REST API is known."""

    @property
    def as_expected(self) -> bool:
        """Whether it ended as it must and took the path that it must."""
        return self.ended.outcome == self.sample.outcome and self.taken == self.sample.path

    @property
    def taken(self) -> tuple[str, ...]:
        """The names of its tasks; none where no REST API is known, so that no path passes unseen."""
        return tuple(node.name for node in self.nodes or ())


async def run_samples(addresses: Addresses, console: Console) -> list[Run]:
    """Start the samples of all processes one after the other and follow each to its end."""
    from saga.clients.zeebe import create, engine  # noqa: PLC0415 - pyzeebe's client: the parts start sooner without it

    prefix = f"demo-{int(time.time()):x}"
    first: dict[str, str] = {}
    started: list[tuple[SagaDefinition, Sample, str, int, Ended]] = []
    samples = [(saga, sample) for saga in discover_sagas().definitions for sample in saga.samples]
    async with engine(addresses) as client:
        for saga, sample in samples:
            # The file of a sample names it: the duplicate is the same saga a second time.
            saga_id = first.setdefault(sample.file, f"{prefix}-{len(first) + 1}")
            key, ended = await create(client, saga.process, saga.sample_variables(sample, saga_id), wait=True)
            assert ended is not None  # noqa: S101 - it was waited for
            console.print(f"[green]✓[/] {saga.noun} {saga_id} has ended: {ended.outcome}")
            started.append((saga, sample, saga_id, key, ended))
    if addresses.rest is None:
        return [Run(*each, nodes=None) for each in started]
    async with Instances(addresses.rest) as instances:
        return [Run(*each, nodes=_tasks(await instances.path(each[3]))) for each in started]


def _tasks(nodes: list[ElementInstance]) -> tuple[ElementInstance, ...]:
    return tuple(node for node in nodes if node.type == "SERVICE_TASK")


def table(saga: SagaDefinition, runs: list[Run], addresses: Addresses) -> Table:
    """Draw the samples of a process with their paths; narrow enough for a link to stay whole in 80 columns."""
    title, noun = f"Sample {saga.noun}s", saga.noun.capitalize()
    drawn = Table(noun, "Path, and its instance", title=title, title_justify="left", box=HORIZONTALS)
    for run in runs:
        mark = "[green]✓[/]" if run.as_expected else "[bold red]✗[/]"
        named = f"[bold]{run.sample.title}[/]\n{run.saga_id}\n{mark} {run.ended.outcome}"
        drawn.add_row(named, f"{_path(run)}\n{_page(run, addresses)}", end_section=True)
    return drawn


def _page(run: Run, addresses: Addresses) -> str:
    link = addresses.instance_page(run.instance)
    if link is None:
        return f"instance {run.instance}"
    return f"[link={link}][cyan]{link}[/][/link]"


def _path(run: Run) -> str:
    refusal = run.ended.refusal
    steps = []
    for node in run.nodes or ():
        if refusal and node.state == "TERMINATED":
            steps.append(f"[red]{escape(node.name)} ✗ {escape(refusal.code)}[/]")
        else:
            steps.append(escape(node.name))
    return " → ".join(steps) or "unknown: set CAMUNDA_REST_ADDRESS to see it"


def zbctl_lines(zbctl: Path, addresses: Addresses) -> list[str]:
    """Return whole zbctl commands that work as printed: for each process a sample, its message, its cancellation."""
    near = zbctl.relative_to(Path.cwd()) if zbctl.is_relative_to(Path.cwd()) else zbctl
    at = f"{shlex.quote(str(near))}{_zbctl_flags(addresses.engine)}"
    now = f"{int(time.time()):x}"

    def variables(saga: SagaDefinition, saga_id: str) -> str:
        return shlex.quote(json.dumps(saga.sample_variables(saga.samples[0], saga_id)))

    created, placed = f"zbctl-{now}-created", f"zbctl-{now}-placed"
    keys = f"--correlationKey {placed} --messageId {placed}"
    lines = []
    for saga in discover_sagas().definitions:
        if saga.samples:
            lines.append(f"{at} create instance {saga.process} --variables {variables(saga, created)} --withResult")
        if saga.samples and saga.start_message:
            lines.append(f"{at} publish message {saga.start_message} {keys} --variables {variables(saga, placed)}")
        if saga.samples and saga.start_message and saga.cancel_message:
            lines.append(f"{at} publish message {saga.cancel_message} --correlationKey {placed}")
    return [*lines, f"{at} status"]


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _zbctl_flags(settings: EngineSettings) -> str:
    """Say how zbctl reaches the engine; credentials it reads from the same environment as we do."""
    if settings.cluster_id:
        return f" --address {settings.cluster_id}.{settings.cluster_region}.zeebe.camunda.io:443"
    insecure, target = plain_text(settings)
    return f"{' --insecure' if insecure else ''} --address {target}"


def report(runs: list[Run], addresses: Addresses, zbctl: Path, console: Console) -> int:
    """Print what happened and what to do next; return the exit status, 0 if every order took its path."""
    for saga in dict.fromkeys(run.saga for run in runs):
        console.print(table(saga, [run for run in runs if run.saga is saga], addresses))
    started = " or ".join(dict.fromkeys(_with_article(run.saga.noun) for run in runs))
    console.print(
        f"\n[bold]To copy[/]: {started} and its result, {started} by message, its cancellation, the engine's state"
    )
    for line in zbctl_lines(zbctl, addresses):
        # Never wrapped: a line that breaks in the terminal's middle is no command any more.
        console.print(line, markup=False, soft_wrap=True)
    wrong = [run for run in runs if not run.as_expected]
    for run in wrong:
        taken = " → ".join(run.taken) or "unknown, set CAMUNDA_REST_ADDRESS"
        expected = " → ".join(run.sample.path)
        console.print(
            f"[red]{run.sample.title} took another way.[/] Expected {run.sample.outcome}: {expected}. Took: {taken}"
        )
    return 1 if wrong else 0


@app.command("demo")
def demo_command(
    *,
    exit_: Annotated[bool, typer.Option("--exit", help="End by itself; 0 only if each order took its path.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Start everything, run one order of each kind, and show the way that each took; it stays up until Ctrl-C."""
    console = SteadyConsole(highlight=False)
    addresses = Addresses.of(port_offset)
    status = 1

    def run_orders() -> bool:
        nonlocal status
        deploy_resources(port_offset, console)
        runs = asyncio.run(run_samples(addresses, console))
        status = report(runs, addresses, ensure_zbctl(), console)
        return not exit_

    bring_up(Stack(port_offset), console, after_ready=run_orders)
    raise typer.Exit(status)
