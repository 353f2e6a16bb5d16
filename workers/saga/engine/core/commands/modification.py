"""Modification: elements of a running instance begun and ended by a person."""

from typing import Any

from .. import lifecycle
from ..entities import ElementInstance
from ..model import Element, Process
from ..paths import can_be_entered, enter_inside
from ..records import NONE_KEY, Command, Fault, invalid, not_found
from ..variables import read_document
from ..work import Work
from .registry import handles


@handles("PROCESS_INSTANCE_MODIFICATION", "MODIFY")
def modify(work: Work, command: Command) -> dict[str, Any]:
    """Activate and terminate elements of an instance: all that is asked, or nothing."""
    instance = work.state.tables.elements.get(command.key)
    if instance is None or instance.scope != -1:
        message = f"Expected to modify process instance but no process instance found with key '{command.key}'"
        raise not_found(message)
    process = work.model(instance.definition)
    activations: list[dict[str, Any]] = command.value.get("activateInstructions") or []
    terminations = [found["elementInstanceKey"] for found in command.value.get("terminateInstructions") or []]
    _check(work, instance, process, activations, terminations)
    if instance.state == "TERMINATING":
        message = f"Expected to modify process instance but no process instance found with key '{command.key}'"
        raise not_found(message)
    if instance.parent != NONE_KEY and not _goes_on(work, instance, activations, set(terminations)):
        message = (
            f"Expected to modify instance of process '{process.id}', but nothing would be active in it, and it was "
            "created by a call activity. Modify or cancel the process instance that calls it"
        )
        raise invalid(message)
    work.event("PROCESS_INSTANCE_MODIFICATION", "MODIFIED", command.key, dict(command.value))
    entered: list[int] = []
    for activation in activations:
        element = process.elements[activation["elementId"]]
        variables = {
            found["elementId"]: read_document(found["variables"])
            for found in activation.get("variableInstructions") or []
        }
        try:
            ancestor = activation.get("ancestorScopeKey", -1)
            entered.append(enter_inside(work, instance, element, variables, ancestor=ancestor).key)
        except Fault as fault:
            message = f"Expected to subscribe to catch event(s) of '{element.id}' but {fault.message}"
            raise invalid(message) from None
    for key in terminations:
        # An element may have gone with one that was terminated before it.
        found = work.state.tables.elements.get(key)
        if found is not None:
            lifecycle.terminate(work, found)
    # Only now: what is entered keeps its scope while others in it are terminated, even if it ends at once.
    for key in entered:
        found = work.state.tables.elements.get(key)
        if found is not None and found.state == "ACTIVATING":
            lifecycle.activate(work, found)
    return {}


def _goes_on(work: Work, scope: ElementInstance, activations: list[dict[str, Any]], terminations: set[int]) -> bool:
    """Tell whether something is active in a scope once elements of it are terminated."""
    if scope.key in terminations:
        return False
    inside = work.state.children_of(scope.key)
    is_leaf = not inside and not scope.tokens and scope.scope != NONE_KEY
    if activations or scope.tokens or is_leaf or scope.state != "ACTIVATED":
        return True
    return any(_goes_on(work, child, activations, terminations) for child in inside)


def _check(
    work: Work,
    instance: ElementInstance,
    process: Process,
    activations: list[dict[str, Any]],
    terminations: list[int],
) -> None:
    said = f"Expected to modify instance of process '{process.id}' but it contains one or more"
    unknown = [found["elementId"] for found in activations if found["elementId"] not in process.elements]
    if unknown:
        message = f"{said} activate instructions with an element that could not be found: {_quoted(unknown)}"
        raise invalid(message)
    refused = [
        found["elementId"] for found in activations if not can_be_entered(process.elements[found["elementId"]], process)
    ]
    if refused:
        message = f"{said} activate instructions for elements that are unsupported: {_quoted(refused)}"
        raise invalid(message)
    missing = [key for key in terminations if not _belongs(work, instance, key)]
    if missing:
        message = f"{said} terminate instructions with an element instance that could not be found: {_quoted(missing)}"
        raise invalid(message)
    for activation in activations:
        element = process.elements[activation["elementId"]]
        scopes = _scopes(element)
        for found in activation.get("variableInstructions") or []:
            if found["elementId"] and found["elementId"] not in process.elements:
                message = (
                    f"{said} variable instructions with a scope element id that could not be found: "
                    f"{_quoted([found['elementId']])}"
                )
                raise invalid(message)
            if found["elementId"] not in scopes:
                message = f"{said} variable instructions with a scope that is no flow scope of '{element.id}'"
                raise invalid(message)


def _scopes(element: Element) -> set[str]:
    return {"", element.id, *(scope.id for scope in element.scopes())}


def _belongs(work: Work, instance: ElementInstance, key: int) -> bool:
    found = work.state.tables.elements.get(key)
    return found is not None and found.process_instance == instance.key and found.state != "TERMINATING"


def _quoted(names: list[Any]) -> str:
    return ", ".join(f"'{name}'" for name in names)
