"""Variables: documents that come in, mappings, and where a value goes."""

import math
from collections.abc import Mapping as Values
from typing import Any

import msgspec

from .entities import ElementInstance
from .model import Mapping, Path
from .records import Fault, invalid
from .scope import Scope
from .work import Work

_RAW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ANY = msgspec.json.Decoder()
MAX_MAPPED = 4 * 1024 * 1024
"""Characters of a value that a mapping or a loop makes, as JSON: no more than a client could send."""


def check_document(text: str) -> None:
    """Check that a text is a JSON object; empty text is an empty one.

    Raises:
        Rejection: INVALID_ARGUMENT: it is not JSON, or its root is not an object.
    """
    if not text or text == "{}":
        return
    try:
        value = _ANY.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        # The text may hold a customer's data, so that only the place of the error is told.
        message = f"Invalid JSON value: {error}"
        raise invalid(message) from None
    if not isinstance(value, dict):
        message = (
            "Property 'variables' is invalid: Expected document to be a root level object, but was "
            f"'{_json_type(value)}'"
        )
        raise invalid(message)


def variables_of(document: str) -> dict[str, str]:
    """Return the variables of a checked document, as compact JSON text by name."""
    if not document or document == "{}":
        return {}
    compact = msgspec.json.format(document.encode(), indent=-1)
    return {name: bytes(raw).decode() for name, raw in _RAW.decode(compact).items()}


def read_document(text: str) -> dict[str, str]:
    """Return the variables of a JSON object, as compact JSON text by name; empty text is an empty object.

    Raises:
        Rejection: INVALID_ARGUMENT: it is not JSON, or its root is not an object.
    """
    check_document(text)
    return variables_of(text)


def _json_type(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bool():
            return "BOOLEAN"
        case int() | float():
            return "NUMBER"
        case str():
            return "STRING"
        case _:
            return "ARRAY"


def encode(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a value as JSON text; what JSON has no number for becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return msgspec.json.encode(value).decode()


def check_size(text: str) -> str:
    """Return the JSON text of a value that a mapping or a loop makes, if it is not too large.

    Raises:
        Fault: IO_MAPPING_ERROR: it is.
    """
    if len(text) > MAX_MAPPED:
        error_type = "IO_MAPPING_ERROR"
        raise Fault(
            error_type, f"The value of a mapping has {len(text)} characters as JSON; at most {MAX_MAPPED} are kept"
        )
    return text


def set_locals(work: Work, scope: ElementInstance, pairs: Values[str, str]) -> None:
    """Set variables of exactly this scope."""
    for name, text in pairs.items():
        held = work.state.tables.variables.get(scope.key, {}).get(name)
        if held is None:
            _write(work, "CREATED", work.key(), scope, name, text)
        elif held.value != text:
            _write(work, "UPDATED", held.key, scope, name, text)


def propagate(work: Work, scope: ElementInstance, pairs: Values[str, str]) -> None:
    """Set variables in the nearest scope that has the name, from `scope` outwards; a new name goes to the instance."""
    for name, text in pairs.items():
        found = work.variables(scope.key).find(name)
        if found is None:
            _write(work, "CREATED", work.key(), work.state.instance(scope.key), name, text)
        elif found[1].value != text:
            _write(work, "UPDATED", found[1].key, work.state.tables.elements[found[0]], name, text)


def _write(  # noqa: PLR0913, PLR0917 - what the record says
    work: Work, intent: str, key: int, scope: ElementInstance, name: str, text: str
) -> None:
    value = {**work.process_of(scope), "scopeKey": scope.key, "name": name, "value": text}
    work.event("VARIABLE", intent, key, value)


def apply_inputs(work: Work, instance: ElementInstance, mappings: list[Mapping]) -> None:
    """Carry out the input mappings: each creates a variable of the element, and a later one sees the earlier.

    Raises:
        Fault: IO_MAPPING_ERROR: one fails.
    """
    made: dict[str, Any] = {}
    for mapping in mappings:
        # A path begins a new object: that of a scope around it is hidden, not merged.
        value = mapping.source.json(work.variables(instance.key), work.clock(), "IO_MAPPING_ERROR")
        name = mapping.target[0]
        made[name] = _placed(made.get(name), mapping.target[1:], value)
        set_locals(work, instance, {name: check_size(encode(made[name]))})


def apply_outputs(work: Work, instance: ElementInstance, mappings: list[Mapping], came: Values[str, str]) -> None:
    """Let out what an element has: what its mappings name, or without any all that came from the job or the event.

    Raises:
        Fault: IO_MAPPING_ERROR: one fails.
    """
    if not mappings:
        propagate(work, instance, came)
        return
    set_locals(work, instance, came)
    outside = work.scope_of(instance)
    for mapping in mappings:
        value = mapping.source.json(work.variables(instance.key), work.clock(), "IO_MAPPING_ERROR")
        name = mapping.target[0]
        if len(mapping.target) > 1:
            held: Scope = work.variables(outside.key)
            value = _placed(held.get(name), mapping.target[1:], value)
        propagate(work, outside, {name: check_size(encode(value))})


def _placed(held: object, path: Path, value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return `held` with the value at a path of it; what is not an object on the way is replaced by one."""
    if not path:
        return value
    base = held if isinstance(held, dict) else {}
    return {**base, path[0]: _placed(base.get(path[0]), path[1:], value)}
