"""What the tools know of a process: the definition in the `__init__` of its package.

    saga = SagaDefinition(process="trip", noun="trip", key="tripId", model=Trip, steps="trip.steps")

The package lies in the folder `workers` of the project and is found there (`saga.kit.definition.registry`).
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from saga.common.project import BPMN
from saga.kit.definition.discovery import discover
from saga.kit.definition.step import Step
from saga.kit.definition.variables import KEEPS, SagaId, Variables

EXAMPLES = BPMN / "examples"
"""The variables that sample sagas start with, a JSON file each."""


class SagaDefinitionError(TypeError):
    """A saga is defined in a way that the tools cannot use; the message names the process and the fix."""


class Publisher(Protocol):
    """Starts sagas that somebody has ordered at a participant."""

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set; then finish what has begun and return."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The participant that collects the events of all participants and shows those of one saga."""

    participant: str
    receives: str
    """The path at which it takes events, as `/events`."""
    shows: str
    """The path at which it shows those of one saga, as `/orders/{saga_id}/events`."""

    def path(self, saga_id: str) -> str:
        """Return the path that shows the events of one saga."""
        return self.shows.format(saga_id=saga_id)


@dataclass(frozen=True, slots=True)
class Sample:
    """A saga of the demo."""

    title: str
    file: str
    """The name of a file in `EXAMPLES`."""
    outcome: str
    path: tuple[str, ...]
    """The names of the tasks, in the order in which they begin; the refused one among them."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SagaDefinition:
    """A process of the project, as the tools need to know it."""

    process: str
    """The id of the BPMN process."""
    noun: str
    """What people call one of its sagas, as `order`."""
    key: str
    """The process variable that holds the id of the saga."""
    model: type[Variables]
    """The variables that a saga starts with: what `saga start` checks."""
    steps: str
    """The import name of the package with its steps; it is imported when a step is needed."""
    key_type: Any = SagaId
    """The type of the id, a `str` that pydantic validates."""
    start_message: str | None = None
    """The message that starts a saga, correlated by its id."""
    cancel_message: str | None = None
    """The message by which a customer cancels a saga, correlated by its id."""
    check_start: Callable[..., Awaitable[None]] | None = None
    """Called with a valid `model` and the `Addresses` before `saga start` starts it; raises Failure to refuse it."""
    publisher: Callable[..., Publisher] | None = None
    """Makes the publisher, from the participants by name and the engine's channel; `saga reconcile --watch` runs it."""
    timeline: Timeline | None = None
    callers: tuple[str, ...] = ()
    """Who calls its participants beside its steps: each gets a token in the embedded stack."""
    samples: Sequence[Sample] = ()
    """What `saga demo` runs."""

    def __post_init__(self) -> None:
        """Check what is defined.

        Raises:
            SagaDefinitionError: The model does not read the key.
        """
        names = {field.alias or name for name, field in self.model.model_fields.items()}
        if self.key not in names:
            message = f"{self.process}: {self.model.__name__} has no field for the key {self.key}; add one"
            raise SagaDefinitionError(message)

    @cached_property
    def steps_found(self) -> list[Step]:
        """Its steps, by task type.

        Raises:
            StepDefinitionError: A module of the package is not a step, or two claim one task type.
        """
        return discover(import_module(self.steps))

    def saga_id(self, value: object) -> str | None:
        """Return `value` where it is a valid id, else None: an invalid value is shown to nobody."""
        try:
            found: str = self._key_adapter.validate_python(value)
        except ValidationError:
            return None
        return found

    def saga_in(self, variables: str | bytes) -> str | None:
        """Return the id that a JSON object of variables holds; None where it holds no valid one."""
        try:
            found = from_json(variables, cache_strings=KEEPS)
        except ValueError:
            return None
        return self.saga_id(found.get(self.key)) if isinstance(found, dict) else None

    def variables(self, saga_id: str) -> str:
        """Return the JSON object that names a saga and nothing else."""
        return json.dumps({self.key: saga_id})

    def sample_variables(self, sample: Sample, saga_id: str) -> dict[str, object]:
        """Return the variables of a sample under an id of this run's own: a participant accepts an id only once."""
        variables: dict[str, object] = json.loads((EXAMPLES / sample.file).read_text(encoding="utf-8"))
        return {**variables, self.key: saga_id}

    @cached_property
    def _key_adapter(self) -> TypeAdapter[str]:
        return TypeAdapter(self.key_type)
