"""End events that do more than end their path: they throw an error, or terminate their scope."""

from .. import errors, events, lifecycle
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..variables import apply_inputs
from ..work import Work
from .passing import Passing


@behaves_as("END_EVENT", "ERROR")
class ErrorEndEvent(Passing):
    """Throws an error; who catches it terminates this event too, so that it never completes."""

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Throw the error; one that nobody catches is an incident."""
        apply_inputs(work, instance, element.inputs)
        lifecycle.activated(work, instance)
        assert element.thrown_error is not None
        code = element.thrown_error.string(work.variables(instance.key), work.clock())
        uncaught = errors.throw(work, instance, code, "", "{}")
        if uncaught is not None:
            raise errors.uncaught(uncaught)


@behaves_as("END_EVENT", "TERMINATE")
class TerminateEndEvent(Passing):
    """Ends all else in its scope, which then completes."""

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Terminate what is left in the scope."""
        scope = work.state.tables.elements.get(instance.scope)
        if scope is not None and not work.state.is_empty(scope) and scope.state == "ACTIVATED":
            events.interrupt(work, scope, element.id, "{}")
