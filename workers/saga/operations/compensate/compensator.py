"""Bring an instance onto its compensation path, whatever it is busy with.

The broker has the first word: one modification ends what is active, or is refused where that has moved on, and only
then is anything undone. By what the cluster shows, which may lag behind, an order would be refunded that ships
meanwhile.
"""

import asyncio
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import grpc
from pyzeebe.proto.gateway_pb2 import ModifyProcessInstanceRequest as Modification

from saga.clients.failure import Failure
from saga.clients.instances import ElementInstance, Instances, search_delays
from saga.kit.definition.compensate import Compensate
from saga.kit.definition.handler import Handler
from saga.kit.definition.registry import SagaRegistry
from saga.operations.compensate.view import NothingToUndo, View, look
from saga.operations.reconcile.effects import Ledger

if TYPE_CHECKING:
    from pyzeebe.proto.gateway_pb2_grpc import GatewayAsyncStub

CODE = "CANCELLED_BY_OPERATOR"
"""The code of the refusal that the instance ends with."""
_TIMEOUT = 15.0
"""Seconds for an instance that has moved on whenever it is looked at."""
_PAUSE = 0.5
"""Seconds between two looks at most."""
_DEADLINE = 10.0
"""Seconds for one command to the broker."""
_LOOK_AGAIN = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    }
)
"""The broker changed nothing: an element or the instance is gone or suspended, or it has too much to do."""


@dataclass(frozen=True, slots=True)
class _Step:
    """A step that can be undone while it is active."""

    task_type: str
    undo: Handler


class Compensator:
    """Compensates instances; safe to run twice, or to kill: what has begun is carried on by the engine."""

    def __init__(
        self,
        instances: Instances,
        gateway: "GatewayAsyncStub",
        sagas: SagaRegistry,
        ledgers: Mapping[str, Ledger],
    ) -> None:
        """Know the steps of all processes, and the ledger of each participant by its name."""
        self._instances = instances
        self._gateway = gateway
        self._sagas = sagas
        self._ledgers = ledgers

    async def compensate(self, key: int, why: str) -> list[ElementInstance]:
        """Bring an instance onto its compensation path; return what it was taken away from.

        That is nothing where it was on its path before.

        Raises:
            NothingToUndo: It has ended, or another instance carries out its saga.
            Failure: It cannot be brought there; the message says why.
        """
        end = time.monotonic() + _TIMEOUT
        said = "The cluster shows nothing active in it."
        for pause in search_delays(_PAUSE):
            view = await look(self._instances, key)
            if view.is_on_path:
                return []
            if view.is_past_its_end:
                busy = ", ".join(element.name for element in view.active)
                message = f"Instance {key} has come to its end and cannot be compensated; only {busy} is still active."
                raise NothingToUndo(message)
            if view.on_the_way:
                modification = await self._modification(view, why)
                refused = await self._modify(modification)
                if refused is None:
                    left = {each.elementInstanceKey for each in modification.terminateInstructions}
                    return [element for element in view.active if element.key in left]
                said = refused
            if time.monotonic() > end:
                break
            await asyncio.sleep(pause)
        message = f"Instance {key} could not be brought onto its compensation path, and nothing was changed. {said}"
        raise Failure(message)

    async def _modification(self, view: View, why: str) -> Modification:
        """Have each active step begin anew, told to undo itself; where there is none, have the path itself begin."""
        key = view.instance.key
        steps = {element.key: step for element in view.on_the_way if (step := self._step(view, element)) is not None}
        if steps:
            await self._check_whose(key, steps.values())
            told = Compensate(instance=str(key), code=CODE, message=why).as_variables()
            leaves = [element for element in view.active if element.key in steps]
            begins = [_begin(element.element_id, told, scope=element.element_id) for element in leaves]
        else:
            refusal = json.dumps({"refusal": {"code": CODE, "message": why}})
            leaves = [element for element in view.active if view.diagram.is_outermost(element.element_id)]
            begins = [_begin(view.path.first, refusal)]
        ends = [Modification.TerminateInstruction(elementInstanceKey=element.key) for element in leaves]
        return Modification(processInstanceKey=key, activateInstructions=begins, terminateInstructions=ends)

    def _step(self, view: View, element: ElementInstance) -> _Step | None:
        task = view.diagram.task(element.element_id)
        do = self._sagas.handlers.get(task.type) if task else None
        return None if do is None or do.undo is None else _Step(do.task_type, do.undo)

    async def _check_whose(self, key: int, steps: Iterable[_Step]) -> None:
        """Check that no undo of `steps` would take back what was done for another instance.

        Raises:
            NothingToUndo: One would.
            Failure: A participant does not say what it has done, so that its undo could not be done either.
        """
        for step in steps:
            saga = self._sagas.of_task_type(step.task_type)
            saga_id = await self._instances.variable(key, saga.key) if saga else None
            if not saga_id:
                continue
            try:
                effects = [
                    effect
                    for participant in step.undo.services
                    async for effect in self._ledgers[participant].standing(saga_id)
                ]
            except Failure as failure:
                message = f"{step.undo.task_type} cannot be done now, so nothing was changed. {failure}"
                raise Failure(message) from failure
            for effect in effects:
                if effect.caller == step.task_type and effect.keys and effect.keys[0] != key:
                    message = (
                        f"Instance {key} has done nothing that could be undone: {step.task_type} of {saga_id} was done "
                        f"for instance {effect.keys[0]}. It ends by itself; if it does not, cancel it in the engine."
                    )
                    raise NothingToUndo(message)

    async def _modify(self, modification: Modification) -> str | None:
        """Send it; return None, or why the broker refused it and changed nothing."""
        try:
            await self._gateway.ModifyProcessInstance(modification, timeout=_DEADLINE)
        except grpc.aio.AioRpcError as error:
            if error.code() in _LOOK_AGAIN:
                return f"The broker says: {error.details()}"
            message = (
                f"The broker does not answer ({error.code().name}): it is not known whether instance "
                f"{modification.processInstanceKey} is on its compensation path. Say this again once it does."
            )
            raise Failure(message) from error
        return None


def _begin(element: str, variables: str, scope: str = "") -> Modification.ActivateInstruction:
    """Return the instruction to activate an element; without a scope, the variables are the instance's own."""
    set_ = Modification.VariableInstruction(variables=variables, scopeId=scope)
    return Modification.ActivateInstruction(elementId=element, variableInstructions=[set_])
