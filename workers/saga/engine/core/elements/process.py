"""The process instance itself."""

from .. import compensation, correlation, lifecycle, subscriptions
from ..behaviors import behaves_as
from ..entities import ElementInstance
from ..model import Element
from ..scope import to_document
from ..work import Work
from .passing import Passing


@behaves_as("PROCESS")
class ProcessInstance(Passing):
    """Begins at its start event and ends when nothing is active in it."""

    is_scope = True

    def activate(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Open what its event subprocesses wait for, and activate the start event."""
        subscriptions.open_all(work, instance, element)
        lifecycle.activated(work, instance)
        start = work.model(instance.definition).elements[instance.start_event] if instance.start_event else None
        if start is not None:
            lifecycle.request(work, instance, start, variables=instance.variables)
        elif element.none_start is not None:
            lifecycle.request(work, instance, element.none_start)
        correlation.correlate_buffered(work, instance)

    def complete(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """End it, and say its variables to who waits for them."""
        names = work.state.tables.results.get(instance.key)
        if names is not None:
            variables = work.variables(instance.key).document(names)
            value = {**work.process_of(instance), "variables": variables}
            work.event("PROCESS_INSTANCE_RESULT", "COMPLETED", instance.key, value)
        caller = work.state.tables.elements.get(instance.parent)
        # One that is terminated meanwhile cannot complete: it waits for the end of what it has called.
        if caller is not None and caller.state != "TERMINATING":
            own = {name: held.value for name, held in work.state.tables.variables.get(instance.key, {}).items()}
            work.follow_up("COMPLETE_ELEMENT", caller.key, {"variables": to_document(own), "hops": work.hops})
        lifecycle.completed(work, instance, element)

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Forget what could be undone in it; go on with who has called it, and with the message that waited for it."""
        del element
        compensation.forget(work, instance)
        caller = work.state.tables.elements.get(instance.parent)
        if caller is not None and "TERMINATING" in {instance.state, caller.state}:
            work.follow_up("SETTLE_ELEMENT", caller.key, {})
        if instance.start_key:
            process_id = work.state.tables.definitions[instance.definition].process_id
            correlation.start_waiting(work, process_id, instance.start_key)
