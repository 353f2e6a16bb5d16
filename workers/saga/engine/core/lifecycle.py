"""An element's life: activating, activated, completing, completed, or terminated; and what its end means around it."""

from typing import Any

from . import loops, subscriptions
from .behaviors import behavior_of
from .entities import BODY, ElementInstance
from .model import Element, Flow
from .records import NONE_KEY
from .work import Work

PORTION = 100
"""Items of a list whose activities are asked for in one step."""


def record(work: Work, intent: str, instance: ElementInstance, **more: Any) -> None:  # noqa: ANN401 - a record's value
    """Write where an element instance stands in its life."""
    executable = work.executable(instance.definition)
    facts = (executable.bodies if instance.loop == BODY else executable.facts)[instance.element]
    value = {**facts, **more}
    value["processInstanceKey"] = instance.process_instance
    value["flowScopeKey"] = instance.scope
    if instance.parent != NONE_KEY:
        value["parentElementInstanceKey"] = instance.parent
        value["parentProcessInstanceKey"] = work.state.tables.elements[instance.parent].process_instance
    work.event("PROCESS_INSTANCE", intent, instance.key, value)


def request(work: Work, scope: ElementInstance, element: Element, **more: Any) -> None:  # noqa: ANN401 - a command's value
    """Ask for an element to be activated in a scope; until that is done the scope has a token for it."""
    value = {"elementId": element.id, "flowScopeKey": scope.key, "hops": work.hops + 1, **more}
    work.follow_up("ACTIVATE_ELEMENT", NONE_KEY, value)


def request_items(work: Work, body: ElementInstance, element: Element, items: list[str], first: int = 1) -> None:
    """Ask for an instance of a multi-instance activity for each item, the first of which has the number `first`.

    A list that is longer than a portion is cut into portions, each with a follow-up command of its own: so that others
    have their turn between them.
    """
    if len(items) <= PORTION:
        for number, item in enumerate(items, first):
            request(work, body, element, loopCounter=number, item=item)
        return
    for begin in range(0, len(items), PORTION):
        value = {
            "elementId": element.id,
            "flowScopeKey": body.key,
            "hops": work.hops,
            "first": first + begin,
            "items": items[begin : begin + PORTION],
        }
        work.follow_up("ACTIVATE_ITEMS", NONE_KEY, value)


def enter(
    work: Work,
    scope: ElementInstance,
    element: Element,
    **more: Any,  # noqa: ANN401 - a record's value
) -> ElementInstance:
    """Create an element instance; what its kind does then comes in a step of its own."""
    key = work.key()
    made = ElementInstance(
        key, element.id, scope.definition, scope.process_instance, scope.key, "ACTIVATING", loop=more.get("loop", 0)
    )
    record(work, "ELEMENT_ACTIVATING", made, hops=work.hops, **more)
    return work.state.tables.elements[key]


def activate(work: Work, instance: ElementInstance) -> None:
    """Do what an element's kind does when it is activated."""
    element = work.element(instance)
    work.attempt(behavior_of(element, instance).activate, instance, element)


def activated(work: Work, instance: ElementInstance) -> None:
    """Write that an element is activated."""
    record(work, "ELEMENT_ACTIVATED", instance)


def open_scope(work: Work, scope: ElementInstance) -> None:
    """Activate a scope around something that is activated from outside, without its start event and its mappings.

    Raises:
        Fault: What it waits for cannot be had.
    """
    subscriptions.open_all(work, scope, work.element(scope))
    activated(work, scope)


def complete(work: Work, instance: ElementInstance, variables: str = "{}") -> None:
    """Begin to complete an element, and complete it, if nothing hinders that.

    Args:
        work: The work on the command.
        instance: The element.
        variables: What came with its end, from a job or a person, as a JSON object.
    """
    more = {} if variables == "{}" else {"variables": variables}
    record(work, "ELEMENT_COMPLETING", instance, **more)
    finish(work, instance)


def finish(work: Work, instance: ElementInstance) -> None:
    """Complete an element that is COMPLETING: what its kind does, its end, and the flows behind it."""
    element = work.element(instance)
    work.attempt(behavior_of(element, instance).complete, instance, element)


def completed(
    work: Work,
    instance: ElementInstance,
    element: Element,
    flows: list[Flow] | None = None,
    **more: Any,  # noqa: ANN401 - a command's value
) -> None:
    """Write the end of an element, take flows behind it, and look whether its scope is at its end too.

    Args:
        work: The work on the command.
        instance: The element instance.
        element: Its element.
        flows: The flows that are taken; by default all.
        more: What the elements behind the flows are activated with.

    Raises:
        Fault: What a loop collects of its instance cannot be had.
    """
    subscriptions.close(work, instance)
    resolve_incidents(work, instance)
    scope = work.state.tables.elements.get(instance.scope)
    record(work, "ELEMENT_COMPLETED", instance, **loops.output_of(work, instance, element))
    if scope is not None and instance.loop <= 0:
        for flow in element.outgoing if flows is None else flows:
            _take(work, scope, flow, instance, **more)
    behavior_of(element, instance).left(work, instance, element)
    if scope is not None:
        settle(work, scope, terminated=False)


