"""An executable process: what the BPMN says, in the shape that the engine runs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from .expression import Expression

Path = tuple[str, ...]
"""A mapping's target, `a.b` as ("a", "b")."""


@dataclass(slots=True)
class Mapping:
    """One input or output mapping."""

    source: Expression
    target: Path


@dataclass(slots=True)
class Flow:
    """A sequence flow."""

    id: str
    target: "Element"
    condition: Expression | None = None


@dataclass(slots=True)
class TaskDefinition:
    """What a job is made of."""

    type: Expression
    retries: Expression


@dataclass(slots=True)
class UserTask:
    """A Camunda user task: who may do it, until when, with which form. None where the diagram says nothing."""

    form_id: Expression | None = None
    external_form: Expression | None = None
    assignee: Expression | None = None
    candidate_groups: Expression | None = None
    candidate_users: Expression | None = None
    due_date: Expression | None = None
    follow_up_date: Expression | None = None
    priority: Expression | None = None


@dataclass(slots=True)
class Message:
    """A message that an event waits for; only start events of a process have no correlation key."""

    name: Expression
    correlation_key: Expression | None = None


@dataclass(slots=True)
class Timer:
    """When a timer event fires: after a `duration`, at a `date`, or again and again by a `cycle`."""

    kind: str
    value: Expression


@dataclass(slots=True)
class Loop:
    """A parallel multi-instance activity: one instance for each item of a list."""

    items: Expression
    item_name: str = ""
    collected: Expression | None = None
    """What is collected of each instance."""
    collection_name: str = ""


@dataclass(slots=True)
class Called:
    """The process that a call activity calls."""

    process_id: Expression
    all_variables_in: bool = True
    all_variables_out: bool = True


@dataclass(slots=True)
class Element:
    """A flow node, or a scope of them: the process itself and its event subprocesses."""

    id: str
    type: str
    """Zeebe's bpmnElementType, such as SERVICE_TASK."""
    name: str = ""
    event_type: str = "UNSPECIFIED"
    """Zeebe's bpmnEventType, such as ERROR."""
    scope: "Element | None" = field(default=None, repr=False)
    outgoing: list[Flow] = field(default_factory=list, repr=False)
    incoming: list[str] = field(default_factory=list, repr=False)
    """Ids of the flows that lead here."""
    default_flow: str = ""
    inputs: list[Mapping] = field(default_factory=list, repr=False)
    outputs: list[Mapping] = field(default_factory=list, repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    task: TaskDefinition | None = field(default=None, repr=False)
    user_task: UserTask | None = field(default=None, repr=False)
    message: Message | None = field(default=None, repr=False)
    timer: Timer | None = field(default=None, repr=False)
    loop: Loop | None = field(default=None, repr=False)
    called: Called | None = field(default=None, repr=False)
    error_code: str | None = None
    """Of an event that catches errors: the code, or None for every one."""
    thrown_error: Expression | None = field(default=None, repr=False)
    interrupting: bool = True
    """Of a boundary event or the start event of an event subprocess."""
    attached_to: "Element | None" = field(default=None, repr=False)
    boundaries: list["Element"] = field(default_factory=list, repr=False)
    """Of an activity: its boundary events but that of compensation."""
    compensation: "Element | None" = field(default=None, repr=False)
    """Of an activity: its compensation boundary event. Of that event: the handler."""
    is_handler: bool = False
    compensates: str = ""
    """Of a compensation throw or end event: the activity's id, or empty for all of the scope."""
    children: list["Element"] = field(default_factory=list, repr=False)
    none_start: "Element | None" = field(default=None, repr=False)
    """Of a process or a subprocess: its none start event. Of an event subprocess: its one start event."""
    event_subprocesses: list["Element"] = field(default_factory=list, repr=False)

    def scopes(self) -> Iterator["Element"]:
        """Yield the scopes around it, the nearest first; the process comes last."""
        scope = self.scope
        while scope is not None:
            yield scope
            scope = scope.scope


@dataclass(slots=True)
class Process:
    """One executable process of a resource."""

    root: Element
    elements: dict[str, Element] = field(repr=False)
    """All of them by id, the process itself among them."""

    @property
    def id(self) -> str:
        """The BPMN process id."""
        return self.root.id

    def message_starts(self) -> list[Element]:
        """Return the message start events of the process."""
        return [child for child in self.root.children if child.type == "START_EVENT" and child.message]

    def timer_starts(self) -> list[Element]:
        """Return the timer start events of the process."""
        return [child for child in self.root.children if child.type == "START_EVENT" and child.timer]
