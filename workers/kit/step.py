"""The shape of a step: a typed do, its undo beside it, and the refusals it may raise.

    step = Step("reserve-inventory", undo="release-inventory", refuses={"OUT_OF_STOCK"})

    @step.do
    async def reserve(order: Order, inventory: Service) -> Reservation: ...

    @step.undo
    async def release(order: Order, inventory: Service) -> Release: ...

The first parameter is the job's variables; each `Service` parameter is the participant of that name; a
parameter of type `Job` is the job itself. The class of the result names the process variable that holds it:
`Reservation` becomes `reservation`. The functions stay what they are, so a test calls them.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from workers.kit.outcomes import Broken, Declined, FieldError
from workers.kit.retry import DO, UNDO, Retry
from workers.kit.service import Service

_DOCUMENT = "(the document)"
_ERRORS = 20
"""Fields that a refusal names at most: it has to fit into the broker's record, whatever was sent."""
_F = TypeVar("_F", bound=Callable[..., Awaitable[BaseModel]])


class Variables(BaseModel):
    """What a step reads of its process instance; only these variables are fetched from the broker."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, strict=True)

    @property
    def saga_id(self) -> str:
        """The name of the saga that this job belongs to; participants see it in each idempotency key."""
        raise NotImplementedError


class Receipt(BaseModel):
    """What a step leaves behind: the participant's answer, under one variable of its own.

    A participant may add fields to its answers at any time; those that the step does not name are left out.
    NaN and infinity are no JSON (RFC 8259) and are refused here rather than at the broker.
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class Job:
    """The broker's facts about the job at hand."""

    key: int
    process_instance_key: int
    element_id: str
    retries: int
    deadline: float
    """When the lease ends, in seconds since the epoch."""


class StepDefinitionError(TypeError):
    """A step is written in a way that the runtime cannot run; the message names the function and the mend."""


@dataclass(frozen=True, slots=True)
class Handler:
    """One task type: the function that does it and all that the runtime must know of it."""

    task_type: str
    function: Callable[..., Awaitable[BaseModel]]
    variables: type[Variables]
    services: tuple[str, ...]
    job_parameter: str | None
    receipt: type[BaseModel]
    refusals: frozenset[str]
    invalid: str | None
    retry: Retry
    is_undo: bool

    @property
    def receipt_name(self) -> str:
        """The process variable that holds the receipt."""
        return to_camel(_snake(self.receipt.__name__))

    @property
    def fetch(self) -> list[str]:
        """The names of the variables that the broker shall send with the job."""
        return [field.alias or name for name, field in self.variables.model_fields.items()]

    def parse(self, variables: str) -> Variables:
        """Read the job's variables, a JSON object.

        Raises:
            Declined: They are not as they must be, and the step declares a code for that.
            Broken: They are not as they must be: an incident that names each field, never its value.
        """
        try:
            return self.variables.model_validate_json(variables)
        except ValidationError as error:
            errors = field_errors(error)
            listed = "; ".join(f"{each.field}: {each.message}" for each in errors)
            if self.invalid is not None:
                raise Declined(self.invalid, listed, errors) from None
            message = f"{self.task_type} cannot read its variables. {listed}. Mend them in Operate, then retry."
            raise Broken(message) from None


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
    ) -> None:
        """Name the task types; the functions follow by `do` and `undo`.

        Args:
            task_type: The do's task type; the file is named after it.
            undo: The undo's task type, or None where a do is a mere record that nothing can take back.
            refuses: The BPMN error codes that the do may raise.
            invalid: The code raised when the variables cannot be read; None makes that an incident.
            retry: How the do is tried again.
            undo_retry: How the undo is tried again.
        """
        self.task_type = task_type
        self.undo_type = undo
        self.refuses = frozenset(refuses) | ({invalid} if invalid else frozenset())
        self._invalid = invalid
        self._retry = retry
        self._undo_retry = undo_retry
        self._do: Handler | None = None
        self._undo: Handler | None = None

    def do(self, function: _F) -> _F:
        """Register the do."""
        self._do = self._handler(function, self.task_type, is_undo=False)
        return function

    def undo(self, function: _F) -> _F:
        """Register the undo."""
        if self.undo_type is None:
            message = (
                f"{function.__qualname__}: the step {self.task_type} declares no undo; name its task type in Step()"
            )
            raise StepDefinitionError(message)
        self._undo = self._handler(function, self.undo_type, is_undo=True)
        return function

    def handlers(self) -> list[Handler]:
        """Return the do's handler and, where there is one, the undo's.

        Raises:
            StepDefinitionError: A declared function is missing.
        """
        if self._do is None:
            message = f"the step {self.task_type} has no function: decorate one with @step.do"
            raise StepDefinitionError(message)
        if self.undo_type is not None and self._undo is None:
            message = f"the step {self.task_type} has no undo: decorate one with @step.undo, or say undo=None"
            raise StepDefinitionError(message)
        return [handler for handler in (self._do, self._undo) if handler is not None]

    def _handler(self, function: Callable[..., Awaitable[BaseModel]], task_type: str, *, is_undo: bool) -> Handler:
        name = f"{function.__module__}.{function.__qualname__}"
        if not inspect.iscoroutinefunction(function):
            message = f"{name} must be an async function"
            raise StepDefinitionError(message)
        hints = get_type_hints(function)
        receipt = hints.pop("return", None)
        if not (isinstance(receipt, type) and issubclass(receipt, BaseModel)):
            message = f"{name} must say which Receipt it returns"
            raise StepDefinitionError(message)
        variables, *others = hints.items()
        if not (isinstance(variables[1], type) and issubclass(variables[1], Variables)):
            message = f"{name}: the first parameter must be of a class derived from Variables"
            raise StepDefinitionError(message)
        return Handler(
            task_type=task_type,
            function=function,
            variables=variables[1],
            services=_parameters(others, Service),
            job_parameter=next(iter(_parameters(others, Job)), None),
            receipt=receipt,
            refusals=frozenset() if is_undo else self.refuses,
            invalid=None if is_undo else self._invalid,
            retry=self._undo_retry if is_undo else self._retry,
            is_undo=is_undo,
        )


def field_errors(error: ValidationError) -> tuple[FieldError, ...]:
    """Say each field that is wrong as a person writes it (`items[0].sku`), and never its value."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    named = tuple(_field_error(each["type"], each["loc"], each["msg"]) for each in errors[:_ERRORS])
    if len(errors) <= _ERRORS:
        return named
    return (*named, FieldError(_DOCUMENT, f"and {len(errors) - _ERRORS} more"))


def _field_error(kind: str, location: tuple[int | str, ...], message: str) -> FieldError:
    if kind == "extra_forbidden":
        # The name of a field that nobody knows is the sender's own text: it may hold anything.
        return FieldError(_path(location[:-1]) or _DOCUMENT, "has an unknown field")
    return FieldError(_path(location) or _DOCUMENT, message.removeprefix("Value error, "))


def _path(location: Iterable[int | str]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")


def _parameters(hints: list[tuple[str, Any]], kind: type) -> tuple[str, ...]:
    return tuple(name for name, hint in hints if hint is kind)


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).removeprefix("_")
