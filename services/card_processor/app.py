"""The HTTP face of the fake card processor, in the manner of real ones: charge, ask, cancel."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Header, Request

from services.card_processor import commands
from services.card_processor.cards import FAULTS, Fault
from services.card_processor.commands import (
    CHARGE_CANCELLED,
    CHARGE_UNKNOWN,
    DECLINED,
    KEY_REUSED,
    REFERENCE_USED,
    UNWELL,
    Charge,
    NewCharge,
    Reference,
)
from services.card_processor.settings import ProcessorSettings
from services.participant.auth import called_by
from services.participant.database import database_of
from services.participant.problems import KEY_MISSING, Problem, query_problems
from services.participant.settings import read_settings

CALLER = "card-processor"
_SILENCE = 60.0
"""Seconds after which even this processor gives up: longer than any caller waits."""


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.latency = read_settings(ProcessorSettings).processor_latency
    yield


async def _served(request: Request) -> None:
    """Take as long as this processor takes."""
    await asyncio.sleep(request.app.state.latency)


router = APIRouter(tags=["card processor"], lifespan=_lifespan, dependencies=[called_by(CALLER), Depends(_served)])
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=255)]


@router.post(
    "/charges",
    responses=query_problems(*DECLINED.values(), KEY_MISSING, CHARGE_CANCELLED, REFERENCE_USED, KEY_REUSED, UNWELL),
)
async def charge(new: NewCharge, key: Key, request: Request) -> Charge:
    """Take an amount from a card, once for each key."""
    database = database_of(request)
    async with database.transaction() as connection:
        position, is_first = await commands.count_call(connection, new.reference)
    fault = FAULTS.get(new.card.get_secret_value()) if is_first else None
    if fault in {Fault.UNHEARD, Fault.LATE}:
        await _until_nobody_waits(request)
    if fault is Fault.UNHEARD:
        raise Problem(UNWELL, "Nothing was taken.")  # Nobody is there to hear it.
    async with database.transaction() as connection:
        outcome = (
            Problem(UNWELL, "Ask again.") if fault is Fault.FAILED else await commands.charge(connection, key, new)
        )
        status = outcome.kind.status if isinstance(outcome, Problem) else HTTPStatus.OK
        await commands.answer_call(connection, position, status)
    if fault is Fault.UNANSWERED:
        await _until_nobody_waits(request)
    if isinstance(outcome, Problem):
        raise outcome
    return outcome


@router.get("/charges/{reference}", responses=query_problems(CHARGE_UNKNOWN))
async def ask(reference: Reference, request: Request) -> Charge:
    """Show what became of a reference."""
    async with database_of(request).transaction() as connection:
        row = await commands.read(connection, reference)
        status = HTTPStatus.NOT_FOUND if row is None else HTTPStatus.OK
        await commands.record_call(connection, reference, "ask", status)
    if row is None:
        raise Problem(CHARGE_UNKNOWN, "Nothing was asked for under this reference.")
    return commands.as_answer(row)


@router.post("/charges/{reference}/cancel", responses=query_problems())
async def cancel(reference: Reference, request: Request) -> Charge:
    """Give back what was taken of a reference, or refuse its charge should it come later; any number of times."""
    async with database_of(request).transaction() as connection:
        cancelled = await commands.cancel(connection, reference)
        await commands.record_call(connection, reference, "cancel", HTTPStatus.OK)
    return cancelled


async def _until_nobody_waits(request: Request) -> None:
    """Say nothing until the caller has gone."""
    loop = asyncio.get_running_loop()
    end = loop.time() + _SILENCE
    while loop.time() < end and not await request.is_disconnected():  # noqa: ASYNC110 - only asking tells
        await asyncio.sleep(0.05)
