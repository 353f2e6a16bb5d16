"""What a person decides: the entry that asks for it, and what is done with the answer.

An entry is an instance of the process `settle-by-hand` (bpmn/settle-by-hand.bpmn): a user task, and behind it
the job of the task type `settle-effect`, which the reconciler itself works on.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Any, Literal, Self

import grpc
from pydantic import Field, create_model, model_validator
from pyzeebe.proto.gateway_pb2 import PublishMessageRequest

from saga.clients.failure import Failure
from saga.clients.gateway import require_deployed
from saga.kit import Receipt, SagaId, Step, Variables
from saga.kit.definition.handler import Handler
from saga.kit.definition.outcomes import Broken, Unavailable
from saga.kit.definition.registry import SagaRegistry
from saga.kit.definition.retry import UNDO
from saga.kit.definition.saga import SagaDefinition
from saga.kit.gateway.credentials import code_of
from saga.operations.reconcile.effects import Effect, Ledger, Settlement
from saga.operations.reconcile.sweep import Finding
from saga.operations.reconcile.undo_executor import UndoExecutor

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

TASK_TYPE = "settle-effect"
"""Of the jobs that the reconciler itself works on."""
PROCESS = "settle-by-hand"
MESSAGE = "SettleByHand"
_TTL_MS = 86_400_000
"""Milliseconds for which a second entry for the same effect is refused."""
_DEADLINE = 10.0
"""Seconds."""


class ManualTasks:
    """Asks people."""

    def __init__(self, gateway: "GatewayAsyncStub", sagas: SagaRegistry) -> None:
        """Put the entries into the engine of `gateway`; each names its saga as its process does."""
        self._gateway = gateway
        self._sagas = sagas

    async def ask(self, finding: Finding) -> None:
        """Make an entry for an effect, once.

        Raises:
            Failure: The process is not deployed, or the broker does not take the entry.
        """
        try:
            await require_deployed(self._gateway, PROCESS, "nobody can be asked")
        except grpc.aio.AioRpcError as error:
            raise _not_taken(error) from error
        effect = finding.effect
        # The origin too: an effect that another element asks for anew is another question.
        key = f"{effect.saga_id}/{effect.participant}/{effect.branch}/{effect.origin or ''}"
        entry = json.dumps(_entry(effect, self._sagas.of_task_type(effect.caller)))
        request = PublishMessageRequest(
            name=MESSAGE, correlationKey=key, messageId=key, timeToLive=_TTL_MS, variables=entry
        )
        try:
            await self._gateway.PublishMessage(request, timeout=_DEADLINE)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.ALREADY_EXISTS:
                raise _not_taken(error) from error


def _entry(effect: Effect, saga: SagaDefinition | None) -> dict[str, str]:
    noun = saga.noun if saga else "saga"
    why = "The cluster cannot say what became of the process instance that had it done."
    return {
        # By the key of its process too: so it is found, and so its saga is alive until it is answered.
        **({saga.key: effect.saga_id} if saga else {}),
        "sagaId": effect.saga_id,
        "saga": f"{noun.capitalize()} {effect.saga_id}",
        "participant": effect.participant,
        "branch": effect.branch,
        "taskType": effect.caller,
        "processInstance": _instance(effect),
        "doneAt": effect.at.astimezone(UTC).isoformat(timespec="seconds"),
        "why": why if effect.keys else "The participant was not told which process instance had it done.",
    }


def _instance(effect: Effect) -> str:
    return str(effect.keys[0]) if effect.keys else ""


def _not_taken(error: grpc.aio.AioRpcError) -> Failure:
    return Failure(f"The broker takes no entry for a person: {code_of(error).name}.")


_KEY = "key_"
"""How the fields of a decision begin that the key of a process fills."""


class _Decision(Variables):
    named: SagaId | None = Field(None, alias="sagaId")
    participant: str
    branch: str
    process_instance: str | None = None
    """None where a process of somebody's own asks: it cannot know."""
    decision: Literal["keep", "undo"]

    @property
    def saga_id(self) -> str:
        ids = (getattr(self, name) for name in type(self).model_fields if name == "named" or name.startswith(_KEY))
        return next(filter(None, ids), "")

    @model_validator(mode="after")
    def _check_saga(self) -> Self:
        if not self.saga_id:
            message = "names no saga; set sagaId"
            raise ValueError(message)
        return self


def _decision_by(keys: list[str]) -> type[_Decision]:
    """Return the model of a decision that names its saga by `sagaId` or by the key of its process."""
    fields: dict[str, Any] = {
        f"{_KEY}{number}": (SagaId | None, Field(None, alias=key)) for number, key in enumerate(keys)
    }
    return create_model("Decision", __base__=_Decision, **fields)


class Settled(Receipt):
    """What was done with an effect."""

    outcome: Literal["kept", "undone", "settled before"]


def settling(ledgers: Mapping[str, Ledger], sagas: SagaRegistry, undoing: UndoExecutor) -> Handler:
    """Return the handler that does what a person decided about an effect."""
    step = Step(TASK_TYPE, undo=None, retry=UNDO)

    @step.do
    async def settle(decided: _Decision) -> Settled:
        ledger = ledgers.get(decided.participant)
        if ledger is None:
            message = f"The variable participant names none; there are {', '.join(ledgers)}. Mend it, then retry."
            raise Broken(message)
        try:
            effect = await _in_question(ledger, decided)
            if effect is None:
                return Settled(outcome="settled before")
            if decided.decision == "keep":
                await ledger.settle([effect], Settlement.KEPT)
                return Settled(outcome="kept")
        except Failure as failure:
            raise Unavailable(str(failure)) from failure
        if not undoing.has_undo(effect):
            message = f"Nothing takes back what {effect.caller} does. Set the variable decision to keep, then retry."
            raise Broken(message)
        if (why_not := await undoing.undo(effect)) is not None:
            raise Unavailable(why_not)
        return Settled(outcome="undone")

    [handler] = step.handlers()
    return replace(handler, variables=_decision_by(sagas.keys))


async def _in_question(ledger: Ledger, decided: _Decision) -> Effect | None:
    """Return the effect that was decided about; None where somebody has settled it meanwhile."""
    # In this order: a person may answer before it is written down that one was asked.
    for pages in (ledger.unsettled(saga_id=decided.saga_id), ledger.asked(decided.saga_id)):
        async for page in pages:
            for effect in page:
                if effect.branch == decided.branch and decided.process_instance in {None, _instance(effect)}:
                    return effect
    return None
