"""Compensation: what has completed can be undone, once."""

from typing import Any

from . import lifecycle
from .entities import Compensation, ElementInstance
from .model import Element
from .work import Work


def remember(work: Work, instance: ElementInstance, activity: Element) -> None:
    """Note that an activity with a compensation boundary event has completed."""
    assert activity.compensation is not None
    assert activity.compensation.compensation is not None
    assert activity.scope is not None
    value = {
        **work.process_of(instance),
        "compensableActivityId": activity.id,
        "compensableActivityScopeId": activity.scope.id,
        "compensableActivityScopeKey": instance.scope,
        "compensationHandlerId": activity.compensation.compensation.id,
        "throwEventId": "",
        "throwEventInstanceKey": -1,
    }
    work.event("COMPENSATION_SUBSCRIPTION", "CREATED", work.key(), value)


def begin(work: Work, throw: ElementInstance, event: Element) -> bool:
    """Activate the handlers that a throw event asks for; tell whether there are any."""
    scope = work.scope_of(throw)
    elements = work.model(throw.definition).elements
    scopes = {scope.key}
    if work.element(scope).type == "EVENT_SUB_PROCESS":
        scopes.add(scope.scope)
    found = [
        compensation
        for compensation in _of(work, throw)
        if compensation.throw == -1
        and compensation.scope in scopes
        and _is_meant(elements[compensation.activity], event.compensates)
    ]
    for compensation in found:
        value = _value(work, throw, compensation, throw)
        work.event("COMPENSATION_SUBSCRIPTION", "TRIGGERED", compensation.key, value)
        _activate_handler(work, compensation)
    return bool(found)


def _is_meant(activity: Element, reference: str) -> bool:
    """Tell whether a throw event means an activity: all of its scope, this one, or all in a subprocess."""
    return reference in {"", activity.id} or any(scope.id == reference for scope in activity.scopes())


def _activate_handler(work: Work, compensation: Compensation) -> None:
    scope = work.state.tables.elements[compensation.scope]
    elements = work.model(scope.definition).elements
    boundary = elements[compensation.activity].compensation
    assert boundary is not None
    passed = lifecycle.enter(work, scope, boundary)
    lifecycle.activated(work, passed)
    lifecycle.record(work, "ELEMENT_COMPLETING", passed)
    lifecycle.record(work, "ELEMENT_COMPLETED", passed)
    lifecycle.request(work, scope, elements[compensation.handler], compensationSubscriptionKey=compensation.key)


def end(work: Work, inside: ElementInstance, key: int, *, done: bool) -> None:
    """Note the end of a handler; the throw event behind the last one of its handlers goes on.

    Args:
        work: The work on the command.
        inside: The handler's instance, or the scope in which it would have been activated.
        key: Key of the subscription that the handler was for; of other activities it is none.
        done: Whether the handler has completed, and was not terminated or never begun.
    """
    compensation = work.state.tables.compensations.get(key)
    if compensation is None:
        return
    throw = work.state.tables.elements.get(compensation.throw)
    value = _value(work, inside, compensation, throw)
    work.event("COMPENSATION_SUBSCRIPTION", "COMPLETED" if done else "DELETED", compensation.key, value)
    if throw is not None and throw.state == "ACTIVATED":
        rest = [other for other in _of(work, throw) if other.throw == throw.key]
        if not rest:
            work.follow_up("COMPLETE_ELEMENT", throw.key, {"hops": work.hops})


def forget(work: Work, scope: ElementInstance) -> None:
    """Delete what could be undone in a scope that has ended; with a process instance that is all of it."""
    for compensation in _of(work, scope):
        if scope.scope == -1 or compensation.scope == scope.key:
            value = _value(work, scope, compensation, None)
            work.event("COMPENSATION_SUBSCRIPTION", "DELETED", compensation.key, value)


def _of(work: Work, instance: ElementInstance) -> list[Compensation]:
    keys = sorted(work.state.compensations_of.get(instance.process_instance, ()))
    return [work.state.tables.compensations[key] for key in keys]


def _value(
    work: Work, inside: ElementInstance, compensation: Compensation, throw: ElementInstance | None
) -> dict[str, Any]:
    """Return what a record says of a subscription of the process instance that `inside` is in."""
    activity = work.model(inside.definition).elements[compensation.activity]
    assert activity.scope is not None
    return {
        **work.process_of(inside),
        "compensableActivityId": compensation.activity,
        "compensableActivityScopeId": activity.scope.id,
        "compensableActivityScopeKey": compensation.scope,
        "compensationHandlerId": compensation.handler,
        "throwEventId": "" if throw is None else throw.element,
        "throwEventInstanceKey": -1 if throw is None else throw.key,
    }
