"""Multi-instance activities: what each instance begins with, and what is collected of it."""

import msgspec

from .entities import ElementInstance
from .model import Element
from .variables import encode, set_locals
from .work import Work

_VARIABLE = 0
"""Where the name stands in an expression such as `result.id`."""


def prepare(work: Work, instance: ElementInstance, element: Element, item: str) -> None:
    """Set the variables that are an instance's own: its item, its number, and the result that is collected."""
    assert element.loop is not None
    own = {"loopCounter": str(instance.loop)}
    if element.loop.item_name:
        own[element.loop.item_name] = item
    if element.loop.collected is not None:
        name = element.loop.collected.text.split(".")[_VARIABLE].strip()
        if name.isidentifier():
            # So a job's result of that name stays with its instance.
            own.setdefault(name, "null")
    set_locals(work, instance, own)


def output_of(work: Work, instance: ElementInstance, element: Element) -> dict[str, str]:
    """Return what is collected of an instance that completes, as JSON text under `output`; nothing of others.

    Raises:
        Fault: It cannot be had.
    """
    if instance.loop <= 0 or element.loop is None or element.loop.collected is None:
        return {}
    value = element.loop.collected.json(work.variables(instance.key), work.clock(), "EXTRACT_VALUE_ERROR")
    return {"output": encode(value)}


def collection(work: Work, body: ElementInstance, size: int) -> str:
    """Return what a body has collected, in the order of the items, as a JSON array."""
    outputs = work.state.tables.outputs.get(body.key, {})
    return "[" + ",".join(outputs.get(number, "null") for number in range(1, size + 1)) + "]"


def items_of(work: Work, body: ElementInstance, element: Element) -> list[str]:
    """Return the items of a loop, each as JSON text.

    Raises:
        Fault: EXTRACT_VALUE_ERROR: there is no list.
    """
    assert element.loop is not None
    name = element.loop.items.text
    if name.isidentifier() and name not in _LITERALS:
        found = work.variables(body.key).find(name)
        if found is not None and found[1].value.startswith("["):
            # As it is: to make numbers of FEEL of it and then JSON again would take long for a long list.
            return [bytes(raw).decode() for raw in _LIST.decode(found[1].value)]
    items = element.loop.items.typed(work.variables(body.key), work.clock(), "ARRAY")
    return [bytes(raw).decode() for raw in _LIST.decode(encode(element.loop.items.to_json(items)))]


_LITERALS = frozenset({"true", "false", "null"})
_LIST = msgspec.json.Decoder(list[msgspec.Raw])
