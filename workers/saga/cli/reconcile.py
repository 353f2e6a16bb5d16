"""`saga reconcile`: find what instances have left behind at the participants, and settle it."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from saga.cli import foreground
from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.clients.environment import read
from saga.clients.failure import Failure, bad_input
from saga.clients.ports import Ports
from saga.common.logs import configure_logging
from saga.common.signals import stop_on_signals
from saga.kit.definition.registry import discover_sagas
from saga.operations.reconcile import process
from saga.operations.reconcile.parts import parts_for_a_command
from saga.operations.reconcile.sweep import Finding
from saga.operations.reconcile.verdict import Verdict
from saga.operations.reconcile.watch import ReconcilerSettings
from saga.stack.tokens import find_tokens

_SHOWN = 50
"""Effects that are printed; `--json` has all of them."""

app = typer.Typer()


@app.command("reconcile")
def reconcile_command(  # noqa: PLR0913 - an option each
    *,
    order: Annotated[str | None, typer.Option("--order", help="Only what was done for this order.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Settle it; without this, only show what would be done.")] = False,
    older_than: Annotated[
        float,
        typer.Option(min=0.0, help="Only what is older than so many seconds: the rest is likely on its way."),
    ] = 30.0,
    engine_lost_at: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"],
            help="The broker lost its data then (UTC): what was done for its lost instances before is undone.",
        ),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on settling until SIGTERM or Ctrl-C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Compare what participants did with what became of it in the engine, and settle it: keep, undo, or ask a person.

    Exits with 1 where something could not be settled, or could not even be looked at.
    """
    find_tokens(port_offset)
    addresses = Addresses.of(port_offset)
    if watch:
        if order or yes or as_json or engine_lost_at:
            message = "--watch settles all there is, and goes with --port-offset only."
            raise bad_input(message)
        configure_logging("reconciler")
        settings = read(ReconcilerSettings)
        if "port" not in settings.model_fields_set:
            settings = settings.model_copy(update={"port": Ports.of(port_offset).reconciler})
        foreground.run(_watch(addresses, settings))
    lost_at = engine_lost_at and (engine_lost_at if engine_lost_at.tzinfo else engine_lost_at.replace(tzinfo=UTC))
    report = asyncio.run(_once(addresses, order, older_than, lost_at, settle=yes))
    if as_json:
        typer.echo(report.as_json())
    else:
        _show(report, done=yes)
    if report.failed:
        raise typer.Exit(1)


@dataclass(slots=True)
class _Report:
    counts: Counter[Verdict] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    """All but those that are waited for, and what is kept."""
    troubles: list[str] = field(default_factory=list)
    waiting: int = 0
    """Effects that a person was asked about, now or before, and has not answered."""
    tasklist: str | None = None
    """Where the person answers, where a Tasklist is known."""

    @property
    def failed(self) -> bool:
        """Whether something is not as it was to be."""
        return bool(self.troubles) or any(finding.why_not for finding in self.findings)

    def add(self, findings: Sequence[Finding]) -> None:
        """Take findings in."""
        self.counts.update(finding.verdict for finding in findings)
        quiet = {Verdict.WAIT, Verdict.KEEP}
        self.findings += [each for each in findings if each.verdict not in quiet or each.why_not]

    def as_json(self) -> str:
        """Return it for programs."""
        return json.dumps(
            {
                "counts": {verdict: self.counts[verdict] for verdict in Verdict},
                "findings": [_line(finding) for finding in self.findings],
                "waiting": {"effects": self.waiting, "tasklist": self.tasklist},
                "troubles": self.troubles,
            }
        )


def _line(finding: Finding) -> dict[str, Any]:
    return {
        **finding.effect.model_dump(mode="json", by_alias=True),
        "instance": finding.instance,
        "verdict": finding.verdict,
        "done": finding.done,
        "whyNot": finding.why_not,
    }


async def _once(
    addresses: Addresses, order: str | None, older_than: float, lost_at: datetime | None, *, settle: bool
) -> _Report:
    report = _Report(tasklist=addresses.tasklist)
    async with parts_for_a_command(addresses, lost_at) as reconciler:
        sweeper = reconciler.sweeper
        try:
            async for found in sweeper.find(report.troubles, older_than=older_than, saga_id=order):
                report.add(await sweeper.settle(found) if settle else found)
        except Failure as failure:  # What was done before is told all the same.
            report.troubles.append(str(failure))
        for ledger in reconciler.ledgers.values():
            try:
                async for page in ledger.asked(order):
                    report.waiting += len(page)
                    if settle and lost_at is not None:
                        report.troubles += await sweeper.ask_again(page)
            except Failure as failure:
                if str(failure) not in report.troubles:
                    report.troubles.append(str(failure))
    return report


def _show(report: _Report, *, done: bool) -> None:
    from rich.console import Console  # noqa: PLC0415 - with --watch nothing is shown
    from rich.table import Table  # noqa: PLC0415 - the same

    console = Console(highlight=False, markup=False)
    undo, ask = ("undone", "asked about") if done else ("to undo", "to ask about")
    counts = Table("still running", "kept", undo, ask, "waiting for a person")
    verdicts = (report.counts[each] for each in (Verdict.WAIT, Verdict.KEEP, Verdict.UNDO, Verdict.ASK))
    counts.add_row(*map(str, verdicts), str(report.waiting))
    console.print(counts)
    if report.waiting:
        where = f"in {report.tasklist}" if report.tasklist else "by `saga tasks`"
        console.print(f"What waits for a person is settled {where}.", soft_wrap=True)
    if report.findings:
        table = Table(
            discover_sagas().nouns, "participant", "effect", "done by", "instance", "what is done" if done else "to do"
        )
        for finding in report.findings[:_SHOWN]:
            effect = finding.effect
            instance = f"{effect.keys[0] if effect.keys else ''} {finding.instance}".strip()
            outcome = f"not now: {finding.why_not}" if finding.why_not else finding.verdict.value
            table.add_row(effect.saga_id, effect.participant, effect.branch, effect.caller, instance, outcome)
        console.print(table)
    if len(report.findings) > _SHOWN:
        console.print(f"And {len(report.findings) - _SHOWN} more; --json shows all of them.")
    for trouble in report.troubles:
        console.print(trouble, soft_wrap=True)
    if not done and any(report.counts[each] for each in Verdict if each is not Verdict.WAIT):
        console.print("Nothing was changed; --yes does it.")


async def _watch(addresses: Addresses, settings: ReconcilerSettings) -> None:
    with stop_on_signals() as stop:
        await process.run(addresses, settings, stop)
