"""Elements that pass through at once, and what the other kinds have in common with them."""

from .. import lifecycle
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs, apply_outputs, variables_of
from ..work import Work


@behaves_as("BOUNDARY_EVENT")
@behaves_as("END_EVENT")
@behaves_as("INTERMEDIATE_THROW_EVENT", "NONE")
@behaves_as("BOUNDARY_EVENT")
@behaves_as("PARALLEL_GATEWAY")
class Passing:
    """Carries out its mappings and completes as soon as it is activated."""

    is_scope = False

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Activate it. The element instance is ACTIVATING."""
        apply_inputs(work, instance, element.inputs)
        lifecycle.activated(work, instance)
        lifecycle.complete(work, instance, instance.variables)

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Complete it. The element instance is COMPLETING."""
        apply_outputs(work, instance, element.outputs, variables_of(instance.variables))
        lifecycle.completed(work, instance, element)

    def terminate(self, work: Work, instance: ElementInstance) -> None:
        """Withdraw what it has begun, such as its job. The element instance is TERMINATING."""

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Do what has to be done after its end, completed or terminated. `instance` is no longer in the state."""
