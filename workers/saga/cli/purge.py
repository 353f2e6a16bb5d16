"""`saga purge`: have the participants forget the sagas that ended longer ago than their retention."""

import asyncio
import json
from collections import Counter
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.common.tokens import read_tokens
from saga.operations.purge import Line, Verdict, purge
from saga.stack.tokens import find_tokens

_SHOWN = 20
"""Reasons that are printed; `--json` has all of them."""

app = typer.Typer()


@app.command("purge")
def purge_command(
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do it; without this, only show what would be done.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    port_offset: PortOffset = 0,
) -> None:
    """Let the participants forget sagas that ended longer ago than BARRIER_RETENTION_DAYS; their business rows stay.

    A saga is kept while the cluster shows an active instance of it. What cannot be told is kept too, and exits with 1.
    """
    find_tokens(port_offset)
    lines = asyncio.run(purge(Addresses.of(port_offset), read_tokens(), delete=yes))
    console = Console(highlight=False, markup=False)
    if as_json:
        console.print(json.dumps([asdict(line) for line in lines]), soft_wrap=True)
    else:
        _show(console, lines, done=yes)
    if any(line.verdict is Verdict.KEPT for line in lines):
        raise typer.Exit(1)


def _show(console: Console, lines: list[Line], *, done: bool) -> None:
    verdicts = (Verdict.FORGOTTEN if done else Verdict.FORGETTABLE, Verdict.LIVE, Verdict.KEPT)
    counts = Counter((line.participant, line.verdict) for line in lines if line.saga is not None)
    table = Table("participant", *verdicts)
    for participant in dict.fromkeys(line.participant for line in lines):
        table.add_row(participant, *(str(counts[participant, verdict]) for verdict in verdicts))
    if lines:
        console.print(table)
    else:
        console.print("No participant has a saga that is older than its retention.")
    reasons = [f"{line.participant} {line.saga or ''}".rstrip() + f": {line.why}" for line in lines if line.why]
    for reason in reasons[:_SHOWN]:
        console.print(reason, soft_wrap=True)
    if len(reasons) > _SHOWN:
        console.print(f"And {len(reasons) - _SHOWN} more; --json shows all of them.")
    if counts and not done:
        console.print("Nothing was changed; --yes does it.")
