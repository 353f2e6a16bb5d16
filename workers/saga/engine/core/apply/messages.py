"""Messages in the buffer, and who waits for one."""

import json

from ..entities import Message, Subscription
from ..records import Record
from ..state import State
from .registry import applies


def message_identity(name: str, correlation_key: str, message_id: str) -> str:
    """Return what has to be unique among buffered messages."""
    return json.dumps([name, correlation_key, message_id])


@applies("MESSAGE", "PUBLISHED")
def _published(state: State, record: Record) -> None:
    value = record.value
    message = Message(
        key=record.key,
        name=value["name"],
        correlation_key=value["correlationKey"],
        message_id=value["messageId"],
        deadline=value["deadline"],
        variables=value["variables"],
    )
    state.put(state.tables.messages, record.key, message)
    state.enter(message)
    if message.message_id:
        identity = message_identity(message.name, message.correlation_key, message.message_id)
        state.put(state.tables.message_ids, identity, record.key)


@applies("MESSAGE", "EXPIRED")
def _expired(state: State, record: Record) -> None:
    message = state.tables.messages[record.key]
    state.leave(message)
    state.drop(state.tables.messages, record.key)
    identity = message_identity(message.name, message.correlation_key, message.message_id)
    if state.tables.message_ids.get(identity) == record.key:
        state.drop(state.tables.message_ids, identity)


@applies("PROCESS_MESSAGE_SUBSCRIPTION", "CREATED")
def _opened(state: State, record: Record) -> None:
    value = record.value
    subscription = Subscription(
        key=record.key,
        name=value["messageName"],
        correlation_key=value["correlationKey"],
        process_id=value["bpmnProcessId"],
        element=value["elementInstanceKey"],
        event=value["elementId"],
        interrupting=value["interrupting"],
    )
    state.put(state.tables.subscriptions, record.key, subscription)
    state.enter(subscription)


@applies("PROCESS_MESSAGE_SUBSCRIPTION", "DELETED")
def _closed(state: State, record: Record) -> None:
    state.leave(state.tables.subscriptions[record.key])
    state.drop(state.tables.subscriptions, record.key)


@applies("PROCESS_MESSAGE_SUBSCRIPTION", "CORRELATED")
def _correlated(state: State, record: Record) -> None:
    _note(state, record)


@applies("MESSAGE_START_EVENT_SUBSCRIPTION", "CORRELATED")
def _started(state: State, record: Record) -> None:
    _note(state, record)


def _note(state: State, record: Record) -> None:
    message = state.tables.messages.get(record.value["messageKey"])
    if message is not None:
        state.change(message, "correlated", [*message.correlated, record.value["bpmnProcessId"]])
