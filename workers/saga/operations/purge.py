"""Have the participants forget the sagas that ended longer ago than their retention.

A participant knows how old its rows are, the cluster whether an instance of the saga is active: both have to agree.
"""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pydantic import BaseModel, Field

from saga.clients.addresses import Addresses
from saga.clients.failure import Failure
from saga.clients.instances import Instances
from saga.clients.participant import Participant
from saga.common import project
from saga.common.tokens import Tokens
from saga.kit.definition.registry import SagaRegistry, discover_sagas

_PAGE = 500
"""Sagas that a participant is asked for at once."""
_AT_ONCE = 16
"""Sagas that are looked at and forgotten at the same time: the participants have other work."""


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


async def purge(addresses: Addresses, tokens: Tokens, *, delete: bool) -> list[Line]:
    """Go through the expired sagas of all participants and return what became of each; `delete` has them forgotten.

    What cannot be told is kept, and its line says why.
    """
    async with AsyncExitStack() as stack:
        instances, unknown = None, ""
        try:
            instances = await stack.enter_async_context(Instances.at(addresses))
        except Failure as failure:
            unknown = str(failure)
        lives = Lives(discover_sagas(), instances, unknown)
        lines: list[Line] = []
        for name in project.participants():
            async with Participant.at(addresses, name, tokens) as asked:
                lines += await _Purge(asked, lives, delete=delete).run()
        return lines


class Searches(Protocol):
    """What is asked of the cluster."""

    async def has_active(self, name: str, text: str) -> bool:
        """Tell whether an active instance has a variable with this name and text."""


class Lives:
    """Which sagas are alive, as far as the cluster shows."""

    def __init__(self, sagas: SagaRegistry, instances: Searches | None, unknown: str = "") -> None:
        """Know a saga by the keys of `sagas`, and ask `instances`; where there are none, `unknown` says why."""
        self._keys = sagas.keys
        self._instances = instances
        self._unknown = unknown
        self._known: dict[str, bool] = {}

    async def is_live(self, saga: str) -> bool:
        """Tell whether a process instance of the saga is active, of whatever process it is.

        Raises:
            Failure: it cannot be told.
        """
        if self._instances is None:
            raise Failure(self._unknown)
        if not self._keys:
            message = "No package in workers/ defines a process, so nobody can tell which sagas are alive."
            raise Failure(message)
        if saga not in self._known:
            self._known[saga] = any([await self._instances.has_active(key, saga) for key in self._keys])
        return self._known[saga]


class _Expired(BaseModel):
    sagas: list[str] = Field(alias="sagaIds")


class _Purge:
    """What is done at one participant."""

    def __init__(self, participant: Participant, lives: Lives, *, delete: bool) -> None:
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
