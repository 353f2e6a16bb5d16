"""An element's life: activating, activated, completing, completed, or terminated; and what its end means around it."""

from typing import TYPE_CHECKING, Any

from . import compensation, subscriptions
from .entities import ElementInstance
from .model import Element, Flow
from .records import NONE_KEY, Command, Fault, not_found
from .work import Work

if TYPE_CHECKING:
    from .elements.behavior import Behavior

MAX_HOPS = 10_000
"""Elements that a token may pass one after the other without a wait."""


def behavior_of(element: Element) -> "Behavior":
    """Return how an element of its kind behaves."""
    from .elements import BEHAVIORS  # noqa: PLC0415 - the kinds are written in terms of this module

    return BEHAVIORS.get((element.type, element.event_type)) or BEHAVIORS[element.type, ""]


def record(work: Work, intent: str, instance: ElementInstance, **more: Any) -> None:  # noqa: ANN401 - a record's value
    """Write where an element instance stands in its life."""
    element = work.element(instance)
    value = {
        **work.process_of(instance),
        "version": work.state.definition(instance).version,
        "elementId": element.id,
        "elementName": element.name,
        "bpmnElementType": element.type,
        "bpmnEventType": element.event_type,
        "flowScopeKey": instance.scope,
        "parentProcessInstanceKey": NONE_KEY,
        "parentElementInstanceKey": NONE_KEY,
        **more,
    }
    work.event("PROCESS_INSTANCE", intent, instance.key, value)


def request(work: Work, scope: ElementInstance, element: Element, **more: Any) -> None:  # noqa: ANN401 - a command's value
    """Ask for an element to be activated in a scope; until that is done the scope has a token for it."""
    value = {"elementId": element.id, "flowScopeKey": scope.key, "hops": work.hops + 1, **more}
    work.follow_up("ACTIVATE_ELEMENT", NONE_KEY, value)


def activate_element(work: Work, command: dict[str, Any]) -> None:
    """Carry out a request to activate an element.

    Raises:
        Rejection: The scope has ended or is ending.
    """
    scope = work.state.tables.elements.get(command["flowScopeKey"])
    if scope is None:
        message = f"Expected to activate an element in scope '{command['flowScopeKey']}', but no such scope was found"
        raise not_found(message)
    if scope.state == "TERMINATING" or scope.trigger is not None:
        work.reject("PROCESS_INSTANCE", "ACTIVATE_ELEMENT", NONE_KEY, not_found("The scope is being interrupted"))
        settle(work, scope, terminated=True)
        return
    element = work.model(scope.definition).elements[command["elementId"]]
    work.hops = command["hops"]
    extra = {
        name: command[name]
        for name in ("variables", "compensationSubscriptionKey")
        if command.get(name) not in {None, "{}"}
    }
    instance = enter(work, scope, element, **extra)
    if work.hops > MAX_HOPS:
        message = (
            f"The token has passed {MAX_HOPS} elements one after the other without a wait state. Put a wait state into "
            "the loop, or resolve the incident to let it pass as many again"
        )
        work.incident(instance, Fault("UNKNOWN", message))
        return
    with work.step(instance):
        behavior_of(element).activate(work, instance, element)


def enter(
    work: Work,
    scope: ElementInstance,
    element: Element,
    **more: Any,  # noqa: ANN401 - a record's value
) -> ElementInstance:
    """Create an element instance; what its kind does then comes in a step of its own."""
    key = work.key()
    made = ElementInstance(key, element.id, scope.definition, scope.process_instance, scope.key, "ACTIVATING")
    record(work, "ELEMENT_ACTIVATING", made, hops=work.hops, **more)
    return work.state.tables.elements[key]


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
    record(work, "ELEMENT_COMPLETING", instance, **({} if variables == "{}" else {"variables": variables}))
    finish(work, instance)


def finish(work: Work, instance: ElementInstance) -> None:
    """Complete an element that is COMPLETING: what its kind does, its end, and the flows behind it."""
    element = work.element(instance)
    with work.step(instance):
        behavior_of(element).complete(work, instance, element)


def completed(work: Work, instance: ElementInstance, element: Element, flows: list[Flow] | None = None) -> None:
    """Write the end of an element, take flows behind it, and look whether its scope is at its end too.

    Args:
        work: The work on the command.
        instance: The element instance.
        element: Its element.
        flows: The flows that are taken; by default all.
    """
    subscriptions.close(work, instance)
    scope = work.state.tables.elements.get(instance.scope)
    if element.compensation is not None and scope is not None and not element.is_handler:
        compensation.remember(work, instance, element)
    record(work, "ELEMENT_COMPLETED", instance)
    if scope is not None:
        for flow in element.outgoing if flows is None else flows:
            _take(work, scope, flow.id, instance)
            request(work, scope, flow.target)
    behavior_of(element).left(work, instance, element)
    if scope is not None:
        settle(work, scope, terminated=False)


