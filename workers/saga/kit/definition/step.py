"""The definition of a step: a typed do, its undo, and the refusals that it may raise.

    step = Step("reserve-inventory", undo="release-inventory", refuses={"OUT_OF_STOCK"})

    @step.do
    async def reserve(order: Order, inventory: Service) -> Reservation: ...

    @step.undo
    async def release(order: Order, inventory: Service) -> Release: ...

The first parameter is the job's variables; each `Service` parameter is the participant of that name; a
parameter of type `Job` is the job itself. The class of the result names the process variable that holds it:
`Reservation` becomes `reservation`. The functions are not changed, so tests can call them.

A function without `async` runs on one of a bounded number of threads; its participants are of type `BlockingService`.
"""

import inspect
from collections.abc import Awaitable, Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel

from saga.kit.definition.handler import Handler
from saga.kit.definition.job import Job
from saga.kit.definition.retry import DO, UNDO, Retry
from saga.kit.definition.service import BlockingService, Service
from saga.kit.definition.variables import Receipt, Variables

_F = TypeVar("_F", bound=Callable[..., Awaitable[BaseModel] | BaseModel])
_LIMIT = 60.0
"""Default limit of one run in seconds: longer than the timeout of any participant."""


class StepDefinitionError(TypeError):
    """A step that the runtime cannot run; the message names the function and the fix."""


class Step:
    """A do and its undo, as the diagram's activity and its compensation handler."""

    def __init__(  # noqa: PLR0913 - each of them is one fact of the step, given once, by name
        self,
        task_type: str,
        *,
        undo: str | None,
        refuses: AbstractSet[str] = frozenset(),
        invalid: str | None = None,
        retry: Retry = DO,
        undo_retry: Retry = UNDO,
        limit: float = _LIMIT,
        extend_lease: bool = True,
    ) -> None:
        """Name the task types; `do` and `undo` register the functions.

        Args:
            task_type: The do's task type; the file is named after it.
            undo: The undo's task type, or None if nothing can undo the do, as with a mere record.
            refuses: The BPMN error codes that the do may raise.
            invalid: The code raised when the variables cannot be read; None makes that an incident.
            retry: How the do is tried again.
            undo_retry: How the undo is tried again.
            limit: Seconds that one run of the do or of the undo may take; then its effect counts as unknown, and it is
                tried again. A thread cannot be cancelled: its job stays active until the function returns.
            extend_lease: Whether the lease is extended for as long as the step runs. Otherwise a run has to end within
                its lease, whatever its limit.
        """
        self.task_type = task_type
        self.undo_type = undo
        self.refuses = frozenset(refuses) | ({invalid} if invalid else frozenset())
        self._invalid = invalid
        self._retry = retry
        self._undo_retry = undo_retry
        self._limit = limit
        self._extend_lease = extend_lease
        self._do: Handler | None = None
        self._undo: Handler | None = None

    def do(self, function: _F) -> _F:
        """Register the do."""
        self._do = self._handler(function, self.task_type)
        return function

    def undo(self, function: _F) -> _F:
        """Register the undo."""
        if self.undo_type is None:
            message = (
                f"{function.__qualname__}: the step {self.task_type} declares no undo; name its task type in Step()"
            )
            raise StepDefinitionError(message)
        self._undo = self._handler(function, self.undo_type, undoes=self.task_type)
        return function

    def handlers(self) -> list[Handler]:
        """Return the do's handler and, if there is one, the undo's.

        Raises:
            StepDefinitionError: A declared function is missing.
        """
        if self._do is None:
            message = f"the step {self.task_type} has no function: decorate one with @step.do"
            raise StepDefinitionError(message)
        if self.undo_type is not None and self._undo is None:
            message = f"the step {self.task_type} has no undo: decorate one with @step.undo, or say undo=None"
            raise StepDefinitionError(message)
        return [self._do] if self._undo is None else [replace(self._do, undo=self._undo), self._undo]

    def _handler(
        self,
        function: Callable[..., Awaitable[BaseModel] | BaseModel],
        task_type: str,
        undoes: str | None = None,
    ) -> Handler:
        name = f"{function.__module__}.{function.__qualname__}"
        hints = get_type_hints(function)
        receipt = hints.pop("return", None)
        if not (isinstance(receipt, type) and issubclass(receipt, Receipt)):
            message = f"{name} must say which Receipt it returns"
            raise StepDefinitionError(message)
        variables, *others = hints.items()
        if not (isinstance(variables[1], type) and issubclass(variables[1], Variables)):
            message = f"{name}: the first parameter must be of a class derived from Variables"
            raise StepDefinitionError(message)
        is_blocking = not inspect.iscoroutinefunction(function)
        ours, other = (BlockingService, Service) if is_blocking else (Service, BlockingService)
        if wrong := _parameters(others, other):
            what = "a plain function" if is_blocking else "an async function"
            message = f"{name} is {what}: its parameter {wrong[0]} must be of type {ours.__name__}"
            raise StepDefinitionError(message)
        return Handler(
            task_type=task_type,
            function=function,
            is_blocking=is_blocking,
            variables=variables[1],
            services=_parameters(others, ours),
            job_parameter=next(iter(_parameters(others, Job)), None),
            receipt=receipt,
            refusals=frozenset() if undoes else self.refuses,
            invalid=None if undoes else self._invalid,
            retry=self._undo_retry if undoes else self._retry,
            limit=self._limit,
            extends_lease=self._extend_lease,
            undoes=undoes,
        )


def _parameters(hints: list[tuple[str, Any]], kind: type) -> tuple[str, ...]:
    return tuple(name for name, hint in hints if hint is kind)
