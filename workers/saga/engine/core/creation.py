"""New process instances, from outside and by messages."""

from . import lifecycle
from .entities import ElementInstance
from .records import NONE_KEY
from .variables import set_locals, variables_of
from .work import Work


def create(  # noqa: PLR0913 - what an instance begins with
    work: Work,
    definition: int,
    variables: str,
    *,
    start_event: str = "",
    start_key: str = "",
    own: str = "{}",
    parent: int = NONE_KEY,
) -> ElementInstance:
    """Create a process instance that is ACTIVATING; `lifecycle.activate` goes on.

    Args:
        work: The work on the command.
        definition: Key of the process definition.
        variables: Variables of the instance, as a JSON object.
        start_event: Id of the start event; the none start event by default.
        start_key: Correlation key of the message that starts it.
        own: Variables that the start event brings, as a JSON object.
        parent: The element instance of the call activity that calls it.
    """
    key = work.key()
    made = ElementInstance(key, work.model(definition).id, definition, key, NONE_KEY, "ACTIVATING", parent=parent)
    more = {"startEventId": start_event, "startKey": start_key, "variables": own} if start_event else {}
    lifecycle.record(work, "ELEMENT_ACTIVATING", made, **more)
    instance = work.state.tables.elements[key]
    set_locals(work, instance, variables_of(variables))
    return instance
