"""Fields that a newer client sends and this engine does not know: refused, for they may change what happens."""

from collections.abc import Iterable
from functools import cache

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

HARMLESS = {
    # tenantFilter (8.8): there is one tenant, so both of its values mean the same.
    ("ActivateJobsRequest", 8),
    ("StreamActivatedJobsRequest", 7),
}
"""Message name and field number of what may be ignored, with the reason."""


def unknown_field(message: Message) -> str | None:
    """Return the first unknown field of a message or of one inside it, as `Message.number`; None if there is none."""
    descriptor = message.DESCRIPTOR
    fields = UnknownFieldSet(message)
    for position in range(len(fields)):
        number = fields[position].field_number
        if (descriptor.name, number) not in HARMLESS:
            return f"{descriptor.name}.{number}"
    for each in _message_fields(descriptor):
        for child in _children(message, each):
            found = unknown_field(child)
            if found is not None:
                return found
    return None


def _children(message: Message, field: FieldDescriptor) -> Iterable[Message]:
    if field.is_repeated:
        children: Iterable[Message] = getattr(message, field.name)
        return children
    return (getattr(message, field.name),) if message.HasField(field.name) else ()


@cache
def _message_fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    return tuple(field for field in descriptor.fields if field.message_type is not None)
