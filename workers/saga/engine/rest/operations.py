"""What each route of REST takes and answers, as JSON schemas."""

from dataclasses import dataclass

from . import bodies, things
from .columns import Thing
from .kinds import BOOLEAN, KEY
from .schemas import (
    INT,
    LONG,
    STRING,
    VARIABLES,
    Schema,
    answer,
    filters,
    found,
    item,
    listed,
    record,
    search,
)

_KEY, _FLAG = KEY.schema, BOOLEAN.schema
XML = "text/xml"
FILES = "multipart/form-data"


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    summary: str
    answers: Schema | None = None
    """Schema of the body of a 200; None for a 204 without one."""
    takes: Schema | None = None
    """Schema of the request's body."""
    needs_body: bool = True
    refusals: tuple[int, ...] = ()
    """Statuses of its own, besides those that every operation may answer."""
    queries: tuple[str, ...] = ()
    """Query parameters that are true or false."""
    media: str = "application/json"
    """Of the answer."""
    body_media: str = "application/json"
    may_be_empty: bool = False
    """Whether a 204 is another good answer."""


_NONE = 404
_CONFLICT = 409


def _get(what: str, thing: Thing, *, without: frozenset[str] = frozenset()) -> Operation:
    return Operation(f"Get {what}", item(thing, without=without), refusals=(_NONE,))


def _search(what: str, thing: Thing, *refusals: int, queries: tuple[str, ...] = ()) -> Operation:
    return Operation(
        f"Search {what}", found(thing), search(thing), needs_body=False, refusals=refusals, queries=queries
    )


def _do(summary: str, takes: Schema | None = None, *, needs_body: bool = False) -> Operation:
    """Return an operation about the key in the path, whose answer is empty."""
    return Operation(summary, None, takes, needs_body=needs_body, refusals=(_NONE, _CONFLICT))


_CUT = ("truncateValues",)