def _take(work: Work, scope: ElementInstance, flow: str, instance: ElementInstance) -> None:
    value = {
        **work.process_of(instance),
        "version": work.state.definition(instance).version,
        "elementId": flow,
        "elementName": "",
        "bpmnElementType": "SEQUENCE_FLOW",
        "bpmnEventType": "UNSPECIFIED",
        "flowScopeKey": scope.key,
        "parentProcessInstanceKey": NONE_KEY,
        "parentElementInstanceKey": NONE_KEY,
    }
    # A flow has no life of its own and nobody names it: its record carries the key of the element that it leaves.
    work.event("PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN", instance.key, value)


def terminate(work: Work, instance: ElementInstance) -> None:
    """Begin to terminate an element with all that is inside; it is terminated when nothing is left in it."""
    if instance.state == "TERMINATING":
        return
    record(work, "ELEMENT_TERMINATING", instance)
    behavior_of(work.element(instance)).terminate(work, instance)
    if instance.key in work.state.incident_of:
        resolve_record(work, work.state.incident_of[instance.key])
    subscriptions.close(work, instance)
    for child in work.state.children_of(instance.key):
        work.follow_up("TERMINATE_ELEMENT", child.key, {})
    settle(work, instance, terminated=True)


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
        "variableScopeKey": incident.scope,
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
        begin_interrupting(work, scope)
    elif scope.state == "ACTIVATED" and behavior_of(work.element(scope)).is_scope:
        work.follow_up("TERMINATE_ELEMENT" if terminated else "COMPLETE_ELEMENT", scope.key, {})


def _is_boundary(work: Work, scope: ElementInstance) -> bool:
    trigger = scope.trigger
    return trigger is not None and work.model(scope.definition).elements[trigger.element].type == "BOUNDARY_EVENT"


def begin_interrupting(work: Work, scope: ElementInstance) -> None:
    """Activate the event subprocess that a scope has been emptied for."""
    trigger = scope.trigger
    assert trigger is not None
    target = work.model(scope.definition).elements[trigger.element]
    _triggered(work, scope, trigger.element)
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
        request(work, scope, boundary, variables=trigger.variables)
    behavior_of(element).left(work, instance, element)
    if scope is not None:
        settle(work, scope, terminated=True)


def complete_element(work: Work, key: int) -> None:
    """Carry out a request to complete a scope, or a throw event whose handlers are done.

    Raises:
        Rejection: It has ended, or something has begun in it since.
    """
    instance = _living(work, key)
    if instance.state != "ACTIVATED" or not work.state.is_empty(instance) or instance.trigger is not None:
        message = f"Expected to complete the element instance with key '{key}', but it is not at its end"
        raise not_found(message)
    work.hops = instance.hops
    complete(work, instance)


def terminate_element(work: Work, key: int) -> None:
    """Carry out a request to terminate an element.

    Raises:
        Rejection: It has ended, or is being terminated.
    """
    instance = _living(work, key)
    if instance.state == "TERMINATING":
        message = f"Expected to terminate the element instance with key '{key}', but it is being terminated"
        raise not_found(message)
    terminate(work, instance)


def _living(work: Work, key: int) -> ElementInstance:
    instance = work.state.tables.elements.get(key)
    if instance is None:
        message = f"Expected an element instance with key '{key}', but no such element instance was found"
        raise not_found(message)
    return instance


def carry_out(work: Work, command: Command) -> None:
    """Carry out a follow-up command.

    Raises:
        Rejection: What it is about has ended.
    """
    match command.intent:
        case "ACTIVATE_ELEMENT":
            activate_element(work, command.value)
        case "COMPLETE_ELEMENT":
            complete_element(work, command.key)
        case "TERMINATE_ELEMENT":
            terminate_element(work, command.key)
        case "CONTINUE_ELEMENT":
            continue_element(work, command.key)


def continue_element(work: Work, key: int) -> None:
    """Repeat the step at which an element had an incident.

    Raises:
        Rejection: The element has ended.
    """
    instance = _living(work, key)
    if instance.state == "ACTIVATING":
        element = work.element(instance)
        with work.step(instance):
            behavior_of(element).activate(work, instance, element)
    elif instance.state == "COMPLETING":
        finish(work, instance)
    else:
        with work.step(instance):
            behavior_of(work.element(instance)).repeat(work, instance)
