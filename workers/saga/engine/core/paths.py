"""Elements that are activated from outside, with the scopes around them."""

from . import lifecycle
from .entities import BODY, ElementInstance
from .model import Element, Process
from .records import invalid
from .variables import set_locals
from .work import Work

_BEGIN_BY_THEMSELVES = frozenset({"PROCESS", "START_EVENT", "BOUNDARY_EVENT"})
ByScope = dict[str, dict[str, str]]
"""Variables by the id of the element whose scope they belong to; the empty id is the process instance."""


def can_be_entered(element: Element, process: Process) -> bool:
    """Tell whether an element can be activated from outside: not what begins by itself, nor what a loop repeats."""
    awaited = any(
        other.type == "EVENT_BASED_GATEWAY" and any(flow.target is element for flow in other.outgoing)
        for other in process.elements.values()
    )
    repeated = any(scope.loop is not None for scope in element.scopes())
    return element.type not in _BEGIN_BY_THEMSELVES and not awaited and not repeated


def enter_inside(
    work: Work, instance: ElementInstance, element: Element, variables: ByScope, *, ancestor: int = -1
) -> ElementInstance:
    """Create an instance of an element as if the flow before it had been taken; it is to be activated next.

    Scopes around it that are not active are created, without their start events and input mappings.

    Args:
        work: The work on the command.
        instance: The process instance.
        element: What is entered.
        variables: What is set before it is activated.
        ancestor: Key of the scope that it is entered in, where there are several.

    Raises:
        Rejection: More than one scope would do, and none is named.
        Fault: A scope that is created cannot open what it waits for.
    """
    scope = instance
    set_locals(work, instance, {**variables.get("", {}), **variables.get(instance.element, {})})
    for around in reversed([found for found in element.scopes() if found.type != "PROCESS"]):
        scope = _inside(work, scope, around, ancestor)
        set_locals(work, scope, variables.get(around.id, {}))
    made = lifecycle.enter(work, scope, element, **({"loop": BODY} if element.loop is not None else {}))
    set_locals(work, made, variables.get(element.id, {}))
    return made


def _inside(work: Work, scope: ElementInstance, element: Element, ancestor: int) -> ElementInstance:
    active = [
        child
        for child in work.state.children_of(scope.key)
        if child.element == element.id and child.state in {"ACTIVATING", "ACTIVATED"}
    ]
    named = [child for child in active if child.key == ancestor]
    if len(named or active) > 1:
        message = (
            f"Expected to activate an element inside of '{element.id}', but it has several active instances. Say in "
            "which by its ancestor element instance key"
        )
        raise invalid(message)
    if named or active:
        return (named or active)[0]
    made = lifecycle.enter(work, scope, element)
    lifecycle.open_scope(work, made)
    return made
