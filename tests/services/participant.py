"""How the tests speak to a service: as a worker does."""

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeAlias

import httpx
from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import Match

from saga.common.tokens import Tokens
from services.participant.auth import OPEN, caller_of, callers_of

ITEMS = [{"sku": "KEYBOARD", "quantity": 2}, {"sku": "MOUSE", "quantity": 1}]
ADDRESS = {
    "name": "Ada Lovelace",
    "street": "12 Analytical Row",
    "city": "Berlin",
    "postalCode": "10115",
    "country": "DE",
}
PAYS = "4242424242424242"
DECLINES = "4000000000000002"
POOR = "4000000000009995"
TOTAL = {"amount": 12470, "currency": "EUR"}
ORDER: dict[str, object] = {"claimant": "2251799813685249", "customerId": "c-1", "items": ITEMS}
HOLD: dict[str, object] = {"items": ITEMS}
CHARGE: dict[str, object] = {"amount": TOTAL, "card": PAYS}
PARCEL: dict[str, object] = {"items": ITEMS, "shipTo": ADDRESS}


@dataclass(frozen=True)
class Participant:
    http: httpx.AsyncClient
    """Sends the token of each route's own caller, unless a test says another."""
    router: APIRouter

    async def do(self, path: str, body: object) -> httpx.Response:
        return await self.http.put(path, json=body, headers=self.key("PUT", path))

    async def undo(self, path: str) -> httpx.Response:
        return await self.http.delete(path, headers=self.key("DELETE", path))

    def key(self, method: str, path: str) -> dict[str, str]:
        """Return the key that the route's own caller sends."""
        return key(path, caller(self.router, method, path) or "nobody")


Participants: TypeAlias = dict[str, Participant]
"""The running services by name."""


def key(path: str, task_type: str) -> dict[str, str]:
    order_id = path.split("/")[2]
    return {"Idempotency-Key": f'"{order_id}/{task_type}"'}


def token(caller: str) -> str:
    return f"the-token-of-{caller}"


def tokens_of(router: APIRouter) -> dict[str, str]:
    """Return the environment that holds the tokens of a service's callers."""
    return {f"TOKEN_{name.replace('-', '_').upper()}": token(name) for name in callers_of(router)}


def known_to(router: APIRouter) -> Tokens:
    return Tokens(tokens_of(router))


def caller(router: APIRouter, method: str, path: str) -> str | None:
    """Return who may send this request; nobody where no route takes it."""
    scope = {"type": "http", "method": method, "path": path}
    found = [each for each in router.routes if isinstance(each, APIRoute) and each.matches(scope)[0] is Match.FULL]
    return caller_of(found[0]) if found else None


class OwnToken(httpx.Auth):
    """The token of the caller that a request's route is for; of any caller where there is no such route."""

    def __init__(self, router: APIRouter) -> None:
        self._router = router

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if "Authorization" not in request.headers and request.url.path not in OPEN:
            own = caller(self._router, request.method, request.url.path) or callers_of(self._router)[0]
            request.headers.update(bearer(own))
        yield request


def bearer(caller: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(caller)}"}


def code(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a problem document."""
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:saga:problem:{problem['code'].lower().replace('_', '-')}"
    assert problem["title"]
    return response.status_code, problem["code"]
