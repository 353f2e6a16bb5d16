"""Random requests of the gateway, made from the protocol's own descriptors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

DOCUMENTS = (
    *("", "{}", "[]", "null", "{", '{"n": 1}', '{"k": "1", "n": 1, "manual": true, "r": 1}', '{"k": null}'),
    *('{"a": {"b": [1, 2.5, "x"]}}', '{"":1}', '{"n":1,"n":2}', '{"x": 1e999}', '{"x": "\\ud800"}', "1" * 400),
    *("[" * 2_000, '{"a":' * 1_500 + "1" + "}" * 1_500, '{"big": "' + "x" * 20_000 + '"}'),
)
"""What a client may write where variables belong."""
_BOUNDS = {
    FieldDescriptor.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    FieldDescriptor.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    FieldDescriptor.TYPE_UINT64: (0, (1 << 64) - 1),
}


@dataclass
class Known:
    """What there is, so that some requests are about it."""

    texts: Sequence[str]
    """Ids of processes and elements, job types, names of messages."""
    keys: list[int] = field(default_factory=list)
    resources: Sequence[bytes] = ()


def messages(descriptor: Descriptor, known: Known) -> st.SearchStrategy[Message]:
    """Draw messages of a type; each field may be absent, and some name what there is."""
    values = {each.name: _values(each, known) for each in descriptor.fields}
    make: Callable[..., Message] = GetMessageClass(descriptor)
    return st.fixed_dictionaries({}, optional=values).map(lambda given: make(**given))


def _values(described: FieldDescriptor, known: Known) -> st.SearchStrategy[Any]:
    value = _value(described, known)
    return st.lists(value, max_size=3) if described.is_repeated else value


def _value(described: FieldDescriptor, known: Known) -> st.SearchStrategy[Any]:
    match described.type:
        case FieldDescriptor.TYPE_MESSAGE:
            assert described.message_type
            value: st.SearchStrategy[Any] = messages(described.message_type, known)
        case FieldDescriptor.TYPE_ENUM:
            assert described.enum_type
            value = st.sampled_from([each.number for each in described.enum_type.values])
        case FieldDescriptor.TYPE_BOOL:
            value = st.booleans()
        case FieldDescriptor.TYPE_BYTES:
            value = st.one_of(st.sampled_from(known.resources), st.binary(max_size=50))
        case FieldDescriptor.TYPE_STRING:
            value = _texts(described.name, known)
        case _:
            value = _numbers(described, known)
    return value


def _numbers(described: FieldDescriptor, known: Known) -> st.SearchStrategy[int]:
    least, most = _BOUNDS[described.type]
    number = st.one_of(
        st.sampled_from([max(-1, least), 0, 1, 2, 3, 100, 60_000, least, most]), st.integers(least, most)
    )
    if not described.name.endswith("Key"):
        return number
    # Twice, so that most requests are about something; the list grows while requests are drawn.
    there = st.integers(0, 10_000).map(lambda n: known.keys[n % len(known.keys)] if known.keys else -1)
    return st.one_of(there, there, number)


def _texts(name: str, known: Known) -> st.SearchStrategy[str]:
    text = st.one_of(st.sampled_from(known.texts), st.text(max_size=20))
    match name:
        case "variables":
            return st.one_of(st.sampled_from(DOCUMENTS), st.text(max_size=20))
        case "tenantId" | "tenantIds":
            return st.sampled_from(["", "<default>", "<default>", "other"])
        case "name":
            return st.one_of(text, st.sampled_from(["a.bpmn", "b.xml", "c.form", "d.dmn", "e"]))
        case _:
            return text
