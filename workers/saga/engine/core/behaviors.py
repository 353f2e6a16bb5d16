"""Which class behaves as which kind of element: the kinds register themselves, so that nothing here depends on them."""

from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar

from .entities import BODY, ElementInstance
from .model import Element
from .work import Work


class Behavior(Protocol):
    """What an element does when it is activated, completed and terminated.

    `activate`, `complete` and `repeat` are steps: a `Fault` in one undoes it and becomes an incident, and the step is
    repeated when that is resolved.
    """

    is_scope: bool
    """Whether it ends when nothing inside it is active any more."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Activate it. The element instance is ACTIVATING."""

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Complete it. The element instance is COMPLETING."""

    def terminate(self, work: Work, instance: ElementInstance) -> None:
        """Withdraw what it has begun, such as its job. The element instance is TERMINATING."""

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Do what has to be done after its end, completed or terminated. `instance` is no longer in the state."""


Kind = TypeVar("Kind", bound=Behavior)
_BEHAVIORS: dict[tuple[str, str], Behavior] = {}


def behaves_as(element_type: str, *event_types: str) -> Callable[[type[Kind]], type[Kind]]:
    """Register a class for a bpmnElementType; with event types for these alone, before one that is for all."""

    def register(kind: type[Kind]) -> type[Kind]:
        for event_type in event_types or ("",):
            _BEHAVIORS[element_type, event_type] = kind()
        return kind

    return register


def behavior_of(element: Element, instance: ElementInstance) -> Behavior:
    """Return how an element of its kind behaves; the body around the instances of a loop is a kind of its own."""
    if instance.loop == BODY:
        return _BEHAVIORS["MULTI_INSTANCE_BODY", ""]
    return _behavior(element.type, element.event_type)


@cache
def _behavior(element_type: str, event_type: str) -> Behavior:
    return _BEHAVIORS.get((element_type, event_type)) or _BEHAVIORS[element_type, ""]
