"""Messages from outside."""

from typing import Any

from .. import correlation, subscriptions
from ..apply.messages import message_identity
from ..records import Command, Rejection, invalid, not_found
from ..variables import check_document
from ..work import Work
from .registry import handles


@handles("MESSAGE", "PUBLISH")
def publish(work: Work, command: Command) -> dict[str, Any]:
    """Give a message to who waits for it, and keep it for its time to live."""
    value = command.value
    check_document(value["variables"])
    name, correlation_key, message_id = value["name"], value["correlationKey"], value["messageId"]
    refusal = subscriptions.too_long(correlation_key)
    if refusal:
        raise invalid(refusal)
    if message_id and message_identity(name, correlation_key, message_id) in work.state.tables.message_ids:
        message = (
            f"Expected to publish a new message with id '{message_id}', but a message with that id was already "
            "published"
        )
        code = "ALREADY_EXISTS"
        raise Rejection(code, message)
    key = work.key()
    lives = max(0, value["timeToLive"])
    published = {**value, "variables": value["variables"] or "{}", "deadline": work.now + lives}
    work.event("MESSAGE", "PUBLISHED", key, published)
    correlation.correlate(work, work.state.tables.messages[key])
    if not lives:
        work.event("MESSAGE", "EXPIRED", key, published)
    return {"messageKey": key}


@handles("MESSAGE", "EXPIRE")
def expire(work: Work, command: Command) -> dict[str, Any]:
    """Take a message from the buffer whose time is over."""
    message = work.state.tables.messages.get(command.key)
    if message is None:
        reason = f"Expected to expire message with key '{command.key}', but no such message was found"
        raise not_found(reason)
    value = {
        "name": message.name,
        "correlationKey": message.correlation_key,
        "messageId": message.message_id,
        "deadline": message.deadline,
    }
    work.event("MESSAGE", "EXPIRED", command.key, value)
    return {}
