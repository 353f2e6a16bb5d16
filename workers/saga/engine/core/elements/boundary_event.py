"""Boundary events that catch errors."""

from .. import lifecycle
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_outputs, set_locals, variables_of
from ..work import Work
from .passing import Passing


@behaves_as("BOUNDARY_EVENT", "ERROR")
class ErrorBoundaryEvent(Passing):
    """The error's variables are its own; only output mappings let something out."""

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Set the error's variables as its own and carry out the output mappings."""
        came = variables_of(instance.variables)
        if element.outputs:
            apply_outputs(work, instance, element.outputs, came)
        else:
            set_locals(work, instance, came)
        lifecycle.completed(work, instance, element)
