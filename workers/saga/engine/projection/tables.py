"""The tables that records are written to, by their columns; `schema` creates them."""

from .rows import Table

_P = ("process_instance_key", "process_definition_key", "process_definition_id")
_ELEMENT = ("element_id", "element_instance_key")

DEFINITIONS = Table(
    "process_definitions",
    (
        "process_definition_key",
        "process_definition_id",
        "name",
        "version",
        "version_tag",
        "resource_name",
        "resource",
        "deployment_key",
    ),
    ("deleted",),
)
FORMS = Table("forms", ("form_key", "form_id", "version", "resource_name", "resource"), ("deleted",))
INSTANCES = Table(
    "process_instances",
    (*_P, "process_definition_version", "parent_process_instance_key", "parent_element_instance_key", "start_date"),
    ("state", "end_date"),
    {
        "root_process_instance_key": "coalesce((SELECT p.root_process_instance_key FROM process_instances p "
        "WHERE p.process_instance_key = ?5), ?1)"
    },
)
ELEMENTS = Table(
    "element_instances",
    ("element_instance_key", *_P, "element_id", "element_name", "type", "scope_key", "start_date"),
    ("state", "end_date"),
)
VARIABLES = Table("variables", ("variable_key", "process_instance_key", "scope_key", "name"), ("value",))
INCIDENTS = Table(
    "incidents",
    ("incident_key", *_P, *_ELEMENT, "job_key", "error_type", "error_message", "creation_time"),
    ("state",),
)
JOBS = Table(
    "jobs",
    ("job_key", *_P, *_ELEMENT, "type", "custom_headers", "creation_time"),
    (
        "state",
        "worker",
        "retries",
        "deadline",
        "error_code",
        "error_message",
        "has_failed_with_retries_left",
        "end_time",
        "last_update_time",
    ),
)
TASKS = Table(
    "user_tasks",
    (
        "user_task_key",
        *_P,
        "process_definition_version",
        *_ELEMENT,
        "form_key",
        "custom_headers",
        "creation_date",
    ),
    (
        "state",
        "assignee",
        "candidate_groups",
        "candidate_users",
        "due_date",
        "follow_up_date",
        "priority",
        "completion_date",
    ),
)
SUBSCRIPTIONS = Table(
    "message_subscriptions",
    ("message_subscription_key", *_P, *_ELEMENT, "message_name", "correlation_key"),
    ("last_updated_date",),
)

SEQUENCE_FLOWS = "INSERT OR IGNORE INTO sequence_flows (process_instance_key, element_id) VALUES (?, ?)"
"""The statement for the flows that were taken; they have no key of their own."""
