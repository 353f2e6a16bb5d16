"""The work on one command: it emits records, each applied at once, and looks at the state that they made."""

from collections.abc import Callable
from typing import Any

from ...feel import Now
from .apply import apply
from .entities import ElementInstance
from .executable import Executable, load
from .model import Element, Process
from .records import COMMAND, EVENT, NONE_KEY, REJECTION, Command, Fault, Record, Rejection
from .scope import Scope
from .state import State

Observer = Callable[[Record], None]
Step = Callable[["Work", ElementInstance, Element], None]
"""What an element does when it is activated or completed; a `Fault` undoes it."""


class Work:
    """Emits records for the command that is being carried out."""

    def __init__(self, state: State, zone: str, position: int, on_emit: Observer | None = None) -> None:
        """`position` is that of the last record; `on_emit` is called with each record before it is applied."""
        self.state = state
        self.records: list[Record] = []
        self.position = position
        self.now = 0
        """Engine time in milliseconds; the same for a command and all that follows from it."""
        self.source = NONE_KEY
        self.hops = 0
        """Elements that the token has passed that is being followed."""
        self._zone = zone
        self._last_key = 0
        self._on_emit = on_emit

    def begin(self, command: Command, now: int) -> None:
        """Write a command that came from outside; what follows is caused by it."""
        self.go_on(NONE_KEY, now)
        self._emit(COMMAND, command.value_type, command.intent, command.key, command.value)
        self.source = self.position

    def go_on(self, position: int, timestamp: int) -> None:
        """What follows is caused by a follow-up command at `position`."""
        self.now = timestamp
        self.source = position
        self.hops = 0
        self._last_key = 0

    def key(self) -> int:
        """Return a key that was never given before."""
        self._last_key = max(self._last_key, self.state.tables.last_key) + 1
        return self._last_key

    def event(self, value_type: str, intent: str, key: int, value: dict[str, Any]) -> None:
        """Write an event and apply it."""
        self._emit(EVENT, value_type, intent, key, value)

    def follow_up(self, intent: str, key: int, value: dict[str, Any]) -> None:
        """Write a command about a process instance, to be carried out after what is being done."""
        self._emit(COMMAND, "PROCESS_INSTANCE", intent, key, value)

    def reject(self, value_type: str, intent: str, key: int, rejection: Rejection) -> None:
        """Write that a command was not carried out."""
        self._emit(REJECTION, value_type, intent, key, {}, rejection.code, rejection.reason)

    def _emit(  # noqa: PLR0913, PLR0917 - the fields of a record
        self, kind: str, value_type: str, intent: str, key: int, value: dict[str, Any], code: str = "", reason: str = ""
    ) -> None:
        position = self.position + 1
        record = Record(position, self.source, key, self.now, kind, value_type, intent, value, code, reason)
        if self._on_emit is not None:
            self._on_emit(record)
        apply(self.state, record)
        self.position = position
        self.records.append(record)

    # -- what is undone -------------------------------------------------------------------------------------------

    def mark(self) -> tuple[int, int, int, int]:
        """Return a point to which `rollback` can go back."""
        return self.state.mark(), len(self.records), self.position, len(self.state.woken)

    def rollback(self, mark: tuple[int, int, int, int]) -> None:
        """Take back all that was emitted since `mark`."""
        self.state.rollback(mark[0])
        del self.records[mark[1] :]
        self.position = mark[2]
        del self.state.woken[mark[3] :]
        self._last_key = 0

    def attempt(self, step: Step, instance: ElementInstance, element: Element) -> None:
        """Carry out a step of an element; where it cannot be, it is undone and an incident stands in its place."""
        mark = self.mark()
        try:
            step(self, instance, element)
        except Fault as fault:
            self.rollback(mark)
            self.incident(instance, fault)

    def incident(self, instance: ElementInstance, fault: Fault, **more: Any) -> None:  # noqa: ANN401 - a record's value
        """Create an incident of an element."""
        self.event(
            "INCIDENT",
            "CREATED",
            self.key(),
            {
                **self.process_of(instance),
                "errorType": fault.error_type,
                "errorMessage": fault.message,
                "elementId": instance.element,
                "elementInstanceKey": instance.key,
                "jobKey": fault.job,
                "variableScopeKey": instance.key,
                **more,
            },
        )

    # -- what is looked at ----------------------------------------------------------------------------------------

    def executable(self, definition: int) -> Executable:
        """Return the model of a definition, with what its records repeat."""
        found = self.state.executables.get(definition)
        if found is None:
            found = load(self.state.tables.definitions[definition])
            self.state.put(self.state.executables, definition, found)
        return found

    def model(self, definition: int) -> Process:
        """Return the executable process of a definition."""
        return self.executable(definition).process

    def element(self, instance: ElementInstance) -> Element:
        """Return the element of an instance as it stands in the diagram."""
        return self.executable(instance.definition).process.elements[instance.element]

    def scope_of(self, instance: ElementInstance) -> ElementInstance:
        """Return the element instance around another."""
        return self.state.tables.elements[instance.scope]

    def variables(self, scope: int) -> Scope:
        """Return the variables that are visible in a scope."""
        return Scope(self.state.tables, scope)

    def clock(self) -> Now:
        """Return what an expression may know of time and chance."""
        return Now(self.now, self._zone, (self.state.tables.seed << 64) ^ self.position)

    def process_of(self, instance: ElementInstance) -> dict[str, Any]:
        """Return what a record says of the process that an element instance belongs to."""
        return {
            "bpmnProcessId": self.state.tables.definitions[instance.definition].process_id,
            "processDefinitionKey": instance.definition,
            "processInstanceKey": instance.process_instance,
        }
