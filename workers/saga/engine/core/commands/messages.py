"""Messages from outside."""

from typing import Any

from .. import correlation, subscriptions
from ..apply.messages import message_identity
from ..entities import Message
from ..records import Command, Rejection, invalid, not_found
from ..times import until
from ..variables import check_document
from ..work import Work
from .registry import handles


@handles("MESSAGE", "PUBLISH")
def publish(work: Work, command: Command) -> dict[str, Any]:
    """Give a message to who waits for it, and keep it for its time to live."""
    value = command.value
    _check(value)
    message_id = value["messageId"]
    identity = message_identity(value["name"], value["correlationKey"], message_id)
    if message_id and identity in work.state.tables.message_ids:
        reason = (
            f"Expected to publish a new message with id '{message_id}', but a message with that id was already "
            "published"
        )
        code = "ALREADY_EXISTS"
        raise Rejection(code, reason)
    message = _published(work, value)
    correlation.correlate(work, message)
    if message.deadline <= work.now:
        _expired(work, message)
    return {"messageKey": message.key}


@handles("MESSAGE_CORRELATION", "CORRELATE")
def correlate(work: Work, command: Command) -> dict[str, Any]:
    """Give a message to who waits for it now, and keep nothing of it; refuse it where nobody waits."""
    value = command.value
    _check(value)
    message = _published(work, {**value, "messageId": "", "timeToLive": 0})
    instances = correlation.correlate(work, message)
    name, correlation_key = value["name"], value["correlationKey"]
    if not instances:
        reason = (
            f"Expected to find a subscription for the message with name '{name}' and correlation key "
            f"'{correlation_key}', but none was found"
        )
        raise not_found(reason)
    response = {"messageKey": message.key, "processInstanceKey": instances[0]}
    correlated = {"name": name, "correlationKey": correlation_key, **response}
    work.event("MESSAGE_CORRELATION", "CORRELATED", message.key, correlated)
    _expired(work, message)
    return response


@handles("MESSAGE", "EXPIRE")
def expire(work: Work, command: Command) -> dict[str, Any]:
    """Take a message from the buffer whose time is over."""
    message = work.state.tables.messages.get(command.key)
    if message is None:
        reason = f"Expected to expire message with key '{command.key}', but no such message was found"
        raise not_found(reason)
    _expired(work, message)
    return {}


def _check(value: dict[str, Any]) -> None:
    """Check a message's variables and correlation key.

    Raises:
        Rejection: INVALID_ARGUMENT: the variables are not a JSON object, or the key is too long.
    """
    check_document(value["variables"])
    refusal = subscriptions.too_long(value["correlationKey"])
    if refusal:
        raise invalid(refusal)


def _published(work: Work, value: dict[str, Any]) -> Message:
    key = work.key()
    deadline = until(work.now, max(0, value["timeToLive"]))
    work.event("MESSAGE", "PUBLISHED", key, {**value, "variables": value["variables"] or "{}", "deadline": deadline})
    return work.state.tables.messages[key]


def _expired(work: Work, message: Message) -> None:
    value = {
        "name": message.name,
        "correlationKey": message.correlation_key,
        "messageId": message.message_id,
        "deadline": message.deadline,
    }
    work.event("MESSAGE", "EXPIRED", message.key, value)
