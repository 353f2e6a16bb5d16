"""How the tests speak to the fake card processor, and what its own tables hold."""

from dataclasses import dataclass

import httpx

from services.card_processor.cards import FAULTS, Fault
from tests.services.participant import CHARGE, PAYS, token
from tests.services.postgres import Admin

PROCESSOR_TOKEN = token("card-processor")
AUTHORIZATION = {"Authorization": f"Bearer {PROCESSOR_TOKEN}"}
FAULTY = {fault: card for card, fault in FAULTS.items()}
SILENT = (Fault.UNANSWERED, Fault.UNHEARD, Fault.LATE)
"""The faults after which the caller gives up by itself."""

TAKEN, NOTHING, GIVEN_BACK = (12470, 0), (0, 0), (12470, 12470)
"""What is captured and refunded."""


def by(card: str) -> dict[str, object]:
    """Return the charge of that card."""
    return {**CHARGE, "card": card}


def reached_at(url: str) -> dict[str, str]:
    """Return what payment finds the processor at `url` by, and is let in with."""
    return {"CARD_PROCESSOR_URL": url, "TOKEN_CARD_PROCESSOR": PROCESSOR_TOKEN}


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


class Books:
    """The books of both sides for one order."""

    def __init__(self, admin: Admin, processor: CardProcessor) -> None:
        self._admin = admin
        self._processor = processor

    async def show(self, order_id: str) -> tuple[str | None, tuple[int, int]]:
        """Return payment's status of the order and its money; fails where the processor's differs."""
        status, money = await self.payment(order_id)
        if status != "pending":
            assert await self._processor.money(order_id) == ([money] if money != NOTHING else [])
        return status, money

    async def payment(self, order_id: str) -> tuple[str | None, tuple[int, int]]:
        """Return payment's status of the order and its money, whatever the processor says."""
        query = "SELECT status, captured, refunded FROM payment.payments WHERE order_id = $1"
        row = await self._admin.fetchrow(query, order_id)
        return (row["status"], (row["captured"], row["refunded"])) if row else (None, NOTHING)

    async def barrier(self, order_id: str) -> list[tuple[str, bool, int | None]]:
        query = "SELECT op, fenced, status FROM payment.barrier WHERE saga_id = $1 ORDER BY op"
        return [(row["op"], row["fenced"], row["status"]) for row in await self._admin.fetch(query, order_id)]

    async def events(self, order_id: str) -> list[str]:
        query = "SELECT event ->> 'type' AS type FROM payment.outbox WHERE event ->> 'subject' = $1 ORDER BY position"
        return [row["type"].rpartition(".")[2] for row in await self._admin.fetch(query, order_id)]
