"""Fields that a newer client sends and this engine does not know: refused, for they may change what happens."""

from collections.abc import Iterator
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
    for each in _with_children(message):
        name = each.DESCRIPTOR.name
        fields = UnknownFieldSet(each)
        for position in range(len(fields)):
            number = fields[position].field_number
            if (name, number) not in HARMLESS:
                return f"{name}.{number}"
    return None


def _with_children(message: Message) -> Iterator[Message]:
    yield message
    for field in _message_fields(message.DESCRIPTOR):
        if field.is_repeated:
            for child in getattr(message, field.name):
                yield from _with_children(child)
        elif message.HasField(field.name):
            yield from _with_children(getattr(message, field.name))


@cache
def _message_fields(descriptor: Descriptor) -> tuple[FieldDescriptor, ...]:
    return tuple(field for field in descriptor.fields if field.message_type is not None)