OPERATIONS: dict[tuple[str, str], Operation] = {
    ("GET", "/v2/topology"): Operation("Get the topology", bodies.TOPOLOGY),
    ("GET", "/v2/status"): Operation("Tell whether the engine works"),
    ("PUT", "/v2/clock"): Operation("Stop the clock at a time", None, record("timestamp", timestamp=LONG)),
    ("POST", "/v2/clock/reset"): Operation("Let the clock run again", None, record(), needs_body=False),
    ("POST", "/v2/deployments"): Operation(
        "Deploy diagrams and forms",
        bodies.DEPLOYED,
        record("resources", resources=listed({"type": "string", "contentMediaType": "text/xml"}), tenantId=STRING),
        body_media=FILES,
    ),
    ("POST", "/v2/resources/{resourceKey}/deletion"): Operation(
        "Delete a definition or a form",
        answer(resourceKey=_KEY, batchOperation={"type": "null"}),
        record(operationReference=LONG, deleteHistory={"const": False}),
        needs_body=False,
        refusals=(_NONE, _CONFLICT),
    ),
    ("POST", "/v2/process-definitions/search"): _search("process definitions", things.PROCESS_DEFINITIONS),
    ("GET", "/v2/process-definitions/{processDefinitionKey}"): _get("a definition", things.PROCESS_DEFINITIONS),
    ("GET", "/v2/process-definitions/{processDefinitionKey}/xml"): Operation(
        "Get a diagram", STRING, refusals=(_NONE,), media=XML
    ),
    ("POST", "/v2/process-definitions/{processDefinitionKey}/statistics/element-instances"): Operation(
        "Count a definition's elements",
        bodies.COUNTS,
        record(filter=filters(things.PROCESS_INSTANCES)),
        needs_body=False,
    ),
    ("POST", "/v2/process-instances"): Operation(
        "Create an instance", bodies.STARTED, bodies.CREATION, refusals=(_NONE, _CONFLICT, 504)
    ),
    ("POST", "/v2/process-instances/search"): _search("instances", things.PROCESS_INSTANCES),
    ("GET", "/v2/process-instances/{processInstanceKey}"): _get("an instance", things.PROCESS_INSTANCES),
    ("POST", "/v2/process-instances/{processInstanceKey}/cancellation"): _do("Cancel an instance", bodies.REFERENCE),
    ("POST", "/v2/process-instances/{processInstanceKey}/modification"): _do(
        "Modify an instance", bodies.MODIFICATION, needs_body=True
    ),
    ("GET", "/v2/process-instances/{processInstanceKey}/call-hierarchy"): Operation(
        "Get an instance and its callers",
        listed(answer(processInstanceKey=_KEY, processDefinitionKey=_KEY, processDefinitionName=STRING)),
        refusals=(_NONE,),
    ),
    ("GET", "/v2/process-instances/{processInstanceKey}/sequence-flows"): Operation(
        "Get the flows that were taken", bodies.FLOWS, refusals=(_NONE,)
    ),
    ("GET", "/v2/process-instances/{processInstanceKey}/statistics/element-instances"): Operation(
        "Count an instance's elements", bodies.COUNTS, refusals=(_NONE,)
    ),
    ("POST", "/v2/process-instances/{processInstanceKey}/incidents/search"): _search(
        "an instance's incidents", things.INCIDENTS, _NONE
    ),
    ("POST", "/v2/element-instances/search"): _search("element instances", things.ELEMENT_INSTANCES),
    ("GET", "/v2/element-instances/{elementInstanceKey}"): _get("an element instance", things.ELEMENT_INSTANCES),
    ("PUT", "/v2/element-instances/{elementInstanceKey}/variables"): _do(
        "Set variables",
        record("variables", variables=VARIABLES, local=_FLAG, operationReference=LONG),
        needs_body=True,
    ),
    ("POST", "/v2/element-instances/{elementInstanceKey}/incidents/search"): _search(
        "an element's incidents", things.INCIDENTS, _NONE
    ),
    ("POST", "/v2/variables/search"): _search("variables", things.VARIABLES, queries=_CUT),
    ("GET", "/v2/variables/{variableKey}"): _get(
        "a variable", things.WHOLE_VARIABLES, without=frozenset({"isTruncated"})
    ),
    ("POST", "/v2/incidents/search"): _search("incidents", things.INCIDENTS),
    ("GET", "/v2/incidents/{incidentKey}"): _get("an incident", things.INCIDENTS),
    ("POST", "/v2/incidents/{incidentKey}/resolution"): _do("Resolve an incident", bodies.REFERENCE),
    ("POST", "/v2/jobs/search"): _search("jobs", things.JOBS),
    ("POST", "/v2/jobs/activation"): Operation("Activate jobs", answer(jobs=listed(bodies.JOB)), bodies.ACTIVATION),
    ("PATCH", "/v2/jobs/{jobKey}"): _do(
        "Update a job",
        record("changeset", changeset=record(retries=INT, timeout=LONG), operationReference=LONG),
        needs_body=True,
    ),
    ("POST", "/v2/jobs/{jobKey}/completion"): _do("Complete a job", record(variables=VARIABLES)),
    ("POST", "/v2/jobs/{jobKey}/failure"): _do(
        "Fail a job",
        record(retries=INT, errorMessage=STRING, retryBackOff={**LONG, "minimum": 0}, variables=VARIABLES),
    ),
    ("POST", "/v2/jobs/{jobKey}/error"): _do(
        "Throw an error",
        record("errorCode", errorCode=STRING, errorMessage=STRING, variables=VARIABLES),
        needs_body=True,
    ),
    ("POST", "/v2/messages/publication"): Operation(
        "Publish a message",
        answer(tenantId=STRING, messageKey=_KEY),
        record("name", **bodies.MESSAGE, timeToLive=LONG, messageId=STRING),
        refusals=(_CONFLICT,),
    ),
    ("POST", "/v2/messages/correlation"): Operation(
        "Correlate a message",
        answer(tenantId=STRING, messageKey=_KEY, processInstanceKey=_KEY),
        record("name", **bodies.MESSAGE),
        refusals=(_NONE,),
    ),
    ("POST", "/v2/message-subscriptions/search"): _search("message subscriptions", things.MESSAGE_SUBSCRIPTIONS),
    ("POST", "/v2/user-tasks/search"): _search("user tasks", things.USER_TASKS),
    ("GET", "/v2/user-tasks/{userTaskKey}"): _get("a user task", things.USER_TASKS),
    ("PATCH", "/v2/user-tasks/{userTaskKey}"): _do(
        "Update a user task", record(changeset=bodies.CHANGES, action=STRING)
    ),
    ("POST", "/v2/user-tasks/{userTaskKey}/assignment"): _do(
        "Assign a user task", record("assignee", assignee=STRING, allowOverride=_FLAG, action=STRING), needs_body=True
    ),
    ("DELETE", "/v2/user-tasks/{userTaskKey}/assignee"): _do("Unassign a user task"),
    ("POST", "/v2/user-tasks/{userTaskKey}/completion"): _do(
        "Complete a user task", record(variables=VARIABLES, action=STRING)
    ),
    ("GET", "/v2/user-tasks/{userTaskKey}/form"): Operation(
        "Get a user task's form",
        answer(formKey=_KEY, formId=STRING, version=INT, schema=STRING, tenantId=STRING),
        refusals=(_NONE,),
        may_be_empty=True,
    ),
    ("POST", "/v2/user-tasks/{userTaskKey}/variables/search"): _search(
        "what a user task sees", things.VARIABLES, _NONE, queries=_CUT
    ),
    ("POST", "/v2/user-tasks/{userTaskKey}/effective-variables/search"): _search(
        "what a user task sees by name", things.VARIABLES, _NONE, queries=_CUT
    ),
    ("POST", "/v2/signals/broadcast"): Operation("Refuse to broadcast a signal", refusals=(501,)),
}
