"""The card processor, as payment speaks to it: a third party, which may not answer, or answer too late."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Literal

import httpx
import structlog
from fastapi import FastAPI
from pydantic import BaseModel, ValidationError

from saga.common.http_clients import open_client
from saga.common.problems import problem_of
from saga.common.responses import fetch
from saga.common.tokens import TokenMissingError, Tokens, read_tokens
from services.participant.cards import Card
from services.participant.elsewhere import OUTCOME_UNKNOWN
from services.participant.models import Money
from services.participant.problems import Problem
from services.participant.settings import read_settings
from services.payment.settings import CardProcessorSettings

_CALLER = "card-processor"
TIMEOUT = httpx.Timeout(4.0, connect=1.0)
"""Seconds: a processor that cannot be reached is known at once, one that was reached is given time to answer."""
_LIMITS = httpx.Limits(max_connections=16, max_keepalive_connections=16)

_log = structlog.get_logger(__name__)


class Outcome(BaseModel):
    """What became of a charge; amounts in the currency's minor unit."""

    status: Literal["captured", "declined", "cancelled"]
    captured: int = 0
    refunded: int = 0
    decline: str | None = None
    """The processor's code for why the card was not charged."""


class CardProcessor:
    """Charges cards at the third party; one reference, which is the order's id, is one charge there.

    Each call raises Problem(OUTCOME_UNKNOWN) where the answer does not say what the processor did.
    """

    def __init__(self, http: httpx.AsyncClient, tokens: Tokens) -> None:
        """Speak through `http`, whose base URL is the processor's."""
        self._http = http
        self._tokens = tokens

    async def charge(self, reference: str, amount: Money, card: Card) -> Outcome:
        """Take the amount, or learn why not; however often it is asked for, it is taken once."""
        body = {
            "reference": reference,
            "amount": amount.amount,
            "currency": amount.currency,
            "card": card.get_secret_value(),
        }
        key = {"Idempotency-Key": f'"{reference}/charge"'}
        response = await self._send("POST", "/charges", content=json.dumps(body), headers=key)
        match response.status_code, _code(response):
            case HTTPStatus.OK, _:
                return _read(response)
            case HTTPStatus.PAYMENT_REQUIRED, code:
                return Outcome(status="declined", decline=code)
            case HTTPStatus.CONFLICT, "CHARGE_CANCELLED":
                return Outcome(status="cancelled")
        raise _unknown(response)

    async def ask(self, reference: str) -> Outcome | None:
        """Return what became of a charge, None where the processor never heard of it."""
        response = await self._send("GET", f"/charges/{reference}")
        if response.status_code == HTTPStatus.NOT_FOUND and _code(response) == "CHARGE_UNKNOWN":
            return None
        return _read(response)

    async def cancel(self, reference: str) -> Outcome:
        """Have given back what was taken, and refused what is asked for later."""
        return _read(await self._send("POST", f"/charges/{reference}/cancel"))

    async def _send(
        self, method: str, path: str, *, content: str | None = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        try:
            own = self._tokens.authorization(_CALLER)
            sent = {**(headers or {}), **own, "Content-Type": "application/json"}
            return await fetch(self._http, method, path, content=content, headers=sent)
        except TokenMissingError as error:
            _log.warning("no token for the card processor", why=str(error))
            raise _unavailable() from error
        except httpx.RequestError as error:
            _log.warning("the card processor did not answer", method=method, error=type(error).__name__)
            raise _unavailable() from error


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    """Hold `app.state.processor` for as long as the service runs; the processor itself need not be there."""
    url = str(read_settings(CardProcessorSettings).card_processor_url)
    async with open_client(url, timeout=TIMEOUT, limits=_LIMITS) as http:
        app.state.processor = CardProcessor(http, read_tokens())
        yield


def _read(response: httpx.Response) -> Outcome:
    if response.status_code != HTTPStatus.OK:
        raise _unknown(response)
    try:
        return Outcome.model_validate_json(response.content)
    except ValidationError:
        raise _unknown(response) from None


def _code(response: httpx.Response) -> str | None:
    problem = problem_of(response)
    return problem.code if problem else None


def _unknown(response: httpx.Response) -> Problem:
    # A refused token and a protocol that changed come out here too: the log says so, and nobody guesses about money.
    _log.error("the card processor answered what tells nothing", status=response.status_code, code=_code(response))
    return _unavailable()


def _unavailable() -> Problem:
    return Problem(OUTCOME_UNKNOWN, "The card processor did not say what it did. Send the same command again.")
