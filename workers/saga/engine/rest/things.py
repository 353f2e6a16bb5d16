"""The things that can be searched: their properties, and which of them filter, sort and are shown."""

from dataclasses import replace
from typing import Any

from .columns import DEFINITION_NAME, Column, Thing, absent, constant, definition, has_incident, instance, tags, tenant
from .kinds import BOOLEAN, DATE, INTEGER, JSON, KEY, TEXT, one_of, parse_integer, parse_text
from .problems import unreadable
from .variables import by_variables

TRUNCATED_AT = 8191
"""Characters of a variable's value that a search shows unless it is asked for whole values."""

INSTANCE_STATE = one_of("ACTIVE", "COMPLETED", "SUSPENDED", "TERMINATED")
ELEMENT_STATE = one_of("ACTIVE", "COMPLETED", "TERMINATED")
INCIDENT_STATE = one_of("ACTIVE", "MIGRATED", "PENDING", "RESOLVED", "UNKNOWN")
DEFINITION_STATE = one_of("ACTIVE", "DELETED", "DRAINING")
SUBSCRIPTION_STATE = one_of("CORRELATED", "CREATED", "DELETED", "MIGRATED")
SUBSCRIPTION_TYPE = one_of("PROCESS_EVENT", "START_EVENT")
JOB_KIND = one_of("AD_HOC_SUB_PROCESS", "BPMN_ELEMENT", "EXECUTION_LISTENER", "TASK_LISTENER")
TASK_STATE = one_of(
    *("ASSIGNING", "CANCELED", "CANCELING", "COMPLETED", "COMPLETING", "CREATED", "CREATING", "FAILED", "UPDATING")
)
JOB_STATE = one_of(
    *("CANCELED", "COMPLETED", "CREATED", "ERROR_THROWN", "FAILED", "MIGRATED", "PRIORITY_UPDATED", "RETRIES_UPDATED"),
    *("TIMED_OUT", "TIMEOUT_UPDATED"),
)
LISTENER_EVENT = one_of(
    *("ASSIGNING", "BEFORE_ALL", "CANCEL", "CANCELING", "COMPLETING", "CREATING", "END", "START", "UNSPECIFIED"),
    "UPDATING",
)
ERROR_TYPE = one_of(
    *("AD_HOC_SUB_PROCESS_NO_RETRIES", "CALLED_DECISION_ERROR", "CALLED_ELEMENT_ERROR", "CONDITION_ERROR"),
    *("DECISION_EVALUATION_ERROR", "EXECUTION_LISTENER_NO_RETRIES", "EXTRACT_VALUE_ERROR", "FORM_NOT_FOUND"),
    *("IO_MAPPING_ERROR", "JOB_NO_RETRIES", "MESSAGE_SIZE_EXCEEDED", "RESOURCE_NOT_FOUND", "SECRET_RESOLUTION_ERROR"),
    *("TASK_LISTENER_NO_RETRIES", "UNHANDLED_ERROR_EVENT", "UNKNOWN", "UNSPECIFIED"),
)
ELEMENT_TYPE = one_of(
    *("AD_HOC_SUB_PROCESS", "AD_HOC_SUB_PROCESS_INNER_INSTANCE", "BOUNDARY_EVENT", "BUSINESS_RULE_TASK"),
    *("CALL_ACTIVITY", "END_EVENT", "EVENT_BASED_GATEWAY", "EVENT_SUB_PROCESS", "EXCLUSIVE_GATEWAY"),
    *("INCLUSIVE_GATEWAY", "INTERMEDIATE_CATCH_EVENT", "INTERMEDIATE_THROW_EVENT", "MANUAL_TASK"),
    *("MULTI_INSTANCE_BODY", "PARALLEL_GATEWAY", "PROCESS", "RECEIVE_TASK", "SCRIPT_TASK", "SEND_TASK"),
    *("SEQUENCE_FLOW", "SERVICE_TASK", "START_EVENT", "SUB_PROCESS", "TASK", "UNKNOWN", "UNSPECIFIED", "USER_TASK"),
)

_OF_INSTANCE = "t.process_instance_key IN (SELECT x.process_instance_key FROM {} WHERE {{}})"
_ELEMENTS = _OF_INSTANCE.format("element_instances x")
_INCIDENTS = _OF_INSTANCE.format("incidents x").format("x.state = 'ACTIVE' AND {}")
_CANDIDATE = "EXISTS (SELECT 1 FROM json_each(t.{}) x WHERE {{}})"
_DEFINITION_VERSION = DEFINITION_NAME.replace("d.name", "d.version")
_LATEST = (
    "NOT t.deleted AND t.version = (SELECT max(o.version) FROM process_definitions o"
    " WHERE o.process_definition_id = t.process_definition_id AND NOT o.deleted)"
)


