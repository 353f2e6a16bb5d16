"""Process instances: created and cancelled from outside."""

from typing import Any

from .. import lifecycle
from ..behaviors import behavior_of
from ..creation import create as create_instance
from ..entities import Definition, ElementInstance
from ..model import Element
from ..paths import can_be_entered, enter_inside
from ..records import Command, Fault, TooLarge, invalid, not_found, wrong_state
from ..variables import check_document
from ..work import Work
from .registry import handles


@handles("PROCESS_INSTANCE_CREATION", "CREATE", "CREATE_WITH_AWAITING_RESULT")
def create(work: Work, command: Command) -> dict[str, Any]:
    """Create an instance that begins at the none start event, or at the elements that are named."""
    value = command.value
    definition = _definition(work, value)
    process = work.model(definition.key)
    starts = [instruction["elementId"] for instruction in value.get("startInstructions") or []]
    for element in starts:
        if element not in process.elements:
            message = (
                "Expected to create instance of process with start instructions but no element found with id "
                f"'{element}'."
            )
            raise invalid(message)
        if not can_be_entered(process.elements[element], process):
            kind = process.elements[element].type
            message = (
                "Expected to create instance of process with start instructions but the element with id "
                f"'{element}' targets unsupported element type '{kind}'"
            )
            raise invalid(message)
    if not starts and process.root.none_start is None:
        message = f"Expected to create instance of process with none start event, but '{process.id}' has none"
        raise wrong_state(message)
    check_document(value["variables"])
    instance = create_instance(work, definition.key, value["variables"])
    created = {
        **work.process_of(instance),
        "version": definition.version,
        "startInstructions": value.get("startInstructions") or [],
        "awaitResult": command.intent == "CREATE_WITH_AWAITING_RESULT",
        "fetchVariables": value.get("fetchVariables") or [],
    }
    work.event("PROCESS_INSTANCE_CREATION", "CREATED", work.key(), created)
    if starts:
        _start_at(work, instance, starts)
    else:
        work.attempt(_begin, instance, work.element(instance))
    return {
        "processDefinitionKey": definition.key,
        "bpmnProcessId": definition.process_id,
        "version": definition.version,
        "processInstanceKey": instance.key,
    }


def _begin(work: Work, instance: ElementInstance, element: Element) -> None:
    try:
        behavior_of(element, instance).activate(work, instance, element)
    except TooLarge as fault:
        raise invalid(fault.message) from None


def _start_at(work: Work, instance: ElementInstance, starts: list[str]) -> None:
    process = work.model(instance.definition)
    opened = process.id
    try:
        lifecycle.open_scope(work, instance)
        for opened in starts:
            lifecycle.activate(work, enter_inside(work, instance, process.elements[opened], {}))
    except Fault as fault:
        message = f"Expected to subscribe to catch event(s) of '{opened}' but {fault.message}"
        raise invalid(message) from None


def _definition(work: Work, value: dict[str, Any]) -> Definition:
    key, process_id, version = value["processDefinitionKey"], value["bpmnProcessId"], value["version"]
    definitions = work.state.tables.definitions
    if key > 0:
        if key not in definitions:
            message = f"Expected to find process definition with key '{key}', but none found"
            raise not_found(message)
        return definitions[key]
    if not process_id:
        message = "Expected either a bpmnProcessId or a processDefinitionKey to be given, but neither was"
        raise invalid(message)
    versions = [definitions[found] for found in work.state.versions.get(process_id, ())]
    if version == -1 and versions:
        return versions[-1]
    for definition in versions:
        if definition.version == version:
            return definition
    told = "" if version == -1 else f" and version '{version}'"
    message = f"Expected to find process definition with process ID '{process_id}'{told}, but none found"
    raise not_found(message)


@handles("PROCESS_INSTANCE", "CANCEL")
def cancel(work: Work, command: Command) -> dict[str, Any]:
    """Terminate an instance with all that is active in it; nothing is compensated by that."""
    instance = work.state.tables.elements.get(command.key)
    if instance is None or instance.scope != -1 or instance.state == "TERMINATING":
        message = f"Expected to cancel a process instance with key '{command.key}', but no such process was found"
        raise not_found(message)
    if instance.parent != -1:
        root = instance
        while root.parent != -1:
            root = work.state.instance(root.parent)
        message = (
            f"Expected to cancel a process instance with key '{command.key}', but it is created by a parent process "
            f"instance. Cancel the root process instance '{root.key}' instead."
        )
        raise wrong_state(message)
    lifecycle.terminate(work, instance)
    return {}
