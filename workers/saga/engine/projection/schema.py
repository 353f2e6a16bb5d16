"""The search tables. Keys and times are integers (milliseconds since 1970); an absent value is NULL."""

from collections.abc import Sequence

SCHEMA: Sequence[str] = (
    """
CREATE TABLE process_definitions (
    process_definition_key INTEGER PRIMARY KEY,
    process_definition_id TEXT NOT NULL,
    name TEXT,
    version INTEGER NOT NULL,
    version_tag TEXT,
    resource_name TEXT NOT NULL,
    resource BLOB NOT NULL,
    deployment_key INTEGER,
    deleted INTEGER NOT NULL DEFAULT 0
)
""",
    "CREATE INDEX process_definitions_by_id ON process_definitions (process_definition_id, version)",
    """
CREATE TABLE forms (
    form_key INTEGER PRIMARY KEY,
    form_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    resource_name TEXT NOT NULL,
    resource BLOB NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
)
""",
    """
CREATE TABLE process_instances (
    process_instance_key INTEGER PRIMARY KEY,
    process_definition_key INTEGER NOT NULL,
    process_definition_id TEXT NOT NULL,
    process_definition_version INTEGER NOT NULL,
    parent_process_instance_key INTEGER,
    parent_element_instance_key INTEGER,
    state TEXT NOT NULL,
    start_date INTEGER NOT NULL,
    end_date INTEGER,
    root_process_instance_key INTEGER NOT NULL,
    incidents INTEGER NOT NULL DEFAULT 0 -- open ones of its elements and of the instances that they called
)
""",
    "CREATE INDEX process_instances_by_state ON process_instances (state, process_instance_key)",
    """
CREATE INDEX process_instances_by_state_and_process
    ON process_instances (state, process_definition_id, process_instance_key)
""",
    """
CREATE INDEX process_instances_by_parent ON process_instances (parent_process_instance_key)
    WHERE parent_process_instance_key IS NOT NULL
""",
    """
CREATE INDEX process_instances_by_end ON process_instances (end_date)
    WHERE end_date IS NOT NULL AND parent_process_instance_key IS NULL -- roots, which the retention is about
""",
    """
CREATE TABLE element_instances (
    element_instance_key INTEGER PRIMARY KEY,
    process_instance_key INTEGER NOT NULL,
    process_definition_key INTEGER NOT NULL,
    process_definition_id TEXT NOT NULL,
    element_id TEXT NOT NULL,
    element_name TEXT NOT NULL,
    type TEXT NOT NULL,
    scope_key INTEGER NOT NULL,
    state TEXT NOT NULL,
    start_date INTEGER NOT NULL,
    end_date INTEGER,
    incident_key INTEGER,
    incidents INTEGER NOT NULL DEFAULT 0 -- open ones of it and of what is inside of it
)
""",
    "CREATE INDEX process_instances_with_incident ON process_instances (process_instance_key) WHERE incidents > 0",
    "CREATE INDEX element_instances_by_instance ON element_instances (process_instance_key)",
    """
CREATE TABLE sequence_flows (
    process_instance_key INTEGER NOT NULL,
    element_id TEXT NOT NULL,
    PRIMARY KEY (process_instance_key, element_id)
) WITHOUT ROWID
""",
    """
CREATE TABLE variables (
    variable_key INTEGER PRIMARY KEY,
    process_instance_key INTEGER NOT NULL,
    scope_key INTEGER NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL -- JSON text
)
""",
    "CREATE INDEX variables_by_instance ON variables (process_instance_key)",
    "CREATE INDEX variables_by_value ON variables (name, substr(value, 1, 64))",
    """
CREATE TABLE incidents (
    incident_key INTEGER PRIMARY KEY,
    process_instance_key INTEGER NOT NULL,
    process_definition_key INTEGER NOT NULL,
    process_definition_id TEXT NOT NULL,
    element_id TEXT NOT NULL,
    element_instance_key INTEGER NOT NULL,
    job_key INTEGER,
    error_type TEXT NOT NULL,
    error_message TEXT NOT NULL,
    creation_time INTEGER NOT NULL,
    state TEXT NOT NULL
)
""",
    "CREATE INDEX incidents_by_instance ON incidents (process_instance_key)",
    "CREATE INDEX incidents_by_state ON incidents (state)",
    """
CREATE TABLE jobs (
    job_key INTEGER PRIMARY KEY,
    process_instance_key INTEGER NOT NULL,
    process_definition_key INTEGER NOT NULL,
    process_definition_id TEXT NOT NULL,
    element_id TEXT NOT NULL,
    element_instance_key INTEGER NOT NULL,
    type TEXT NOT NULL,
    custom_headers TEXT NOT NULL, -- JSON text
    creation_time INTEGER NOT NULL,
    state TEXT NOT NULL,
    worker TEXT NOT NULL,
    retries INTEGER NOT NULL,
    deadline INTEGER,
    error_code TEXT,
    error_message TEXT,
    has_failed_with_retries_left INTEGER NOT NULL,
    end_time INTEGER,
    last_update_time INTEGER NOT NULL
)
""",
    "CREATE INDEX jobs_by_instance ON jobs (process_instance_key)",
    "CREATE INDEX jobs_by_state ON jobs (state)",
    """
CREATE TABLE user_tasks (
    user_task_key INTEGER PRIMARY KEY,
    process_instance_key INTEGER NOT NULL,
    process_definition_key INTEGER NOT NULL,
    process_definition_id TEXT NOT NULL,
    process_definition_version INTEGER NOT NULL,
    element_id TEXT NOT NULL,
    element_instance_key INTEGER NOT NULL,
    form_key INTEGER,
    custom_headers TEXT NOT NULL, -- JSON text
    creation_date INTEGER NOT NULL,
    state TEXT NOT NULL,
    assignee TEXT,
    candidate_groups TEXT NOT NULL, -- JSON text
    candidate_users TEXT NOT NULL, -- JSON text
    due_date INTEGER,
    follow_up_date INTEGER,
    priority INTEGER NOT NULL,
    completion_date INTEGER
)
""",
    "CREATE INDEX user_tasks_by_instance ON user_tasks (process_instance_key)",
    "CREATE INDEX user_tasks_by_state ON user_tasks (state)",
    """
CREATE TABLE message_subscriptions (
    message_subscription_key INTEGER PRIMARY KEY,
    process_instance_key INTEGER NOT NULL,
    process_definition_key INTEGER NOT NULL,
    process_definition_id TEXT NOT NULL,
    element_id TEXT NOT NULL,
    element_instance_key INTEGER NOT NULL,
    message_name TEXT NOT NULL,
    correlation_key TEXT NOT NULL,
    last_updated_date INTEGER NOT NULL
)
""",
    "CREATE INDEX message_subscriptions_by_instance ON message_subscriptions (process_instance_key)",
)
"""The statements that create them."""
