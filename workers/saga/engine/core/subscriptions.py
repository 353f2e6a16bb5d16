"""What an element waits for while it is active: messages to its boundary events and its event subprocesses."""

from collections.abc import Iterator

from . import timers
from .entities import BODY, ElementInstance, Subscription
from .model import Element, Message
from .records import TooLarge, not_extracted
from .work import Work

MAX_KEY = 32 * 1024
"""Bytes of a correlation key. Zeebe cannot store one of a megabyte either; where its limit lies is not known."""


def open_all(work: Work, instance: ElementInstance, element: Element) -> None:
    """Open what an element waits for that is being activated.

    Raises:
        Fault: EXTRACT_VALUE_ERROR: a name, a correlation key or a time cannot be had.
    """
    for event in _waiting(instance, element):
        if event.timer is not None:
            timers.start(work, instance, event)
        elif event.message is not None:
            _open(work, instance, event, event.message)


def _open(work: Work, instance: ElementInstance, event: Element, message: Message) -> None:
    value = {
        **work.process_of(instance),
        "messageName": message.name.string(work.variables(instance.key), work.clock()),
        "correlationKey": _correlation_key(work, instance, event),
        "elementId": event.id,
        "elementInstanceKey": instance.key,
        "interrupting": event.interrupting,
        "messageKey": -1,
    }
    work.event("PROCESS_MESSAGE_SUBSCRIPTION", "CREATED", work.key(), value)


def _waiting(instance: ElementInstance, element: Element) -> Iterator[Element]:
    if instance.loop <= 0:
        # Boundary events of a multi-instance activity belong to its body.
        yield from element.boundaries
    if instance.loop == BODY:
        return
    if element.type in {"INTERMEDIATE_CATCH_EVENT", "RECEIVE_TASK"}:
        yield element
    if element.type == "EVENT_BASED_GATEWAY":
        yield from (flow.target for flow in element.outgoing)
    yield from (inner.none_start for inner in element.event_subprocesses if inner.none_start is not None)


def too_long(correlation_key: str) -> str:
    """Return what is wrong with a correlation key that is too long; empty for every other."""
    size = len(correlation_key.encode())
    if size <= MAX_KEY:
        return ""
    return f"Expected a correlation key of at most {MAX_KEY} bytes, but it has {size}"


def _correlation_key(work: Work, instance: ElementInstance, event: Element) -> str:
    assert event.message is not None
    assert event.message.correlation_key is not None
    expression = event.message.correlation_key
    value, warnings = expression.outcome(work.variables(instance.key), work.clock())
    kind = expression.kind(value)
    if kind == "STRING":
        refusal = too_long(value)
        if refusal:
            error_type = "EXTRACT_VALUE_ERROR"
            raise TooLarge(error_type, f"{refusal}: '{expression.text}'")
        return str(value)
    number = expression.to_json(value)
    if kind == "NUMBER" and isinstance(number, int):
        return str(number)
    message = (
        f"Failed to extract the correlation key for '{expression.text}': The value must be either a string or a "
        f"number, but was '{kind}'.{warnings}"
    )
    raise not_extracted(message)


def close(work: Work, instance: ElementInstance) -> None:
    """Close what an element waits for."""
    for key in sorted(work.state.subscriptions_of.get(instance.key, ())):
        close_one(work, work.state.tables.subscriptions[key])
    timers.cancel(work, instance.key)


def close_one(work: Work, subscription: Subscription) -> None:
    """Close a subscription."""
    work.event("PROCESS_MESSAGE_SUBSCRIPTION", "DELETED", subscription.key, subscription_value(work, subscription))


def subscription_value(work: Work, subscription: Subscription, message: int = -1) -> dict[str, object]:
    """Return what a record says of a subscription."""
    return {
        **work.process_of(work.state.tables.elements[subscription.element]),
        "messageName": subscription.name,
        "correlationKey": subscription.correlation_key,
        "elementId": subscription.event,
        "elementInstanceKey": subscription.element,
        "interrupting": subscription.interrupting,
        "messageKey": message,
    }
