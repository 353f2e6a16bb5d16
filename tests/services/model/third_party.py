"""The card processor, as the machine has it: the real fake one, and a way to it on which calls and answers get lost.

It runs in this process, with its own role and tables, behind its own HTTP face and payment's own client for it. A
call is a step of its lane, as a statement is, and the machine says how it goes.
"""

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any

import httpx

from services.participant.app import create_app
from services.participant.auth import Callers, callers_of
from services.participant.database import Database
from services.participant.server import router_of
from services.participant.settings import LimitSettings
from services.payment.processor import CardProcessor
from tests.services.model.lanes import UNHURRIED, Killed, Lane
from tests.services.participant import known_to

_NAME = "card_processor"


class Mishap(StrEnum):
    """How a call goes wrong: payment never gets an answer that says what was done."""

    UNHEARD = "it never arrives"
    FAILED = "the processor answers 500, and has done nothing"
    UNANSWERED = "the processor does it, and the answer is lost"
    LATE = "it arrives after payment has given up"


class ThirdParty:
    """The processor, and the calls that are still on their way to it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport
        self.under_way: list[httpx.Request] = []

    async def hear(self, call: httpx.Request) -> httpx.Response:
        """Do what is asked for, and answer."""
        return await self._transport.handle_async_request(call)


@asynccontextmanager
async def third_party(role_url: str) -> AsyncIterator[ThirdParty]:
    """Run the fake card processor in this process."""
    router = router_of(_NAME)
    database = Database(role_url, _NAME, UNHURRIED)
    callers = Callers(callers_of(router), known_to(router))
    app = create_app(_NAME, router, database, callers, LimitSettings(rate_limit=1_000_000))
    async with router.lifespan_context(app):
        yield ThirdParty(httpx.ASGITransport(app))
    await database.close()


class CallingLane(Lane):
    """One process of payment, at most one command in it."""

    def __init__(self, url: str, schema: str, other: ThirdParty) -> None:
        super().__init__(url, schema)
        self.other = other
        self.calling = False
        self.mishap: Mishap | None = None
        """What goes wrong with the call that waits, and after it what went wrong with the command."""
        http = httpx.AsyncClient(base_url="http://processor", transport=_Way(self))
        self.processor = CardProcessor(http, known_to(router_of(_NAME)))

    def start(self, command: Coroutine[Any, Any, None]) -> None:
        """Begin the command; it waits before its first statement."""
        self.calling = False
        self.mishap = None
        super().start(command)

    async def call(self) -> None:
        """Wait at the gate with a call.

        Raises:
            Killed: the process is, before it has called.
        """
        self.calling = True
        killed = await self._stop()
        self.calling = False
        if killed:
            raise Killed


class _Way(httpx.AsyncBaseTransport):
    def __init__(self, lane: CallingLane) -> None:
        self._lane = lane

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await self._lane.call()
        match self._lane.mishap:
            case None:
                return await self._lane.other.hear(request)
            case Mishap.FAILED:
                return httpx.Response(httpx.codes.INTERNAL_SERVER_ERROR)
            case Mishap.UNANSWERED:
                await self._lane.other.hear(request)
            case Mishap.LATE:
                self._lane.other.under_way.append(request)
            case Mishap.UNHEARD:
                pass
        message = "no answer"
        raise httpx.ReadTimeout(message)
