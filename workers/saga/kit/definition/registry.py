"""Find the processes: every package in the folder `workers` with a `saga = SagaDefinition(...)`.

There is no list to edit.
"""

from collections.abc import Sequence
from functools import cache, cached_property
from importlib import import_module

from saga.common import project
from saga.kit.definition.discovery import handlers
from saga.kit.definition.handler import Handler
from saga.kit.definition.saga import SagaDefinition, SagaDefinitionError


class SagaRegistry:
    """The processes of the project, and which of them a task type belongs to."""

    def __init__(self, definitions: Sequence[SagaDefinition]) -> None:
        """Know the processes of `definitions`.

        Raises:
            SagaDefinitionError: Two definitions name one process.
        """
        self.definitions = tuple(definitions)
        self._by_process = {each.process: each for each in definitions}
        if len(self._by_process) < len(self.definitions):
            message = f"two packages define one process; there are {', '.join(each.process for each in definitions)}"
            raise SagaDefinitionError(message)

    @cached_property
    def handlers(self) -> dict[str, Handler]:
        """The dos and undos of all processes by task type.

        Raises:
            StepDefinitionError: A step is not written as it must be, or two claim one task type.
        """
        return handlers([step for each in self.definitions for step in each.steps_found])

    def of_task_type(self, task_type: str) -> SagaDefinition | None:
        """Return the process whose steps include a task type, None where none does."""
        return self._by_task_type.get(task_type)

    def of_process(self, process: str) -> SagaDefinition | None:
        """Return the definition of the process with this id, None where there is none."""
        return self._by_process.get(process)

    @property
    def keys(self) -> list[str]:
        """The variables that hold the id of a saga, of whatever process."""
        return list(dict.fromkeys(each.key for each in self.definitions))

    @property
    def nouns(self) -> str:
        """What people call the sagas, as `order` or `order or trip`."""
        return " or ".join(dict.fromkeys(each.noun for each in self.definitions)) or "saga"

    def noun_of(self, process: str) -> str:
        """Return what people call a saga of a process; one that no package defines is of any of them."""
        definition = self.of_process(process)
        return definition.noun if definition else self.nouns

    @cached_property
    def _by_task_type(self) -> dict[str, SagaDefinition]:
        return {task_type: each for each in self.definitions for task_type in handlers(each.steps_found)}


@cache
def discover_sagas() -> SagaRegistry:
    """Import the packages in the folder `workers` and return the processes that they define.

    Raises:
        SagaDefinitionError: A definition cannot be used.
    """
    found = [getattr(import_module(name), "saga", None) for name in project.processes()]
    return SagaRegistry([each for each in found if isinstance(each, SagaDefinition)])
