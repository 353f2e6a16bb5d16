"""What an element waits for while it is active: messages to its boundary events and its event subprocesses."""

from collections.abc import Iterator

from .entities import ElementInstance, Subscription
from .model import Element
from .records import TooLarge, not_extracted
from .work import Work

MAX_KEY = 32 * 1024
"""Bytes of a correlation key. Zeebe cannot store one of a megabyte either; where its limit lies is not known."""


def open_all(work: Work, instance: ElementInstance, element: Element) -> None:
    """Open the subscriptions of an element that is being activated.

    Raises:
        Fault: EXTRACT_VALUE_ERROR: a name or a correlation key cannot be had.
    """
    for event in _waiting(element):
        assert event.message is not None
        variables = work.variables(instance.key)
        name = event.message.name.string(variables, work.clock())
        value = {
            **work.process_of(instance),
            "messageName": name,
            "correlationKey": _correlation_key(work, instance, event),
            "elementId": event.id,
            "elementInstanceKey": instance.key,
            "interrupting": event.interrupting,
            "messageKey": -1,
        }
        work.event("PROCESS_MESSAGE_SUBSCRIPTION", "CREATED", work.key(), value)


def _waiting(element: Element) -> Iterator[Element]:
    for event in element.boundaries:
        if event.message is not None:
            yield event
    for inner in element.event_subprocesses:
        if inner.none_start is not None and inner.none_start.message is not None:
            yield inner.none_start


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


def close(work: Work, instance: ElementInstance, *, but: int = -1) -> None:
    """Close the subscriptions of an element, all but one."""
    for key in sorted(work.state.subscriptions_of.get(instance.key, ())):
        if key != but:
            close_one(work, work.state.tables.subscriptions[key])


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