def _with_tags(value: Any, path: str) -> tuple[str, list[Any]]:  # noqa: ANN401 - whatever JSON holds
    """Nothing has a tag, so nothing has these."""
    if not isinstance(value, list):
        raise unreadable(path)
    for number, tag in enumerate(value):
        parse_text(tag, f"{path}[{number}]")
    return "0", []


def _in_scope(value: Any, path: str) -> tuple[str, list[Any]]:  # noqa: ANN401 - whatever JSON holds
    """Direct children of an element instance, or of an instance by its own key."""
    key = parse_integer(value, path)
    owner = "coalesce((SELECT x.process_instance_key FROM element_instances x WHERE x.element_instance_key = ?), ?)"
    return f"t.process_instance_key = {owner} AND t.scope_key = ?", [key, key, key]


_DEFINITION_FILTERS = (
    Column("processDefinitionName", TEXT, DEFINITION_NAME, sorts=True),
    Column("processDefinitionVersion", INTEGER, sorts=True),
    absent("processDefinitionVersionTag", sorts=True),
)

PROCESS_INSTANCES = Thing(
    "Process Instance",
    "process_instances",
    (
        Column("processInstanceKey", KEY, sorts=True),
        *definition(),
        *_DEFINITION_FILTERS,
        Column("state", INSTANCE_STATE, sorts=True),
        Column("startDate", DATE, sorts=True),
        Column("endDate", DATE, sorts=True),
        has_incident(sorts=True),
        tenant(),
        Column("parentProcessInstanceKey", KEY, sorts=True),
        Column("parentElementInstanceKey", KEY, sorts=True),
        Column("rootProcessInstanceKey", KEY, filters=False),
        tags(),
        absent("businessId", sorts=True),
        absent("suspendedDate", DATE, shown=False, sorts=True),
        absent("batchOperationId", shown=False),
        absent("batchOperationKey", shown=False),
        absent("incidentErrorHashCode", INTEGER, shown=False),
        Column(
            "errorMessage",
            TEXT,
            "x.error_message",
            shown=False,
            within=_INCIDENTS,
        ),
        Column("elementId", TEXT, "x.element_id", shown=False, within=_ELEMENTS),
        Column("elementInstanceState", ELEMENT_STATE, "x.state", shown=False, within=_ELEMENTS),
        Column("hasElementInstanceIncident", BOOLEAN, "x.incidents > 0", shown=False, within=_ELEMENTS),
        Column(
            "hasRetriesLeft",
            BOOLEAN,
            _OF_INSTANCE.format("jobs x").format("x.has_failed_with_retries_left"),
            shown=False,
        ),
    ),
    {"variables": by_variables("t.process_instance_key", "v.process_instance_key"), "tags": _with_tags},
    alternatives=True,
)

ELEMENT_INSTANCES = Thing(
    "Element Instance",
    "element_instances",
    (
        Column("elementInstanceKey", KEY, sorts=True),
        Column("elementId", TEXT, sorts=True),
        Column("elementName", TEXT, sorts=True),
        Column("type", ELEMENT_TYPE, sorts=True),
        Column("state", ELEMENT_STATE, sorts=True),
        Column("startDate", DATE, sorts=True),
        Column("endDate", DATE, sorts=True),
        has_incident(),
        Column("incidentKey", KEY, sorts=True),
        *instance(),
        *definition(),
        tenant(),
    ),
    {"elementInstanceScopeKey": _in_scope},
    alternatives=True,
)

INCIDENTS = Thing(
    "Incident",
    "incidents",
    (
        Column("incidentKey", KEY, sorts=True),
        Column("errorType", ERROR_TYPE, sorts=True),
        Column("errorMessage", TEXT),
        Column("state", INCIDENT_STATE, sorts=True),
        Column("creationTime", DATE, sorts=True),
        Column("elementId", TEXT, sorts=True),
        Column("elementInstanceKey", KEY, sorts=True),
        Column("jobKey", KEY, sorts=True),
        *instance(),
        *definition(),
        tenant(),
    ),
)

JOBS = Thing(
    "Job",
    "jobs",
    (
        Column("jobKey", KEY, sorts=True),
        Column("type", TEXT, sorts=True),
        Column("worker", TEXT, sorts=True),
        Column("state", JOB_STATE, sorts=True),
        constant("kind", JOB_KIND, "'BPMN_ELEMENT'", sorts=True),
        constant("listenerEventType", LISTENER_EVENT, "'UNSPECIFIED'", sorts=True),
        Column("retries", INTEGER, sorts=True),
        Column("deadline", DATE, sorts=True),
        Column("hasFailedWithRetriesLeft", BOOLEAN, sorts=True),
        Column("errorCode", TEXT, sorts=True),
        Column("errorMessage", TEXT, sorts=True),
        Column("customHeaders", JSON, filters=False),
        Column("elementId", TEXT, sorts=True),
        Column("elementInstanceKey", KEY, sorts=True),
        *instance(),
        *definition(),
        Column("creationTime", DATE, sorts=True),
        Column("lastUpdateTime", DATE),
        Column("endTime", DATE, sorts=True),
        absent("isDenied", BOOLEAN, sorts=True),
        absent("deniedReason", sorts=True),
        absent("priority", INTEGER, shown=False, sorts=True),
        tenant(),
    ),
)

