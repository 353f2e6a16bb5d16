"""The books of payment, whose effect is at the card processor: what that did is read in its own tables."""

from collections import Counter
from dataclasses import dataclass, field

import asyncpg
from pydantic import BaseModel

from services.participant.cards import last_four
from services.participant.models import Money
from services.payment.commands import Charge, Payment, Refund
from tests.services.model.books import Books, require
from tests.services.model.commands import PAYMENT, Answer, Branch, Command
from tests.services.model.participants import fresh
from tests.services.participant import DECLINES, PAYS
from tests.services.postgres import Admin

_TOTAL = 12470
_NOTHING = {"status": "unknown", "captured": 0, "refunded": 0}
_REUSED = "IDEMPOTENCY_KEY_REUSED"


@dataclass(slots=True)
class Payments(Books):
    """The money of two orders; one card is declined.

    A charge is intended with the commit of the do's first transaction, which is when the undo has something to fence;
    with that of the undo's, it is fenced.
    """

    schema: str = "payment"
    branches: tuple[Branch, ...] = (PAYMENT,)
    sagas: tuple[str, ...] = field(default_factory=lambda: fresh("order", 2))
    keeps: frozenset[str] = frozenset({"PAYMENT_DECLINED"})
    intended: dict[str, Charge] = field(default_factory=dict)
    cancelling: set[str] = field(default_factory=set)
    charges: dict[str, asyncpg.Record] = field(default_factory=dict)
    """What the processor says of each order."""

    async def open(self, connection: Admin) -> None:
        """Nothing is needed before."""

    def payloads(self, _branch: Branch) -> list[BaseModel]:
        wanted = ((_TOTAL, PAYS), (1, PAYS), (_TOTAL, DECLINES))
        return [Charge.model_validate({"amount": {"amount": amount}, "card": card}) for amount, card in wanted]

    def intend(self, command: Command) -> None:
        key = command.saga, PAYMENT.name
        if command.is_undo:
            done = self.done.get(key)
            open_or_paid = command.saga in self.intended and (done is None or done.answer.status == 200)
            require(open_or_paid, "cancels what was never asked for, or declined:", command.saga)
            self.cancelling.add(command.saga)
            if done is None:
                self.fenced.add(key)
        else:
            assert isinstance(command.payload, Charge)
            require(command.saga in self.intended or key not in self.fenced, "a do after its undo goes on:", command)
            first = self.intended.setdefault(command.saga, command.payload)
            require(first == command.payload, "another payload under one key goes on:", command)

    def judge(self, command: Command, answer: Answer, seen: set[str]) -> None:
        # It may have met the pending do in the moment before that was fenced.
        if not (answer.code == _REUSED and _REUSED in seen):
            Books.judge(self, command, answer, seen)

    def refusals(self, command: Command) -> set[str]:
        """Return what the processor has done, which is the answer, however it was learned; nothing while it has not."""
        if self.intended.get(command.saga, command.payload) != command.payload:
            return {_REUSED}
        status = self.charges.get(command.saga, _NOTHING)["status"]
        return {"captured": {""}, "declined": {"PAYMENT_DECLINED"}}.get(status, set())

    def take_effect(self, command: Command) -> BaseModel:
        if command.is_undo:
            return self.nothing_to_undo(command)
        assert isinstance(command.payload, Charge)
        amount = Money(amount=self.charges[command.saga]["captured"])
        return Payment(payment_id=command.saga, amount=amount, card_last_four=last_four(command.payload.card))

    def nothing_to_undo(self, command: Command) -> BaseModel:
        charge = self.charges.get(command.saga, _NOTHING)
        if command.saga in self.cancelling:
            require(charge["status"] in {"cancelled", "declined"}, "undone, and not cancelled:", command.saga)
        return Refund(payment_id=command.saga, refunded=Money(amount=charge["refunded"]))

    async def look(self, connection: Admin) -> None:
        """Look at both sides' tables as they are in the middle of everything.

        Raises:
            Violation: payment says more than was done, or the processor was asked for what it must not be.
        """
        query = "SELECT * FROM card_processor.charges WHERE reference = ANY($1)"
        self.charges = {row["reference"]: row for row in await connection.fetch(query, self.sagas)}
        for saga, charge in self.charges.items():
            require(saga in self.intended, "charged before the intent was committed:", saga)
            require(charge["status"] != "cancelled" or saga in self.cancelling, "cancelled without an undo:", saga)
            require(charge["captured"] in {0, self.intended[saga].amount.amount}, "another amount:", charge)
            require(charge["refunded"] <= charge["captured"], "more given back than taken:", charge)
        query = "SELECT * FROM payment.payments WHERE order_id = ANY($1)"
        for ours in await connection.fetch(query, self.sagas):
            theirs = self.charges.get(ours["order_id"], _NOTHING)
            within = ours["captured"] <= theirs["captured"] and ours["refunded"] <= theirs["refunded"]
            require(
                within and ours["refunded"] <= ours["captured"],
                "payment says more than the processor did:",
                ours,
                theirs,
            )
        await self._require_that_repeats_ask(connection)

    async def _require_that_repeats_ask(self, connection: Admin) -> None:
        """Only who has written down the intent may call without having heard that the processor knows of nothing."""
        query = "SELECT reference, call, status FROM card_processor.calls WHERE reference = ANY($1) ORDER BY position"
        may_call = Counter(dict.fromkeys(self.sagas, 1))
        for reference, call, status in await connection.fetch(query, self.sagas):
            may_call[reference] += {"ask": int(status == 404), "charge": -1}.get(call, 0)
            require(may_call[reference] >= 0, "called without asking first:", reference)

    async def audit(self, connection: Admin) -> None:
        await self.look(connection)
        query = "SELECT order_id, status, captured, refunded FROM payment.payments WHERE order_id = ANY($1)"
        ours = {row["order_id"]: tuple(row.values())[1:] for row in await connection.fetch(query, self.sagas)}
        theirs = {saga: (row["status"], row["captured"], row["refunded"]) for saga, row in self.charges.items()}
        require(ours == theirs, "payment and the processor do not agree:", ours, theirs)
        require(ours.keys() == self.intended.keys(), "not what was intended:", ours, self.intended)
        for saga, (_, captured, refunded) in ours.items():
            require(captured - refunded == self._owed(saga), "the money is wrong:", ours, self._owed(saga))

    def _owed(self, saga: str) -> int:
        """Return what must be kept of the customer's money in the end."""
        key = saga, PAYMENT.name
        paid = key in self.done and self.done[key].answer.status == 200 and key not in self.undone
        return self.intended[saga].amount.amount if paid else 0
