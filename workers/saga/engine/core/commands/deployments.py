"""Deployments: diagrams and forms, all of a request or none of it."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from .. import timers
from ..bpmn import InvalidModelError, read_processes
from ..entities import Definition, Form
from ..model import Process
from ..records import Command, Fault, invalid, not_found, wrong_state
from ..work import Work
from .registry import handles

_FAILED = "Expected to deploy new resources, but encountered the following errors:"


@dataclass(slots=True)
class _Resource:
    name: str
    content: bytes
    checksum: str
    processes: tuple[Process, ...] = ()
    form_id: str = ""


@handles("DEPLOYMENT", "CREATE")
def deploy(work: Work, command: Command) -> dict[str, Any]:
    """Deploy resources; where all of them are what was deployed last, nothing new is made of them."""
    if not command.value["resources"]:
        message = "Expected to deploy at least one resource, but none given"
        raise invalid(message)
    resources = _read(command.value["resources"])
    deployment = work.key()
    again = all(_is_deployed(work, resource) for resource in resources)
    processes: list[dict[str, Any]] = []
    forms: list[dict[str, Any]] = []
    for resource in resources:
        processes += [
            _deploy_process(work, resource, process, deployment, again=again) for process in resource.processes
        ]
        if resource.form_id:
            forms.append(_deploy_form(work, resource, deployment, again=again))
    work.event("DEPLOYMENT", "CREATED", deployment, {"processesMetadata": processes, "formMetadata": forms})
    return {"deploymentKey": deployment, "processesMetadata": processes, "formMetadata": forms}


def _read(given: list[dict[str, Any]]) -> list[_Resource]:
    resources: list[_Resource] = []
    errors: list[str] = []
    owners: dict[tuple[str, str], str] = {}
    for found in given:
        name, content = found["resourceName"], bytes(found["resource"])
        resource = _Resource(name, content, hashlib.sha256(content).hexdigest())
        try:
            _parse(resource)
        except InvalidModelError as error:
            errors.append(f"'{name}': {error}")
        ids = [("process", process.id) for process in resource.processes]
        ids += [("form", resource.form_id)] if resource.form_id else []
        for identity in ids:
            if identity in owners:
                errors.append(f"Duplicated {identity[0]} id in resources '{owners[identity]}' and '{name}'")
            owners[identity] = name
        resources.append(resource)
    if errors:
        raise invalid("\n".join([_FAILED, *errors]))
    return resources


def _parse(resource: _Resource) -> None:
    if resource.name.endswith((".bpmn", ".xml")):
        resource.processes = read_processes(resource.content)
    elif resource.name.endswith(".form"):
        resource.form_id = _form_id(resource.content)
    else:
        message = "Only resources whose names end with .bpmn or .form are deployed by the embedded engine"
        raise InvalidModelError(message)


def _form_id(content: bytes) -> str:
    try:
        form = json.loads(content)
    except (ValueError, RecursionError):
        message = "The form is not valid JSON"
        raise InvalidModelError(message) from None
    form_id = form.get("id") if isinstance(form, dict) else None
    if not isinstance(form_id, str) or not form_id:
        message = "Expected the form id to be present and not blank, but none given"
        raise InvalidModelError(message)
    return form_id


def _latest(work: Work, process_id: str) -> Definition | None:
    versions = work.state.versions.get(process_id)
    return work.state.tables.definitions[versions[-1]] if versions else None


def _latest_form(work: Work, form_id: str) -> Form | None:
    versions = work.state.form_versions.get(form_id)
    return work.state.tables.forms[versions[-1]] if versions else None


def _is_deployed(work: Work, resource: _Resource) -> bool:
    latest: list[Definition | Form | None] = [_latest(work, process.id) for process in resource.processes]
    if resource.form_id:
        latest.append(_latest_form(work, resource.form_id))
    return all(
        found is not None and found.resource_name == resource.name and found.checksum == resource.checksum
        for found in latest
    )


def _deploy_process(
    work: Work, resource: _Resource, process: Process, deployment: int, *, again: bool
) -> dict[str, Any]:
    latest = _latest(work, process.id)
    if again and latest is not None:
        return _process_metadata(latest)
    key = work.key()
    value = {
        "bpmnProcessId": process.id,
        "version": work.state.tables.last_versions.get(process.id, 0) + 1,
        "name": process.root.name,
        "resourceName": resource.name,
        "checksum": resource.checksum,
        "resource": resource.content,
        "deploymentKey": deployment,
    }
    work.event("PROCESS", "CREATED", key, value)
    if latest is not None:
        _close_starts(work, latest)
    _open_starts(work, key, process)
    return _process_metadata(work.state.tables.definitions[key])


def _process_metadata(definition: Definition) -> dict[str, Any]:
    return {
        "bpmnProcessId": definition.process_id,
        "version": definition.version,
        "processDefinitionKey": definition.key,
        "resourceName": definition.resource_name,
    }


def _deploy_form(work: Work, resource: _Resource, deployment: int, *, again: bool) -> dict[str, Any]:
    latest = _latest_form(work, resource.form_id)
    if not again or latest is None:
        value = {
            "formId": resource.form_id,
            "version": work.state.tables.last_form_versions.get(resource.form_id, 0) + 1,
            "resourceName": resource.name,
            "checksum": resource.checksum,
            "resource": resource.content,
            "deploymentKey": deployment,
        }
        key = work.key()
        work.event("FORM", "CREATED", key, value)
        latest = work.state.tables.forms[key]
    return {
        "formId": latest.form_id,
        "version": latest.version,
        "formKey": latest.key,
        "resourceName": latest.resource_name,
    }


def _open_starts(work: Work, definition: int, process: Process) -> None:
    for start in process.message_starts():
        assert start.message is not None
        value = {
            "bpmnProcessId": process.id,
            "processDefinitionKey": definition,
            "processInstanceKey": -1,
            "messageName": start.message.name.text,
            "startEventId": start.id,
        }
        work.event("MESSAGE_START_EVENT_SUBSCRIPTION", "CREATED", work.key(), value)
    for start in process.timer_starts():
        try:
            timers.start_process(work, definition, process.id, start)
        except Fault as fault:
            message = f"{_FAILED}\n- Element: {start.id}\n    - ERROR: Invalid timer expression ({fault.message})"
            raise invalid(message) from None


def _close_starts(work: Work, definition: Definition) -> None:
    timers.cancel(work, definition.key)
    open_starts = [
        found for found in work.state.tables.start_subscriptions.values() if found.definition == definition.key
    ]
    for found in sorted(open_starts, key=lambda subscription: subscription.key):
        value = {
            "bpmnProcessId": definition.process_id,
            "processDefinitionKey": definition.key,
            "processInstanceKey": -1,
            "messageName": found.name,
            "startEventId": found.event,
        }
        work.event("MESSAGE_START_EVENT_SUBSCRIPTION", "DELETED", found.key, value)


@handles("RESOURCE_DELETION", "DELETE")
def delete(work: Work, command: Command) -> dict[str, Any]:
    """Delete a process definition without running instances, or a form; the version before becomes the latest."""
    key = command.value["resourceKey"]
    if key in work.state.tables.forms:
        form = work.state.tables.forms[key]
        work.event("FORM", "DELETED", key, {"formId": form.form_id, "version": form.version})
        return _deleted(work, key)
    definition = work.state.tables.definitions.get(key)
    if definition is None:
        message = f"Expected to delete resource but no resource found with key `{key}`"
        raise not_found(message)
    if any(found.definition == key for found in work.state.tables.elements.values()):
        message = f"Expected to delete process definition with key '{key}', but it still has running instances"
        raise wrong_state(message)
    latest = _latest(work, definition.process_id)
    is_latest = latest is not None and latest.key == key
    if is_latest:
        _close_starts(work, definition)
    value = {
        "bpmnProcessId": definition.process_id,
        "version": definition.version,
        "resourceName": definition.resource_name,
    }
    work.event("PROCESS", "DELETED", key, value)
    before = _latest(work, definition.process_id)
    if is_latest and before is not None:
        _open_starts(work, before.key, work.model(before.key))
    return _deleted(work, key)


def _deleted(work: Work, key: int) -> dict[str, Any]:
    work.event("RESOURCE_DELETION", "DELETED", work.key(), {"resourceKey": key})
    return {}
