"""Find the steps: every module of a package that has a `step`. There is no list to edit."""

import importlib
import pkgutil
from types import ModuleType

from saga.kit.definition.handler import Handler
from saga.kit.definition.step import Step, StepDefinitionError


def discover(package: ModuleType) -> list[Step]:
    """Import each module of `package` and return its step, by task type.

    Raises:
        StepDefinitionError: A module has no step, is not named after it, or two claim one task type.
    """
    steps = [
        _step(importlib.import_module(f"{package.__name__}.{name}"))
        for _, name, _ in pkgutil.iter_modules(package.__path__)
    ]
    handlers(steps)
    return sorted(steps, key=lambda step: step.task_type)


def handlers(steps: list[Step]) -> dict[str, Handler]:
    """Return all handlers of the steps by task type.

    Raises:
        StepDefinitionError: Two steps claim one task type.
    """
    by_type: dict[str, Handler] = {}
    for handler in (handler for step in steps for handler in step.handlers()):
        if handler.task_type in by_type:
            message = f"two functions claim the task type {handler.task_type}; each needs one of its own"
            raise StepDefinitionError(message)
        by_type[handler.task_type] = handler
    return by_type


def _step(module: ModuleType) -> Step:
    step = getattr(module, "step", None)
    if not isinstance(step, Step):
        message = f"{module.__name__} has no `step = Step(...)`; every file in steps/ is one step"
        raise StepDefinitionError(message)
    expected = step.task_type.replace("-", "_")
    if module.__name__.rpartition(".")[2] != expected:
        message = f"{module.__name__} holds the step {step.task_type}; name the file {expected}.py"
        raise StepDefinitionError(message)
    return step
