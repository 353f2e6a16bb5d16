"""How the tests speak to a service: as a worker does."""

from dataclasses import dataclass
from typing import TypeAlias

import httpx

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

    async def do(self, path: str, body: object, task_type: str = "do-it") -> httpx.Response:
        return await self.http.put(path, json=body, headers=key(path, task_type))

    async def undo(self, path: str, task_type: str = "undo-it") -> httpx.Response:
        return await self.http.delete(path, headers=key(path, task_type))


Participants: TypeAlias = dict[str, Participant]
"""The running services by name."""


def key(path: str, task_type: str) -> dict[str, str]:
    order_id = path.split("/")[2]
    return {"Idempotency-Key": f'"{order_id}/{task_type}"'}


def code(response: httpx.Response) -> tuple[int, str]:
    """Return the status and the code of a problem document."""
    assert response.headers["Content-Type"] == "application/problem+json"
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:saga:problem:{problem['code'].lower().replace('_', '-')}"
    assert problem["title"]
    return response.status_code, problem["code"]
