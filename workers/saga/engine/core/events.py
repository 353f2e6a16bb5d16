"""Events that have happened: what they interrupt, and what begins then."""

from . import lifecycle, subscriptions
from .entities import ElementInstance
from .model import Element
from .work import Work


def trigger(work: Work, owner: ElementInstance, event: Element, variables: str) -> None:
    """Let an event happen that an element waits for, or that catches an error.

    Args:
        work: The work on the command.
        owner: The activity of a boundary event, the scope of an event subprocess, an event-based gateway, or the event.
        event: The boundary event, the start event of the event subprocess, or the catch event.
        variables: What comes with it, as a JSON object.
    """
    if event.id == owner.element:
        lifecycle.complete(work, owner, variables)
        return
    if work.element(owner).type == "EVENT_BASED_GATEWAY":
        _choose(work, owner, event, variables)
        return
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
    interrupt(work, owner, begins.id, variables)


def interrupt(work: Work, owner: ElementInstance, target: str, variables: str) -> None:
    """Terminate all that is in a scope; what is to come then, `lifecycle.settle` begins."""
    _triggering(work, owner, target, variables)
    subscriptions.close(work, owner)
    children = work.state.children_of(owner.key)
    for child in children:
        if child.key in work.state.tables.elements:
            lifecycle.terminate(work, child)
    if not children:
        lifecycle.settle(work, owner, terminated=True)


def _choose(work: Work, gateway: ElementInstance, event: Element, variables: str) -> None:
    """Leave an event-based gateway by the event that has happened first."""
    element = work.element(gateway)
    lifecycle.record(work, "ELEMENT_COMPLETING", gateway)
    flows = [flow for flow in element.outgoing if flow.target is event]
    lifecycle.completed(work, gateway, element, flows, variables=variables, triggered=True)


def _triggering(work: Work, owner: ElementInstance, target: str, variables: str) -> None:
    value = {
        **work.process_of(owner),
        "scopeKey": owner.key,
        "targetElementId": target,
        "variables": variables,
        "hops": work.hops,
    }
    work.event("PROCESS_EVENT", "TRIGGERING", owner.key, value)
