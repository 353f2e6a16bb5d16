"""Events that have happened: what they interrupt, and what begins then."""

from . import lifecycle, subscriptions
from .entities import ElementInstance
from .model import Element
from .work import Work


def trigger(work: Work, owner: ElementInstance, event: Element, variables: str) -> None:
    """Let an event happen that an element waits for, or that catches an error.

    Args:
        work: The work on the command.
        owner: The activity of a boundary event, or the scope of an event subprocess.
        event: The boundary event, or the start event of the event subprocess.
        variables: What comes with it, as a JSON object.
    """
    if event.type == "BOUNDARY_EVENT":
        if event.interrupting:
            _triggering(work, owner, event.id, variables)
            lifecycle.terminate(work, owner)
        else:
            lifecycle.request(work, work.scope_of(owner), event, variables=variables)
        return
    begins = event.scope
    assert begins is not None
    if not event.interrupting:
        lifecycle.request(work, owner, begins, variables=variables)
        return
    _triggering(work, owner, begins.id, variables)
    subscriptions.close(work, owner)
    children = work.state.children_of(owner.key)
    for child in children:
        if child.key in work.state.tables.elements:
            lifecycle.terminate(work, child)
    if not children:
        lifecycle.settle(work, owner, terminated=True)


def _triggering(work: Work, owner: ElementInstance, target: str, variables: str) -> None:
    value = {**work.process_of(owner), "scopeKey": owner.key, "targetElementId": target, "variables": variables}
    work.event("PROCESS_EVENT", "TRIGGERING", owner.key, value)
