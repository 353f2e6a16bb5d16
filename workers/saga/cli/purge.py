"""`saga purge`: have the participants forget the sagas that ended longer ago than their retention."""

import asyncio
import json
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Annotated

import typer
from pydantic import BaseModel, Field
from rich.console import Console
from rich.table import Table

from saga.cli.options import PortOffset
from saga.clients.addresses import Addresses
from saga.clients.failure import Failure
from saga.clients.instances import Instances
from saga.clients.participant import Participant
from saga.common import project
from saga.common.tokens import Tokens, read_tokens
from saga.kit.definition.registry import discover_sagas
from saga.stack.tokens import find_tokens

_PAGE = 500
"""Sagas that a participant is asked for at once."""
_AT_ONCE = 16
"""Sagas that are looked at and forgotten at the same time: the participants have other work."""
_SHOWN = 20
"""Reasons that are printed; `--json` has all of them."""

app = typer.Typer()


class Verdict(StrEnum):
    """What became of one saga at one participant."""

    FORGETTABLE = "forgettable"
    FORGOTTEN = "forgotten"
    LIVE = "live"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Line:
    """One saga at one participant; no saga where the participant did not even say which it has."""

    participant: str
    saga: str | None
    verdict: Verdict
    why: str | None = None


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
    lines = asyncio.run(_purge(Addresses.of(port_offset), read_tokens(), delete=yes))
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


async def _purge(addresses: Addresses, tokens: Tokens, *, delete: bool) -> list[Line]:
    async with AsyncExitStack() as stack:
        lives = _Lives()
        try:
            lives.instances = await stack.enter_async_context(Instances.at(addresses))
        except Failure as failure:
            lives.unknown = str(failure)
        lines: list[Line] = []
        for name in project.participants():
            async with Participant.at(addresses, name, tokens) as asked:
                lines += await _Purge(asked, lives, delete=delete).run()
        return lines


class _Lives:
    """Which sagas are alive, as far as the cluster shows."""

    def __init__(self) -> None:
        self.instances: Instances | None = None
        self.unknown = ""
        """Why nobody can be asked."""
        self._known: dict[str, bool] = {}

    async def is_live(self, saga: str) -> bool:
        """Tell whether a process instance of the saga is active, of whatever process it is.

        Raises:
            Failure: it cannot be told.
        """
        if self.instances is None:
            raise Failure(self.unknown)
        if saga not in self._known:
            keys = discover_sagas().keys
            self._known[saga] = any([await self.instances.has_active(key, saga) for key in keys])
        return self._known[saga]


class _Expired(BaseModel):
    sagas: list[str] = Field(alias="sagaIds")


class _Purge:
    """What is done at one participant."""

    def __init__(self, participant: Participant, lives: _Lives, *, delete: bool) -> None:
        self._participant = participant
        self._lives = lives
        self._delete = delete

    async def run(self) -> list[Line]:
        """Ask for the expired sagas, page by page, and have those forgotten that have ended."""
        room = asyncio.Semaphore(_AT_ONCE)

        async def one(saga: str) -> Line:
            async with room:
                return await self._one(saga)

        lines: list[Line] = []
        page: list[str] | None = None
        while page is None or len(page) == _PAGE:
            try:
                page = await self._expired({"after": page[-1]} if page else {})
            except Failure as failure:
                return [*lines, self._line(None, Verdict.KEPT, str(failure))]
            lines += await asyncio.gather(*(one(saga) for saga in page))
        return lines

    async def _one(self, saga: str) -> Line:
        try:
            if await self._lives.is_live(saga):
                return self._line(saga, Verdict.LIVE)
            if not self._delete:
                return self._line(saga, Verdict.FORGETTABLE)
            await self._participant.ask("purge-sagas", "DELETE", f"/sagas/{saga}/barrier")
        except Failure as failure:
            return self._line(saga, Verdict.KEPT, str(failure))
        return self._line(saga, Verdict.FORGOTTEN)

    async def _expired(self, place: dict[str, str]) -> list[str]:
        return (await self._participant.read("read", "/sagas/expired", _Expired, limit=_PAGE, **place)).sagas

    def _line(self, saga: str | None, verdict: Verdict, why: str | None = None) -> Line:
        return Line(self._participant.name, saga, verdict, why)
