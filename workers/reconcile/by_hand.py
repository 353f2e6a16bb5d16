"""What a person decides: the entry that asks for it, and what is done with the answer.

An entry is an instance of the process `settle-by-hand` (bpmn/settle-by-hand.bpmn): a user task in Tasklist, and behind
it the job of the task type `settle-effect`, which the reconciler itself works on.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import grpc
from pyzeebe.proto.gateway_pb2 import PublishMessageRequest

from workers.failure import Failure
from workers.kit import Receipt, Step
from workers.kit.outcomes import Broken, Unavailable
from workers.order import OrderVariables
from workers.reconcile.effects import Effect, Ledger, Settlement
from workers.reconcile.sweep import Finding
from workers.reconcile.undoing import Undoing

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

MESSAGE = "SettleByHand"
_TTL_MS = 86_400_000
"""Milliseconds for which a second entry for the same effect is refused, and one waits for its process to be there."""
_DEADLINE = 10.0
"""Seconds."""


class Entries:
    """Asks people."""

    def __init__(self, gateway: "GatewayAsyncStub") -> None:
        """Put the entries into the engine of `gateway`."""
        self._gateway = gateway

    async def ask(self, finding: Finding) -> None:
        """Make an entry for an effect, once.

        Raises:
            Failure: The broker does not take it.
        """
        effect = finding.effect
        entry = {
            "orderId": effect.saga_id,
            "participant": effect.participant,
            "branch": effect.branch,
            "taskType": effect.caller,
            "processInstance": str(effect.keys[0]) if effect.keys else "",
            "doneAt": effect.at.isoformat(timespec="seconds"),
            "why": "Neither Operate nor the broker can say what became of the process instance that had it done.",
        }
        key = f"{effect.saga_id}/{effect.participant}/{effect.branch}"
        request = PublishMessageRequest(
            name=MESSAGE, correlationKey=key, messageId=key, timeToLive=_TTL_MS, variables=json.dumps(entry)
        )
        try:
            await self._gateway.PublishMessage(request, timeout=_DEADLINE)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.ALREADY_EXISTS:
                return
            message = f"The broker takes no entry for a person: {error.code().name}."
            raise Failure(message) from error


class _Decision(OrderVariables):
    participant: str
    branch: str
    decision: Literal["keep", "undo"]


class Settled(Receipt):
    """What was done with an effect."""

    decision: str


def settling(ledgers: Mapping[str, Ledger], undoing: Undoing) -> Step:
    """Return the step that does what a person decided about an effect."""
    step = Step("settle-effect", undo=None)

    @step.do
    async def settle(decided: _Decision) -> Settled:
        ledger = ledgers.get(decided.participant)
        if ledger is None:
            message = f"There is no participant {decided.participant}; there are {', '.join(ledgers)}."
            raise Broken(message)
        try:
            effect = await _asked(ledger, decided)
            if effect is None:
                pass  # Somebody has settled it meanwhile.
            elif decided.decision == "keep":
                await ledger.settle([effect], Settlement.KEPT)
            elif (why_not := await undoing.undo(effect)) is not None:
                raise Unavailable(why_not)
        except Failure as failure:
            raise Unavailable(str(failure)) from failure
        return Settled(decision=decided.decision)

    return step


async def _asked(ledger: Ledger, decided: _Decision) -> Effect | None:
    async for page in ledger.asked(saga_id=decided.order_id):
        for effect in page:
            if effect.branch == decided.branch:
                return effect
    return None
