"""The process instance itself."""

from .. import compensation, correlation, lifecycle, subscriptions
from ..entities import ElementInstance
from ..model import Element
from ..variables import read_document, set_locals
from ..work import Work
from .behavior import Behavior


class ProcessInstance(Behavior):
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
            work.results[instance.key] = variables
        compensation.forget(work, instance)
        lifecycle.completed(work, instance, element)

    def terminate(self, work: Work, instance: ElementInstance) -> None:
        """Nothing of it can be undone any more."""

    def left(self, work: Work, instance: ElementInstance, element: Element) -> None:
        """Let the next message start an instance that has waited for this one to end."""
        del element
        if instance.start_key:
            process_id = work.state.tables.definitions[instance.definition].process_id
            correlation.start_waiting(work, process_id, instance.start_key)


def create(  # noqa: PLR0913 - what an instance begins with
    work: Work, definition: int, variables: str, *, start_event: str = "", start_key: str = "", own: str = "{}"
) -> ElementInstance:
    """Create a process instance that is ACTIVATING; `ProcessInstance.activate` goes on.

    Args:
        work: The work on the command.
        definition: Key of the process definition.
        variables: Variables of the instance, as a JSON object.
        start_event: Id of the start event; the none start event by default.
        start_key: Correlation key of the message that starts it.
        own: Variables that the start event brings, as a JSON object.
    """
    key = work.key()
    made = ElementInstance(key, work.model(definition).id, definition, key, -1, "ACTIVATING")
    more = {"startEventId": start_event, "startKey": start_key, "variables": own} if start_event else {}
    lifecycle.record(work, "ELEMENT_ACTIVATING", made, **more)
    instance = work.state.tables.elements[key]
    set_locals(work, instance, read_document(variables))
    return instance
