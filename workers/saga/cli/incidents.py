"""`saga incidents`: what stands still and why, what to do about it, and a retry that is watched until all are gone."""

import asyncio
import shlex
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.clients.failure import Failure, bad_input
from saga.clients.gateway import channel
from saga.clients.instances import Instances, ProcessInstance
from saga.clients.participant import Participant
from saga.clients.sagas import instances_of, saga_of
from saga.common.tokens import Tokens, read_tokens
from saga.kit.definition.registry import discover_sagas
from saga.kit.definition.saga import SagaDefinition
from saga.kit.gateway.connection import stub
from saga.operations.compensate.view import ending
from saga.operations.incidents.display import Overview, show_incident, show_outcomes, show_timeline
from saga.operations.incidents.incident_types import NEXT
from saga.operations.incidents.retry import IncidentRetry, Outcome, Verdict
from saga.operations.incidents.search import Incident, Incidents, Wanted
from saga.operations.incidents.timeline import happened
from saga.stack.tokens import find_tokens

_DIGITS = 18
"""Digits of the engine's keys: 16, or some more with very many partitions."""

app = typer.Typer()

Order = Annotated[str | None, typer.Option(help="Only those of this order.")]
Process = Annotated[str | None, typer.Option(help="Only those of this process: its name, or its id.")]
Element = Annotated[str | None, typer.Option(help="Only those at this element: its name as drawn, or its id.")]
Type = Annotated[str | None, typer.Option("--type", help="Only those of this type, as JOB_NO_RETRIES.")]
Message = Annotated[str | None, typer.Option(metavar="TEXT", help="Only those whose message has this in it.")]