def _take(
    work: Work,
    scope: ElementInstance,
    flow: Flow,
    instance: ElementInstance,
    **more: Any,  # noqa: ANN401 - a command's value
) -> None:
    facts = work.executable(instance.definition).facts[flow.id]
    value = {**facts, "processInstanceKey": instance.process_instance, "flowScopeKey": scope.key}
    waits = flow.target.type == "PARALLEL_GATEWAY" and len(flow.target.incoming) > 1
    if waits:
        value["joins"] = flow.target.id
    # A flow has no life of its own and nobody names it: its record carries the key of the element that it leaves.
    work.event("PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN", instance.key, value)
    if not waits:
        request(work, scope, flow.target, **more)
    elif all(scope.arrived.get(incoming) for incoming in flow.target.incoming):
        request(work, scope, flow.target, joined=flow.target.incoming)


def terminate(work: Work, instance: ElementInstance) -> None:
    """Begin to terminate an element with all that is inside; it is terminated when nothing is left in it."""
    if instance.state == "TERMINATING":
        return
    record(work, "ELEMENT_TERMINATING", instance)
    behavior_of(work.element(instance), instance).terminate(work, instance)
    resolve_incidents(work, instance)
    subscriptions.close(work, instance)
    for child in work.state.children_of(instance.key):
        work.follow_up("TERMINATE_ELEMENT", child.key, {})
    settle(work, instance, terminated=True)


def resolve_incidents(work: Work, instance: ElementInstance) -> None:
    """Close the incidents of an element that ends."""
    for key in sorted(work.state.incidents_of.get(instance.key, ())):
        resolve_record(work, key)


def resolve_record(work: Work, key: int) -> None:
    """Write that an incident is resolved."""
    incident = work.state.tables.incidents[key]
    instance = work.state.tables.elements[incident.element]
    value = {
        **work.process_of(instance),
        "errorType": incident.error_type,
        "errorMessage": incident.message,
        "elementId": instance.element,
        "elementInstanceKey": instance.key,
        "jobKey": incident.job,
        "variableScopeKey": instance.key,
    }
    work.event("INCIDENT", "RESOLVED", key, value)


def settle(work: Work, scope: ElementInstance, *, terminated: bool) -> None:
    """Look what a scope does now that something in it has ended: it goes on, ends, or begins what interrupted it.

    Args:
        work: The work on the command.
        scope: The scope.
        terminated: Whether that which ended was terminated and not completed.
    """
    if scope.key not in work.state.tables.elements or not work.state.is_empty(scope):
        return
    if scope.state == "TERMINATING":
        _terminated(work, scope)
    elif scope.trigger is not None and not _is_boundary(work, scope):
        _after_interruption(work, scope)
    elif scope.state == "ACTIVATED" and _has_inside(work, scope):
        _end(work, scope, terminated=terminated)


def _has_inside(work: Work, scope: ElementInstance) -> bool:
    """Tell whether an element is as long as something in it is."""
    element = work.element(scope)
    return behavior_of(element, scope).is_scope or element.type == "CALL_ACTIVITY"


def _end(work: Work, scope: ElementInstance, *, terminated: bool) -> None:
    if terminated:
        work.follow_up("TERMINATE_ELEMENT", scope.key, {})
    else:
        work.follow_up("COMPLETE_ELEMENT", scope.key, {"hops": work.hops})


def _is_boundary(work: Work, scope: ElementInstance) -> bool:
    trigger = scope.trigger
    return trigger is not None and work.model(scope.definition).elements[trigger.element].type == "BOUNDARY_EVENT"


def _after_interruption(work: Work, scope: ElementInstance) -> None:
    """Activate the event subprocess that a scope was emptied for, or complete the scope after a terminate event."""
    trigger = scope.trigger
    assert trigger is not None
    target = work.model(scope.definition).elements[trigger.element]
    work.hops = trigger.hops
    _triggered(work, scope, trigger.element)
    if target.type == "END_EVENT":
        _end(work, scope, terminated=False)
    else:
        request(work, scope, target, variables=trigger.variables)


def _triggered(work: Work, scope: ElementInstance, target: str) -> None:
    value = {**work.process_of(scope), "scopeKey": scope.key, "targetElementId": target}
    work.event("PROCESS_EVENT", "TRIGGERED", scope.key, value)


def _terminated(work: Work, instance: ElementInstance) -> None:
    element = work.element(instance)
    trigger = instance.trigger if _is_boundary(work, instance) else None
    scope = work.state.tables.elements.get(instance.scope)
    if trigger is not None:
        _triggered(work, instance, trigger.element)
    record(work, "ELEMENT_TERMINATED", instance)
    if trigger is not None and scope is not None:
        boundary = work.model(scope.definition).elements[trigger.element]
        work.hops = trigger.hops
        request(work, scope, boundary, variables=trigger.variables)
    behavior_of(element, instance).left(work, instance, element)
    if scope is not None:
        settle(work, scope, terminated=True)
