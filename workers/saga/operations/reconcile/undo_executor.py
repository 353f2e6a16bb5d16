"""Undo an effect as the process would have: by the step's own undo, under the same idempotency key."""

from contextlib import nullcontext
from random import Random

from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job
from saga.kit.definition.outcomes import Complete, Fail, Throw
from saga.kit.definition.registry import SagaRegistry
from saga.kit.definition.saga import SagaDefinition
from saga.kit.definition.service import Participants
from saga.kit.execution.runner import Runner
from saga.kit.execution.threads import Threads
from saga.operations.reconcile.effects import Effect


class UndoExecutor:
    """The undos of all steps of all processes."""

    def __init__(self, sagas: SagaRegistry, participants: Participants, random: Random) -> None:
        """Know the undo of each step of `sagas`; `participants` lead to whom they command.

        Raises:
            StepDefinitionError: Two processes claim one task type: an undo would get the key of the other one.
        """
        self._threads = threads = Threads(1)
        self._undos: dict[str, tuple[SagaDefinition, Handler, Runner]] = {}
        for handler in sagas.handlers.values():
            saga = sagas.of_task_type(handler.task_type)
            if saga is not None and handler.undoes is not None:
                self._undos[handler.undoes] = saga, handler, Runner(handler, participants, threads, random, [])

    def has_undo(self, effect: Effect) -> bool:
        """Tell whether something takes the effect back; nothing does where it is a record.

        A step may command several participants: its undo takes back what it did at those that it commands as well.
        """
        found = self._undos.get(effect.caller)
        return found is not None and effect.participant in found[1].services

    async def undo(self, effect: Effect) -> str | None:
        """Undo an effect; return None, or why it could not be undone now."""
        saga, handler, runner = self._undos[effect.caller]
        job = _job(saga, handler.task_type, effect)
        async with self._threads.place(job.key) if handler.is_blocking else nullcontext():
            reply = await runner.run(job)
        match reply:
            case Complete():
                return None
            case Fail(message=message) | Throw(message=message):
                return message


def _job(saga: SagaDefinition, task_type: str, effect: Effect) -> Job:
    """Return a job that no broker gave out: the step cannot tell, and its key at the participant is the same."""
    instance, element = effect.keys or (0, 0)
    variables = saga.variables(effect.saga_id)
    return Job(0, task_type, instance, element, "", "", retries=2, deadline=0.0, variables=variables)
