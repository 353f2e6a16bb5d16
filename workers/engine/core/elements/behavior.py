"""How a kind of element behaves; by default it passes through at once."""

from .. import lifecycle
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs, apply_outputs, read_document
from ..work import Work


class Behavior:
    """What an element does when it is activated, completed and terminated.

    `activate` and `complete` are steps: a `Fault` in them undoes the step and becomes an incident, and the step is
    repeated when that is resolved.
    """

    is_scope = False
    """Whether it ends when nothing inside it is active any more."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Activate it. The element instance is ACTIVATING."""
        apply_inputs(work, instance, element.inputs)
        lifecycle.activated(work, instance)
        lifecycle.complete(work, instance, instance.variables)

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Complete it. The element instance is COMPLETING."""
        apply_outputs(work, instance, element.outputs, read_document(instance.variables))
        lifecycle.completed(work, instance, element)

    def terminate(self, work: Work, instance: ElementInstance) -> None:
        """Withdraw what it has begun, such as its job. The element instance is TERMINATING."""

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Do what has to be done after its end, completed or terminated. `instance` is no longer in the state."""

    def repeat(self, work: Work, instance: ElementInstance) -> None:
        """Repeat what it did while it was ACTIVATED and had an incident."""
