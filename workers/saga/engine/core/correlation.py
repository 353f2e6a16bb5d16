"""Messages find who waits for them: events of instances, and start events."""

from . import events, lifecycle, subscriptions
from .creation import create
from .entities import ElementInstance, Message, StartSubscription, Subscription
from .work import Work


def correlate(work: Work, message: Message) -> list[int]:
    """Give a message to one instance of each process that waits for it, and to start events of the others.

    Returns:
        Keys of the process instances that took it: first those that it started, then those that it continued.
    """
    continued: list[int] = []
    for key in sorted(work.state.subscribed.get((message.name, message.correlation_key), ())):
        subscription = work.state.tables.subscriptions.get(key)
        if subscription is not None and subscription.process_id not in message.correlated:
            continued.append(deliver(work, subscription, message))
    starts = [work.state.tables.start_subscriptions[key] for key in sorted(work.state.starts.get(message.name, ()))]
    started = [start(work, subscription, message) for subscription in starts]
    return [instance for instance in started if instance is not None] + continued


def deliver(work: Work, subscription: Subscription, message: Message) -> int:
    """Give a message to an event that waits for it, and return the key of its process instance."""
    owner = work.state.tables.elements[subscription.element]
    value = {**subscriptions.subscription_value(work, subscription, message.key), "variables": message.variables}
    work.event("PROCESS_MESSAGE_SUBSCRIPTION", "CORRELATED", subscription.key, value)
    event = work.model(owner.definition).elements[subscription.event]
    if subscription.interrupting:
        subscriptions.close_one(work, subscription)
    events.trigger(work, owner, event, message.variables)
    return owner.process_instance


def correlate_buffered(work: Work, instance: ElementInstance) -> None:
    """Give buffered messages to the subscriptions that an element has just opened, the oldest first."""
    for key in sorted(work.state.subscriptions_of.get(instance.key, ())):
        subscription = work.state.tables.subscriptions.get(key)
        if subscription is None:
            continue  # a message to another event of the element has closed it
        for message in _buffered(work, subscription.name, subscription.correlation_key):
            open_still = key in work.state.tables.subscriptions
            if open_still and subscription.process_id not in message.correlated:
                deliver(work, subscription, message)


def _buffered(work: Work, name: str, correlation_key: str) -> list[Message]:
    found = [work.state.tables.messages[key] for key in sorted(work.state.buffered.get((name, correlation_key), ()))]
    return [message for message in found if message.deadline > work.now]


def start(work: Work, subscription: StartSubscription, message: Message) -> int | None:
    """Start an instance by a message and return its key.

    Nothing is started, and the answer is None, where the process has had the message or one of its instances holds the
    correlation key.
    """
    definition = work.state.tables.definitions[subscription.definition]
    process_id = definition.process_id
    held = message.correlation_key and (process_id, message.correlation_key) in work.state.locks
    if process_id in message.correlated or held:
        return None
    # Without mappings the variables are the instance's from its beginning: what it waits for may name them.
    is_mapped = bool(work.model(definition.key).elements[subscription.event].outputs)
    instance = create(
        work,
        definition.key,
        "{}" if is_mapped else message.variables,
        start_event=subscription.event,
        start_key=message.correlation_key,
        own=message.variables if is_mapped else "{}",
    )
    value = {
        **work.process_of(instance),
        "messageName": message.name,
        "startEventId": subscription.event,
        "correlationKey": message.correlation_key,
        "messageKey": message.key,
    }
    work.event("MESSAGE_START_EVENT_SUBSCRIPTION", "CORRELATED", subscription.key, value)
    lifecycle.activate(work, instance)
    return instance.key


def start_waiting(work: Work, process_id: str, correlation_key: str) -> None:
    """Start an instance by the oldest message that has waited for the one before it to end."""
    latest = work.state.versions.get(process_id)
    if not latest:
        return
    subscribed = [
        subscription
        for subscription in work.state.tables.start_subscriptions.values()
        if subscription.definition == latest[-1]
    ]
    waiting = [
        (message.key, subscription, message)
        for subscription in sorted(subscribed, key=lambda subscription: subscription.key)
        for message in _buffered(work, subscription.name, correlation_key)
        if process_id not in message.correlated
    ]
    if waiting:
        _, subscription, message = min(waiting, key=lambda found: found[0])
        start(work, subscription, message)
