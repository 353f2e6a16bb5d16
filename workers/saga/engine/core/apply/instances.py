"""Element instances, their variables, what they wait for, and what undoes them."""

from ..entities import Compensation, ElementInstance, Trigger, Variable
from ..records import NONE_KEY, Record
from ..state import State
from .jobs import remove_job
from .registry import applies


@applies("PROCESS_INSTANCE", "ELEMENT_ACTIVATING")
def _activating(state: State, record: Record) -> None:
    value = record.value
    instance = ElementInstance(
        key=record.key,
        element=value["elementId"],
        definition=value["processDefinitionKey"],
        process_instance=value["processInstanceKey"],
        scope=value["flowScopeKey"],
        state="ACTIVATING",
        hops=value.get("hops", 0),
        start_key=value.get("startKey", ""),
        start_event=value.get("startEventId", ""),
        parent=value["parentElementInstanceKey"] if value["flowScopeKey"] == NONE_KEY else NONE_KEY,
        loop=value.get("loop", 0),
        triggered=value.get("triggered", False),
        compensation=value.get("compensationSubscriptionKey", -1),
        variables=value.get("variables", "{}"),
    )
    state.put(state.tables.elements, record.key, instance)
    state.enter(instance)


@applies("PROCESS_INSTANCE", "ELEMENT_ACTIVATED", "ELEMENT_COMPLETING", "ELEMENT_TERMINATING")
def _moved(state: State, record: Record) -> None:
    instance = state.tables.elements[record.key]
    state.change(instance, "state", record.intent.removeprefix("ELEMENT_"))
    if "variables" in record.value:
        state.change(instance, "variables", record.value["variables"])
    if instance.state == "TERMINATING":
        _discard_arrivals(state, instance)


@applies("PROCESS_INSTANCE", "SEQUENCE_FLOW_TAKEN")
def _taken(state: State, record: Record) -> None:
    if record.value.get("joins"):
        scope = state.tables.elements[record.value["flowScopeKey"]]
        if scope.state == "TERMINATING" or scope.trigger is not None:
            return  # it ends, or something else begins in it: nothing waits for the others any more
        flow = record.value["elementId"]
        state.change(scope, "arrived", {**scope.arrived, flow: scope.arrived.get(flow, 0) + 1})
        state.add_tokens(scope, 1)


def _discard_arrivals(state: State, scope: ElementInstance) -> None:
    state.add_tokens(scope, -sum(scope.arrived.values()))
    state.change(scope, "arrived", {})


@applies("PROCESS_INSTANCE", "ELEMENT_COMPLETED", "ELEMENT_TERMINATED")
def _ended(state: State, record: Record) -> None:
    instance = state.tables.elements[record.key]
    if record.key in state.job_of:
        # A job that has thrown an error goes with its element, without a record of its own.
        remove_job(state, state.job_of[record.key])
    if record.intent == "ELEMENT_COMPLETED" and record.value["bpmnElementType"] in _HANDING_OVER:
        _hand_over(state, instance)
    state.leave(instance)
    state.drop(state.tables.elements, record.key)
    state.drop(state.tables.variables, record.key)
    state.drop(state.tables.results, record.key)
    state.drop(state.tables.outputs, record.key)
    if "output" in record.value:
        if instance.scope not in state.tables.outputs:
            state.put(state.tables.outputs, instance.scope, {})
        state.put(state.tables.outputs[instance.scope], instance.loop, record.value["output"])


_HANDING_OVER = frozenset({"SUB_PROCESS", "EVENT_SUB_PROCESS", "MULTI_INSTANCE_BODY"})


def _hand_over(state: State, subprocess: ElementInstance) -> None:
    """Let what completed in a subprocess be undone from the scope around it, once the subprocess has completed too."""
    for key in state.compensations_of.get(subprocess.process_instance, ()):
        compensation = state.tables.compensations[key]
        if compensation.scope == subprocess.key:
            state.change(compensation, "scope", subprocess.scope)


@applies("PROCESS_INSTANCE_CREATION", "CREATED")
def _created(state: State, record: Record) -> None:
    if record.value["awaitResult"]:
        state.put(state.tables.results, record.value["processInstanceKey"], record.value["fetchVariables"])


@applies("PROCESS_EVENT", "TRIGGERING")
def _triggering(state: State, record: Record) -> None:
    scope, value = state.tables.elements[record.key], record.value
    trigger = Trigger(value["targetElementId"], value["variables"], value.get("hops", 0))
    state.change(scope, "trigger", trigger)
    state.change(scope, "interrupted", True)  # noqa: FBT003 - a field's value
    _discard_arrivals(state, scope)


@applies("PROCESS_EVENT", "TRIGGERED")
def _triggered(state: State, record: Record) -> None:
    state.change(state.tables.elements[record.key], "trigger", None)


@applies("VARIABLE", "CREATED", "UPDATED")
def _variable(state: State, record: Record) -> None:
    scope = record.value["scopeKey"]
    if scope not in state.tables.variables:
        state.put(state.tables.variables, scope, {})
    state.put(state.tables.variables[scope], record.value["name"], Variable(record.key, record.value["value"]))


@applies("COMPENSATION_SUBSCRIPTION", "CREATED")
def _compensable(state: State, record: Record) -> None:
    value = record.value
    compensation = Compensation(
        key=record.key,
        process_instance=value["processInstanceKey"],
        scope=value["compensableActivityScopeKey"],
        activity=value["compensableActivityId"],
        handler=value["compensationHandlerId"],
    )
    state.put(state.tables.compensations, record.key, compensation)
    state.enter(compensation)


@applies("COMPENSATION_SUBSCRIPTION", "TRIGGERED")
def _compensating(state: State, record: Record) -> None:
    state.change(state.tables.compensations[record.key], "throw", record.value["throwEventInstanceKey"])


@applies("COMPENSATION_SUBSCRIPTION", "COMPLETED", "DELETED")
def _compensated(state: State, record: Record) -> None:
    state.leave(state.tables.compensations[record.key])
    state.drop(state.tables.compensations, record.key)
