"""What the machine sends: the commands of the real routes, behind the real barrier."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import Response
from pydantic import BaseModel

from services.inventory import app as inventory
from services.orders import app as orders
from services.participant.barrier import Barrier
from services.participant.database import Database
from services.participant.problems import Problem
from services.payment import app as payment
from services.payment.commands import CardPayment, Charge
from services.shipping import app as shipping
from tests.services.model.third_party import CallingLane


@dataclass(frozen=True, slots=True)
class Answer:
    """What the caller gets, byte for byte."""

    status: int
    body: bytes
    code: str = ""


@dataclass(frozen=True, slots=True)
class Branch:
    """A route to do something and one to undo it."""

    name: str
    do: Callable[[str, Any, Barrier], Awaitable[Response]]
    undo: Callable[[str, Barrier], Awaitable[Response]] | None = None


def _by_card(barrier: Barrier) -> CardPayment:
    assert isinstance(barrier.database, CallingLane)
    return CardPayment(barrier.database.processor)


async def _charge(order_id: str, charge: Charge, barrier: Barrier) -> Response:
    return await payment.charge(order_id, charge, barrier, _by_card(barrier))


async def _refund(order_id: str, barrier: Barrier) -> Response:
    return await payment.refund(order_id, barrier, _by_card(barrier))


RESERVATION = Branch("reservation", inventory.reserve, inventory.release)
PAYMENT = Branch("payment", _charge, _refund)
SHIPMENT = Branch("shipment", shipping.ship, shipping.cancel)
ORDER = Branch("order", orders.accept, orders.cancel)
DISPATCH = Branch("dispatch", orders.dispatch)
CANCELLATION = Branch("cancellation", orders.record_cancellation)


@dataclass(frozen=True, slots=True)
class Command:
    """A do with its payload, or an undo without one."""

    saga: str
    branch: Branch
    payload: BaseModel | None

    @property
    def is_undo(self) -> bool:
        return self.payload is None

    async def send(self, database: Database) -> Answer:
        """Return the answer; what is none, and would be a bug's 500, is raised."""
        caller = self.branch.name
        barrier = Barrier(database, self.branch.name, caller, f'"{self.saga}/{caller}"')
        try:
            if self.payload is None:
                assert self.branch.undo
                response = await self.branch.undo(self.saga, barrier)
            else:
                response = await self.branch.do(self.saga, self.payload, barrier)
        except Problem as problem:
            return Answer(problem.kind.status, problem.body(), problem.kind.code)
        return Answer(response.status_code, bytes(response.body))
