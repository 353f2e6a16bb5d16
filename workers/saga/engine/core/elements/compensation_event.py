"""Compensation throw and end events."""

from .. import compensation, lifecycle
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs
from ..work import Work
from .passing import Passing


@behaves_as("END_EVENT", "COMPENSATION")
@behaves_as("INTERMEDIATE_THROW_EVENT", "COMPENSATION")
class CompensationEvent(Passing):
    """Has completed activities undone, and goes on when all their handlers are done."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Activate the handlers; without any it passes at once."""
        apply_inputs(work, instance, element.inputs)
        lifecycle.activated(work, instance)
        if not compensation.begin(work, instance, element):
            lifecycle.complete(work, instance)
