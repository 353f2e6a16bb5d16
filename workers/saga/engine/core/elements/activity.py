"""What all activities have in common: compensation."""

from .. import compensation, lifecycle
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_outputs, variables_of
from ..work import Work
from .passing import Passing


@behaves_as("MANUAL_TASK")
@behaves_as("TASK")
class Activity(Passing):
    """A task: once completed it can be undone, and as a compensation handler it undoes another."""

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Let out its variables, and note that it can be undone from now on."""
        apply_outputs(work, instance, element.outputs, variables_of(instance.variables))
        self.done(work, instance, element)

    @staticmethod
    def done(work: Work, instance: ElementInstance, element: Element) -> None:
        """End it, and note that it can be undone; of a loop that is the body alone."""
        if element.compensation is not None and instance.loop <= 0:
            compensation.remember(work, instance, element)
        lifecycle.completed(work, instance, element)

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Forget what could be undone in it, and go on with the compensation that it was carried out for."""
        del element
        if self.is_scope:
            # Of a scope that has completed this belongs to the scope around it by now.
            compensation.forget(work, instance)
        compensation.end(work, instance, instance.compensation, done=instance.state == "COMPLETING")
