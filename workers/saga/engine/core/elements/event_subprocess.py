"""Event subprocesses and start events."""

from .. import compensation, correlation, lifecycle, subscriptions
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs, apply_outputs, set_locals, variables_of
from ..work import Work
from .passing import Passing


@behaves_as("EVENT_SUB_PROCESS")
class EventSubprocess(Passing):
    """A scope that begins at its start event, whose event has happened."""

    is_scope = True

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Activate the start event with what came with the event."""
        apply_inputs(work, instance, element.inputs)
        subscriptions.open_all(work, instance, element)
        lifecycle.activated(work, instance)
        assert element.none_start is not None
        lifecycle.request(work, instance, element.none_start, variables=instance.variables)
        correlation.correlate_buffered(work, instance)

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Let out what its output mappings name; its other variables end with it."""
        if element.outputs:
            apply_outputs(work, instance, element.outputs, {})
        lifecycle.completed(work, instance, element)

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Forget what could be undone in it; of one that has completed, that belongs to the scope around it by now."""
        del element
        compensation.forget(work, instance)


@behaves_as("START_EVENT")
class StartEvent(Passing):
    """A start event; that of an event subprocess writes its variables into the scope around the subprocess."""

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Set the variables that came with the event."""
        scope = work.scope_of(instance)
        if scope.scope != -1 and not element.outputs:
            # Over variables of the same name there, and not in a scope further out that has the name.
            set_locals(work, work.scope_of(scope), variables_of(instance.variables))
            lifecycle.completed(work, instance, element)
        else:
            super().complete(work, instance, element)