@app.callback(invoke_without_command=True)
def list_command(  # noqa: PLR0913 - each of them is one filter
    context: typer.Context,
    *,
    order: Order = None,
    process: Process = None,
    element: Element = None,
    type_: Type = None,
    message: Message = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: all of them, and all of each.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Show the open incidents: how many stand where, and the oldest of them."""
    wanted = _wanted(order, process, element, type_, message)
    if context.invoked_subcommand is None:
        asyncio.run(_list(_console(), Addresses.of(port_offset), wanted, as_json=as_json))
    elif as_json or wanted != Wanted():
        hint = f"Options belong behind the command: saga incidents {context.invoked_subcommand} --order 4711"
        raise bad_input(hint)


@app.command("explain")
def explain_command(
    what: Annotated[str, typer.Argument(metavar="KEY", help="An incident's key, or an order's id.")],
    port_offset: PortOffset = 0,
) -> None:
    """Say what happened or where an order stands, what the participants did for it so far, and what to do next."""
    find_tokens(port_offset)
    asyncio.run(_explain(_console(), port_offset, read_tokens(), what))


@app.command("retry")
def retry_command(  # noqa: PLR0913 - each of them is one filter, or part of the consent
    *,
    order: Order = None,
    process: Process = None,
    element: Element = None,
    type_: Type = None,
    message: Message = None,
    retries: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Tries for each job; by default what the diagram grants it.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only show which.")] = False,
    count: Annotated[int | None, typer.Option(min=0, help="With --yes: how many you mean to retry.")] = None,
    port_offset: PortOffset = 0,
) -> None:
    """Retry incidents whose cause is gone, and watch them; exits with 1 unless all are gone."""
    wanted = _wanted(order, process, element, type_, message)
    if yes != (count is not None):
        hint = "--yes and --count go together: `saga incidents retry` shows how many there are. Nothing was changed."
        raise bad_input(hint)
    asyncio.run(_retry(_console(), port_offset, wanted, retries, count))


async def _list(console: Console, addresses: Addresses, wanted: Wanted, *, as_json: bool) -> None:
    async with Instances.at(addresses) as instances:
        incidents = Incidents(instances)
        if as_json:
            await _write(incidents.open(wanted))
            return
        overview = Overview()
        async for incident in incidents.open(wanted):
            overview.add(incident)
        overview.show(console, await incidents.arriving())


async def _write(incidents: AsyncIterator[Incident]) -> None:
    """Write a JSON array as its items come: nobody holds a storm in memory."""
    before = "["
    async for incident in incidents:
        typer.echo(f"{before}\n{incident.model_dump_json(by_alias=True)}", nl=False)
        before = ","
    typer.echo("[]" if before == "[" else "\n]")


async def _explain(console: Console, port_offset: int, tokens: Tokens, what: str) -> None:
    addresses = Addresses.of(port_offset)
    async with Instances.at(addresses) as instances:
        incidents = Incidents(instances)
        found = await _meant(incidents, what)
        for incident in found:
            page = addresses.instance_page(incident.process_instance_key)
            show_incident(console, incident, page, await incidents.task(incident))
        keys = [(incident.process_instance_key, incident.process_id) for incident in found]
        if not found:
            keys = [(instance.key, instance.process_id) for instance in await _show_standing(console, instances, what)]
        named = dict.fromkeys([each for key in keys if (each := await saga_of(instances, discover_sagas(), *key))])
    for saga, saga_id in named:
        await _show_timeline(console, addresses, tokens, saga, saga_id)
    for saga_id in dict.fromkeys(saga_id for _, saga_id in named) if found else ():
        console.print(f"\nTo retry: {_retry_line(Wanted(order=saga_id), port_offset)}", soft_wrap=True)


async def _show_timeline(
    console: Console, addresses: Addresses, tokens: Tokens, saga: SagaDefinition, saga_id: str
) -> None:
    if saga.timeline is None:
        return
    named = f"{saga.noun} {saga_id}"
    try:
        async with Participant.at(addresses, saga.timeline.participant, tokens) as participant:
            show_timeline(console, named, await happened(participant, saga.timeline, saga_id))
    except Failure as failure:
        console.print(f"What the participants did for {named} is not known: {failure}")


async def _meant(incidents: Incidents, what: str) -> list[Incident]:
    """Return the open incident of that key, or else those of the order of that id."""
    if what.isascii() and what.isdecimal() and len(what) <= _DIGITS:
        incident = await incidents.one(int(what))
        if incident is not None:
            return [incident]
    return [incident async for incident in incidents.open(Wanted(order=what))]


async def _show_standing(console: Console, instances: Instances, saga_id: str) -> list[ProcessInstance]:
    """Say where a saga stands that has no open incident; return its instances."""
    sagas = discover_sagas()
    found = await instances_of(instances, sagas, saga_id)
    if not found:
        known = f"the cluster knows no {sagas.nouns} {saga_id}"
        hint = f"No open incident has the key {saga_id}, and {known}. `saga incidents` shows what is open."
        raise bad_input(hint)
    for instance in found:
        if instance.has_ended:
            console.print(f"Instance {instance.key} has ended: {await ending(instances, instance)}.", soft_wrap=True)
            continue
        active = [each.name for each in await instances.elements(instance.key) if each.state == "ACTIVE"]
        where = f"is busy with {', '.join(active)}" if active else "shows nothing active yet"
        console.print(f"Instance {instance.key} {where}, and no incident is open.", soft_wrap=True)
    return found


async def _retry(console: Console, port_offset: int, wanted: Wanted, retries: int | None, count: int | None) -> None:
    addresses = Addresses.of(port_offset)
    async with Instances.at(addresses) as instances:
        incidents = Incidents(instances)
        found = [incident async for incident in incidents.open(wanted)]
        if count is None:
            overview = Overview()
            for incident in found:
                overview.add(incident)
            overview.show(console, await incidents.arriving())
            if not found:
                return
            count = _typed()
        if count is None:
            line = f"{_retry_line(wanted, port_offset, retries)} --yes --count {len(found)}"
            console.print(f"Nothing was changed. To retry these: {line}", soft_wrap=True)
            return
        if count != len(found):
            hint = (
                f"There are {len(found)} such incidents, not {count}. Nothing was changed; look again which they are."
            )
            raise bad_input(hint)
        async with channel(addresses) as opened:
            outcomes = await _watched(console, IncidentRetry(stub(opened), instances, retries), found)
    show_outcomes(console, outcomes)
    if any(outcome.verdict is not Verdict.RESOLVED for outcome in outcomes):
        raise typer.Exit(1)


def _typed() -> int | None:
    """Return the number that a person types to go on; None where there is nobody, or no number."""
    if not sys.stdin.isatty():
        return None
    typed: str = typer.prompt("To retry these, type how many they are", default="", show_default=False)
    return int(typed) if typed.isascii() and typed.isdecimal() else None


async def _watched(console: Console, retrying: IncidentRetry, found: list[Incident]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    with console.status(f"Retrying {len(found)}") as status:
        async for outcome in retrying.all(found):
            outcomes.append(outcome)
            status.update(f"Retrying {len(found)}; of {len(outcomes)} it is known what became of them")
    return outcomes


def _wanted(
    order: str | None, process: str | None, element: str | None, type_: str | None, message: str | None
) -> Wanted:
    if type_ is not None and type_ not in NEXT:
        hint = f"There is no type {type_}; there are {', '.join(NEXT)}."
        raise bad_input(hint)
    return Wanted(order, process, element, type_, message)


def _retry_line(wanted: Wanted, port_offset: int, retries: int | None = None) -> str:
    """Return the command that retries these, as a person can paste it."""
    options = {**asdict(wanted), "retries": retries, "port-offset": port_offset or None}
    said = (f"--{name} {shlex.quote(str(value))}" for name, value in options.items() if value is not None)
    return " ".join(["saga incidents retry", *said])


def _console() -> Console:
    return Console(highlight=False, markup=False)