VARIABLES = Thing(
    "Variable",
    "variables",
    (
        Column("variableKey", KEY, sorts=True),
        Column("name", TEXT, sorts=True),
        Column("value", TEXT, sorts=True, by_prefix=True, shows=f"substr(t.value, 1, {TRUNCATED_AT})"),
        Column("isTruncated", BOOLEAN, f"length(t.value) > {TRUNCATED_AT}"),
        Column("scopeKey", KEY, sorts=True),
        *instance(),
        tenant(),
    ),
)

WHOLE_VARIABLES = replace(
    VARIABLES,
    columns=tuple(
        replace(column, shows={"value": "t.value", "isTruncated": "0"}.get(column.name, ""))
        for column in VARIABLES.columns
    ),
)
"""The same with whole values."""

PROCESS_DEFINITIONS = Thing(
    "Process Definition",
    "process_definitions",
    (
        Column("processDefinitionKey", KEY, sorts=True),
        Column("processDefinitionId", TEXT, sorts=True),
        Column("name", TEXT, sorts=True),
        Column("version", INTEGER, sorts=True),
        Column("versionTag", TEXT, sorts=True),
        Column("resourceName", TEXT, sorts=True),
        tenant(),
        constant("hasStartForm", BOOLEAN, "0"),
        Column("isLatestVersion", BOOLEAN, f"({_LATEST})", shown=False),
        Column("state", DEFINITION_STATE, "iif(t.deleted, 'DELETED', 'ACTIVE')", shown=False),
    ),
)

USER_TASKS = Thing(
    "User Task",
    "user_tasks",
    (
        Column("userTaskKey", KEY),
        Column("elementInstanceKey", KEY),
        Column("elementId", TEXT),
        Column(
            "name",
            TEXT,
            "(SELECT x.element_name FROM element_instances x WHERE x.element_instance_key = t.element_instance_key)",
            sorts=True,
        ),
        Column("state", TASK_STATE),
        Column("assignee", TEXT),
        Column("candidateGroups", JSON, filters=False),
        Column("candidateUsers", JSON, filters=False),
        Column("candidateGroup", TEXT, "x.value", shown=False, within=_CANDIDATE.format("candidate_groups")),
        Column("candidateUser", TEXT, "x.value", shown=False, within=_CANDIDATE.format("candidate_users")),
        Column("priority", INTEGER, sorts=True),
        Column("creationDate", DATE, sorts=True),
        Column("completionDate", DATE, sorts=True),
        Column("dueDate", DATE, sorts=True),
        Column("followUpDate", DATE, sorts=True),
        Column("formKey", KEY, filters=False),
        constant("externalFormReference", TEXT, "NULL", filters=False),
        Column("customHeaders", JSON, filters=False),
        tags(),
        *instance(sorts=False),
        *definition(sorts=False),
        Column("processDefinitionVersion", INTEGER, filters=False),
        Column("processName", TEXT, DEFINITION_NAME, filters=False),
        absent("businessId", shown=False, sorts=True),
        tenant(sorts=False),
    ),
    {
        "tags": _with_tags,
        "processInstanceVariables": by_variables(
            "t.process_instance_key", "v.process_instance_key", "v.scope_key = v.process_instance_key"
        ),
        "localVariables": by_variables("t.element_instance_key", "v.scope_key"),
    },
    alternatives=True,
)

MESSAGE_SUBSCRIPTIONS = Thing(
    "Message Subscription",
    "message_subscriptions",
    (
        Column("messageSubscriptionKey", KEY, sorts=True),
        constant("messageSubscriptionState", SUBSCRIPTION_STATE, "'CREATED'", sorts=True),
        Column("messageName", TEXT, sorts=True),
        Column("correlationKey", TEXT, sorts=True),
        Column("elementId", TEXT, sorts=True),
        Column("elementInstanceKey", KEY, sorts=True),
        *instance(),
        *definition(),
        Column("lastUpdatedDate", DATE, sorts=True),
        tenant(),
        replace(constant("messageSubscriptionType", SUBSCRIPTION_TYPE, "'PROCESS_EVENT'", sorts=True), shown=False),
        Column("processDefinitionName", TEXT, DEFINITION_NAME, shown=False, sorts=True),
        Column("processDefinitionVersion", INTEGER, _DEFINITION_VERSION, shown=False, sorts=True),
        absent("businessId", shown=False, sorts=True),
        absent("toolName", shown=False, sorts=True),
        absent("inboundConnectorType", shown=False, sorts=True),
    ),
)
