"""Follow-up commands: steps of elements that come after the one before, so that nothing recurs over elements."""

from typing import Any

from . import active, compensation, lifecycle, loops
from .entities import BODY, ElementInstance
from .records import NONE_KEY, Command, Fault, not_found
from .work import Work

_BRINGS = ("variables", "compensationSubscriptionKey", "triggered")
"""What a request to activate an element gives to its instance."""
MAX_HOPS = 10_000
"""Elements that a token may pass one after the other without a wait."""


def activate_element(work: Work, command: dict[str, Any]) -> None:
    """Carry out a request to activate an element.

    Raises:
        Rejection: The scope has ended or is ending.
    """
    scope = _open_scope(work, "ACTIVATE_ELEMENT", command)
    if scope is None:
        return
    element = work.model(scope.definition).elements[command["elementId"]]
    work.hops = command["hops"]
    extra = {name: command[name] for name in _BRINGS if command.get(name) not in {None, "{}"}}
    if element.loop is not None:
        extra["loop"] = command.get("loopCounter", BODY)
    instance = lifecycle.enter(work, scope, element, **extra)
    if instance.loop > 0:
        loops.prepare(work, instance, element, command["item"])
    problem = _spinning(work, instance)
    if problem:
        work.incident(instance, Fault("UNKNOWN", problem))
    else:
        lifecycle.activate(work, instance)


def _spinning(work: Work, instance: ElementInstance) -> str:
    """Return the text of the incident where an instance does not stop by itself; empty for others."""
    if work.hops > MAX_HOPS:
        return (
            f"The token has passed {MAX_HOPS} elements one after the other without a wait state. Put a wait state into "
            "the loop, or resolve the incident to let it pass as many again"
        )
    if not work.state.active.has_room(instance.process_instance):
        return (
            f"More than {active.MAX_ACTIVE} elements and tokens are active in the process instance and in those that "
            "it calls. Cancel it, or resolve the incident to go on here"
        )
    return ""


def activate_items(work: Work, command: dict[str, Any]) -> None:
    """Carry out a request to activate a portion of a multi-instance activity's instances.

    Raises:
        Rejection: The body has ended.
    """
    body = _open_scope(work, "ACTIVATE_ITEMS", command)
    if body is not None:
        work.hops = command["hops"]
        lifecycle.request_items(work, body, work.element(body), command["items"], command["first"])


def _open_scope(work: Work, intent: str, command: dict[str, Any]) -> ElementInstance | None:
    """Return the scope in which a command is to activate something; None where it is ending.

    Raises:
        Rejection: It has ended.
    """
    scope = work.state.tables.elements.get(command["flowScopeKey"])
    if scope is None:
        message = f"Expected to activate an element in scope '{command['flowScopeKey']}', but no such scope was found"
        raise not_found(message)
    if scope.state != "TERMINATING" and scope.trigger is None:
        return scope
    work.reject("PROCESS_INSTANCE", intent, NONE_KEY, not_found("The scope is being interrupted"))
    compensation.end(work, scope, command.get("compensationSubscriptionKey", NONE_KEY), done=False)
    lifecycle.settle(work, scope, terminated=True)
    return None


def complete_element(work: Work, key: int, command: dict[str, Any]) -> None:
    """Carry out a request to complete a scope, a throw event whose handlers are done, or a call activity.

    Raises:
        Rejection: It has ended, or something has begun in it since.
    """
    instance = _living(work, key)
    if instance.state != "ACTIVATED" or not work.state.is_empty(instance) or instance.trigger is not None:
        message = f"Expected to complete the element instance with key '{key}', but it is not at its end"
        raise not_found(message)
    work.hops = command.get("hops", 0)
    lifecycle.complete(work, instance, command.get("variables", "{}"))


def terminate_element(work: Work, key: int) -> None:
    """Carry out a request to terminate an element.

    Raises:
        Rejection: It has ended, or is being terminated.
    """
    instance = _living(work, key)
    if instance.state == "TERMINATING":
        message = f"Expected to terminate the element instance with key '{key}', but it is being terminated"
        raise not_found(message)
    lifecycle.terminate(work, instance)


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
        case "ACTIVATE_ITEMS":
            activate_items(work, command.value)
        case "COMPLETE_ELEMENT":
            complete_element(work, command.key, command.value)
        case "TERMINATE_ELEMENT":
            terminate_element(work, command.key)
        case "SETTLE_ELEMENT":
            lifecycle.settle(work, _living(work, command.key), terminated=True)
        case "CONTINUE_ELEMENT":
            continue_element(work, command.key)


def continue_element(work: Work, key: int) -> None:
    """Repeat the step at which an element had an incident.

    Raises:
        Rejection: The element has ended.
    """
    instance = _living(work, key)
    if instance.state == "ACTIVATING":
        lifecycle.activate(work, instance)
    elif instance.state == "COMPLETING":
        lifecycle.finish(work, instance)
