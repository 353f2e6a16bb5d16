"""Deployments: definitions, forms, and the start event subscriptions of the latest versions."""

from ..entities import Definition, Form, StartSubscription
from ..records import Record
from ..state import State
from .registry import applies


@applies("PROCESS", "CREATED")
def _process_created(state: State, record: Record) -> None:
    value = record.value
    definition = Definition(
        key=record.key,
        process_id=value["bpmnProcessId"],
        version=value["version"],
        name=value["name"],
        resource_name=value["resourceName"],
        checksum=value["checksum"],
        resource=value["resource"],
        deployment=value["deploymentKey"],
    )
    state.put(state.tables.definitions, record.key, definition)
    state.put(state.tables.last_versions, definition.process_id, definition.version)
    state.enter(definition)


@applies("PROCESS", "DELETED")
def _process_deleted(state: State, record: Record) -> None:
    state.leave(state.tables.definitions[record.key])
    state.drop(state.tables.definitions, record.key)


@applies("FORM", "CREATED")
def _form_created(state: State, record: Record) -> None:
    value = record.value
    form = Form(
        key=record.key,
        form_id=value["formId"],
        version=value["version"],
        resource_name=value["resourceName"],
        checksum=value["checksum"],
        resource=value["resource"],
        deployment=value["deploymentKey"],
    )
    state.put(state.tables.forms, record.key, form)
    state.put(state.tables.last_form_versions, form.form_id, form.version)
    state.enter(form)


@applies("FORM", "DELETED")
def _form_deleted(state: State, record: Record) -> None:
    state.leave(state.tables.forms[record.key])
    state.drop(state.tables.forms, record.key)


@applies("MESSAGE_START_EVENT_SUBSCRIPTION", "CREATED")
def _start_opened(state: State, record: Record) -> None:
    value = record.value
    subscription = StartSubscription(
        record.key, value["messageName"], value["processDefinitionKey"], value["startEventId"]
    )
    state.put(state.tables.start_subscriptions, record.key, subscription)
    state.enter(subscription)


@applies("MESSAGE_START_EVENT_SUBSCRIPTION", "DELETED")
def _start_closed(state: State, record: Record) -> None:
    state.leave(state.tables.start_subscriptions[record.key])
    state.drop(state.tables.start_subscriptions, record.key)
