"""How the tests speak to the fake card processor, and what its own tables hold."""

from dataclasses import dataclass

import httpx

from services.card_processor.cards import FAULTS, Fault
from tests.services.participant import PAYS
from tests.services.postgres import Admin

PROCESSOR_TOKEN = "a token for the card processor"  # noqa: S105 - of a server that lives as long as its test
AUTHORIZATION = {"Authorization": f"Bearer {PROCESSOR_TOKEN}"}
FAULTY = {fault: card for card, fault in FAULTS.items()}
SILENT = (Fault.UNANSWERED, Fault.UNHEARD, Fault.LATE)
"""The faults after which the caller gives up by itself."""


@dataclass(frozen=True)
class CardProcessor:
    http: httpx.AsyncClient
    admin: Admin

    async def charge(
        self, reference: str, *, card: str = PAYS, amount: int = 12470, key: str = "", patience: float = 20
    ) -> httpx.Response:
        body = {"reference": reference, "amount": amount, "currency": "EUR", "card": card}
        headers = {**AUTHORIZATION, "Idempotency-Key": key or f'"{reference}/charge"'}
        return await self.http.post("/charges", json=body, headers=headers, timeout=patience)

    async def ask(self, reference: str) -> httpx.Response:
        return await self.http.get(f"/charges/{reference}", headers=AUTHORIZATION)

    async def cancel(self, reference: str) -> httpx.Response:
        return await self.http.post(f"/charges/{reference}/cancel", headers=AUTHORIZATION)

    async def money(self, reference: str) -> list[tuple[int, int]]:
        """Return what is captured and refunded: nothing where no charge was heard of, or declined, or cancelled."""
        query = "SELECT captured, refunded FROM card_processor.charges WHERE reference = $1 AND captured > 0"
        return [(row["captured"], row["refunded"]) for row in await self.admin.fetch(query, reference)]

    async def calls(self, reference: str) -> list[tuple[str, int | None]]:
        """Return each call of a reference, in order, with how it was answered."""
        query = "SELECT call, status FROM card_processor.calls WHERE reference = $1 ORDER BY position"
        return [(row["call"], row["status"]) for row in await self.admin.fetch(query, reference)]
