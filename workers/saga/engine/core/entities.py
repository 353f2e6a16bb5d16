"""What is alive in the engine, as small structures; together they are the state that a snapshot holds.

None of them refers to one that refers to it, so Python's cycle collector need not know them (`gc=False`): with 100,000
instances it would stop the engine for half a second.
"""

from typing import Any

import msgspec

BODY = -1
"""The loop counter of a multi-instance body, which is not one of its instances."""


class Definition(msgspec.Struct, gc=False):
    """A deployed version of a process."""

    key: int
    process_id: str
    version: int
    name: str
    resource_name: str
    checksum: str
    resource: bytes
    deployment: int


class Form(msgspec.Struct, gc=False):
    """A deployed version of a form."""

    key: int
    form_id: str
    version: int
    resource_name: str
    checksum: str
    resource: bytes
    deployment: int


class ElementInstance(msgspec.Struct, gc=False):
    """An element that is being carried out; the process instance is the one of type PROCESS."""

    key: int
    element: str
    """The element's id in the diagram."""
    definition: int
    process_instance: int
    scope: int
    """Key of the element instance around it; -1 for a process instance."""
    state: str
    """ACTIVATING, ACTIVATED, COMPLETING or TERMINATING."""
    tokens: int = 0
    """Elements that are to be activated in it: commands that are not carried out yet."""
    hops: int = 0
    """Elements that its token has passed without a wait."""
    interrupted: bool = False
    """An interrupting event subprocess of it has begun."""
    trigger: "Trigger | None" = None
    """The interrupting event that begins when all inside has ended."""
    start_key: str = ""
    """Of an instance that a message has started: its correlation key."""
    start_event: str = ""
    """Of an instance that a message has started: its start event."""
    parent: int = -1
    """Of an instance that a call activity has called: the element instance of the call activity."""
    loop: int = 0
    """-1 for a multi-instance body, the loop counter for an instance inside one, else 0."""
    triggered: bool = False
    """Of a catch event behind an event-based gateway: what it waits for has happened."""
    arrived: dict[str, int] = {}
    """Of a scope: flows that have been taken to a parallel gateway that waits for others, with how often."""
    compensation: int = -1
    """Of a compensation handler: the subscription that it is carried out for."""
    variables: str = "{}"
    """What came with an event's trigger, or with the end of a task, as a JSON object."""


class Trigger(msgspec.Struct, gc=False):
    """An event that waits for what it interrupts to end."""

    element: str
    """The boundary event, or the event subprocess."""
    variables: str
    hops: int = 0
    """Elements that the token has passed without a wait when this happened."""


class Variable(msgspec.Struct, gc=False):
    """A variable of a scope."""

    key: int
    value: str
    """JSON text."""


class Job(msgspec.Struct, gc=False):
    """A job of a task."""

    key: int
    type: str
    element: int
    retries: int
    headers: str
    """JSON text."""
    state: str = "ACTIVATABLE"
    """ACTIVATABLE, ACTIVATED, FAILED or ERROR_THROWN."""
    worker: str = ""
    deadline: int = -1
    recurring: int = -1
    """When its backoff is over, in milliseconds."""
    error_message: str = ""
    error_code: str = ""


class Incident(msgspec.Struct, gc=False):
    """A step that needs a person."""

    key: int
    element: int
    error_type: str
    message: str
    job: int
    follow_up: dict[str, Any] | None = None
    """A follow-up command that the engine failed to carry out: intent, key and value; resolving has it tried again."""


class Message(msgspec.Struct, gc=False):
    """A message in the buffer."""

    key: int
    name: str
    correlation_key: str
    message_id: str
    deadline: int
    variables: str
    correlated: list[str] = []
    """Process ids that have had it."""


class Subscription(msgspec.Struct, gc=False):
    """An event of an instance that waits for a message."""

    key: int
    name: str
    correlation_key: str
    process_id: str
    element: int
    """The element instance that it belongs to: an activity, or the scope of an event subprocess."""
    event: str
    """Id of the event that waits."""
    interrupting: bool


class Timer(msgspec.Struct, gc=False):
    """A timer that is running."""

    key: int
    due: int
    """When it fires, in milliseconds since 1970."""
    element: int
    """The element instance that it belongs to; -1 for a start event of a process."""
    definition: int
    event: str
    """Id of the event that waits."""
    repetitions: int
    """How often it fires, this time included; -1 for without end."""
    interval: str
    """Of a cycle: the duration between two firings, as ISO 8601 text."""


class StartSubscription(msgspec.Struct, gc=False):
    """A message start event of the latest version of a process."""

    key: int
    name: str
    definition: int
    event: str


class Compensation(msgspec.Struct, gc=False):
    """A completed activity that can be undone once."""

    key: int
    process_instance: int
    scope: int
    """The element instance that contains the activity."""
    activity: str
    handler: str
    throw: int = -1
    """The throw event that has triggered it."""


class UserTask(msgspec.Struct, gc=False):
    """A Camunda user task."""

    key: int
    element: int
    assignee: str
    candidate_groups: list[str]
    candidate_users: list[str]
    due_date: str
    follow_up_date: str
    form: int
    external_form: str
    priority: int
    headers: dict[str, str]


class Pending(msgspec.Struct, gc=False):
    """A follow-up command that has not been carried out yet."""

    position: int
    timestamp: int
    intent: str
    key: int
    value: dict[str, Any]


class Tables(msgspec.Struct, gc=False):
    """All of it."""

    definitions: dict[int, Definition] = {}
    last_versions: dict[str, int] = {}
    """The highest version of a process id that there ever was."""
    forms: dict[int, Form] = {}
    last_form_versions: dict[str, int] = {}
    elements: dict[int, ElementInstance] = {}
    variables: dict[int, dict[str, Variable]] = {}
    jobs: dict[int, Job] = {}
    incidents: dict[int, Incident] = {}
    messages: dict[int, Message] = {}
    message_ids: dict[str, int] = {}
    """Buffered messages by name, correlation key and id, as JSON text of the three."""
    subscriptions: dict[int, Subscription] = {}
    timers: dict[int, Timer] = {}
    outputs: dict[int, dict[int, str]] = {}
    """What multi-instance bodies have collected: JSON text by loop counter."""
    start_subscriptions: dict[int, StartSubscription] = {}
    compensations: dict[int, Compensation] = {}
    user_tasks: dict[int, UserTask] = {}
    results: dict[int, list[str]] = {}
    """Instances whose variables somebody waits for, with the names that are asked for."""
    pending: dict[int, Pending] = {}
    """Follow-up commands by position."""
    pinned: int = -1
    """The time at which the clock stands, in milliseconds; -1 where it runs."""
    last_key: int = 0
    seed: int = 0
