"""The engine's state: what is alive. It is written by `apply` alone, and each change can be taken back."""

import hashlib
from typing import Any

import msgspec

from .active import Active
from .entities import (
    Compensation,
    Definition,
    ElementInstance,
    Form,
    Incident,
    Job,
    Message,
    StartSubscription,
    Subscription,
    Tables,
    Timer,
    UserTask,
)
from .executable import Executable
from .journal import Journal
from .queues import Queues


class State(Journal):
    """Tables of living entities, and indexes made from them."""

    def __init__(self) -> None:
        """Nothing is there yet."""
        super().__init__()
        self.tables = Tables()
        self.woken: list[tuple[str, int]] = []
        """Jobs that have become activatable since the last command and may be pushed: (type, key)."""
        self._reset_indexes()

    def _reset_indexes(self) -> None:
        self.children: dict[int, dict[int, None]] = {}
        """Element instances by the key of their scope."""
        self.activatable: dict[str, dict[int, None]] = {}
        """Keys of jobs that may be activated, by type."""
        self.queues = Queues(self.tables, self.activatable)
        self.job_of: dict[int, int] = {}
        """Jobs, user tasks and incidents by the element instance that they belong to."""
        self.user_task_of: dict[int, int] = {}
        self.incidents_of: dict[int, dict[int, None]] = {}
        self.buffered: dict[tuple[str, str], dict[int, None]] = {}
        """Messages by name and correlation key."""
        self.subscribed: dict[tuple[str, str], dict[int, None]] = {}
        """Subscriptions by message name and correlation key."""
        self.subscriptions_of: dict[int, dict[int, None]] = {}
        """Subscriptions by the element instance that they belong to."""
        self.timers_of: dict[int, dict[int, None]] = {}
        """Timers by the element instance that they belong to; start timers by the key of their definition."""
        self.starts: dict[str, dict[int, None]] = {}
        """Start event subscriptions by message name."""
        self.locks: dict[tuple[str, str], int] = {}
        """Instance that holds the correlation key of its start message, by process id and key."""
        self.versions: dict[str, list[int]] = {}
        """Keys of a process id's definitions, oldest first."""
        self.form_versions: dict[str, list[int]] = {}
        self.compensations_of: dict[int, dict[int, None]] = {}
        """Compensation subscriptions by process instance."""
        self.active = Active(self)
        self.executables: dict[int, Executable] = {}
        """Models of process definitions that have been asked for."""

    def count_token(self, intent: str, value: dict[str, Any], by: int) -> None:
        """Add to the tokens of the scope in which a follow-up command is to activate elements, if it is one."""
        if intent == "ACTIVATE_ITEMS":
            by *= len(value["items"])
        elif intent != "ACTIVATE_ELEMENT":
            return
        scope = self.tables.elements.get(value["flowScopeKey"])
        if scope is not None:
            self.add_tokens(scope, by)

    def add_tokens(self, scope: ElementInstance, by: int) -> None:
        """Add to the tokens of a scope."""
        self.change(scope, "tokens", scope.tokens + by)
        self.active.add(scope, by)

    def leave_join(self, scope_key: int, flow: str) -> None:
        """Take a token that has arrived by a flow from the parallel gateway at which it waited for others."""
        scope = self.tables.elements[scope_key]
        self.change(scope, "arrived", {**scope.arrived, flow: scope.arrived[flow] - 1})
        self.add_tokens(scope, -1)

    def offer(self, job: Job) -> None:
        """Make a job activatable."""
        self.index(self.activatable, job.type, job.key)
        self.queues.offer(job)

    def take(self, job: Job) -> None:
        """Make a job no longer activatable."""
        self.unindex(self.activatable, job.type, job.key)

    def commit(self) -> None:
        """Keep all changes; there is no way back from here."""
        super().commit()
        self.queues.tidy()

    # -- looking things up ----------------------------------------------------------------------------------------

    def instance(self, key: int) -> ElementInstance:
        """Return the PROCESS element of an element instance's process instance."""
        return self.tables.elements[self.tables.elements[key].process_instance]

    def definition(self, element: ElementInstance) -> Definition:
        """Return the process definition that an element instance belongs to."""
        return self.tables.definitions[element.definition]

    def children_of(self, key: int) -> list[ElementInstance]:
        """Return the element instances right inside a scope, or the instance that a call activity has called."""
        return [self.tables.elements[child] for child in sorted(self.children.get(key, ()))]

    def is_empty(self, scope: ElementInstance) -> bool:
        """Tell whether a scope has neither an element instance nor a token on its way."""
        return not self.children.get(scope.key) and not scope.tokens

    # -- snapshot -------------------------------------------------------------------------------------------------

    def dump(self) -> bytes:
        """Return all of it."""
        return msgspec.msgpack.encode(self.tables)

    def load(self, data: bytes) -> None:
        """Replace all of it by what `dump` returned."""
        self.tables = msgspec.msgpack.decode(data, type=Tables)
        self._reset_indexes()
        self.woken = []
        for table in (
            self.tables.definitions,
            self.tables.forms,
            self.tables.elements,
            self.tables.jobs,
            self.tables.incidents,
            self.tables.user_tasks,
            self.tables.messages,
            self.tables.subscriptions,
            self.tables.timers,
            self.tables.start_subscriptions,
            self.tables.compensations,
        ):
            for key in sorted(table):
                self.enter(table[key])
        self.commit()

    def digest(self) -> str:
        """Return the SHA-256 of the state; equal states have equal ones, however they came about."""
        return hashlib.sha256(msgspec.msgpack.encode(_in_order(msgspec.to_builtins(self.tables)))).hexdigest()

    def enter(self, entity: msgspec.Struct) -> None:  # noqa: C901, PLR0912 - one line each kind of entity
        """Add an entity to the indexes."""
        match entity:
            case ElementInstance():
                self.active.enter(self.tables, entity)
                around = entity.scope if entity.scope != -1 else entity.parent
                if around != -1:
                    self.index(self.children, around, entity.key)
                elif entity.start_key:
                    self.put(self.locks, (self.definition(entity).process_id, entity.start_key), entity.key)
            case Job():
                self.put(self.job_of, entity.element, entity.key)
                if entity.state == "ACTIVATABLE":
                    self.offer(entity)
                if entity.deadline != -1:
                    self.queues.expect(entity.deadline, "JOB", entity.key)
                if entity.recurring != -1:
                    self.queues.expect(entity.recurring, "BACKOFF", entity.key)
            case Incident():
                self.index(self.incidents_of, entity.element, entity.key)
            case UserTask():
                self.put(self.user_task_of, entity.element, entity.key)
            case Message():
                self.index(self.buffered, (entity.name, entity.correlation_key), entity.key)
                self.queues.expect(entity.deadline, "MESSAGE", entity.key)
            case Subscription():
                self.index(self.subscribed, (entity.name, entity.correlation_key), entity.key)
                self.index(self.subscriptions_of, entity.element, entity.key)
            case Timer():
                self.index(self.timers_of, entity.definition if entity.element == -1 else entity.element, entity.key)
                self.queues.expect(entity.due, "TIMER", entity.key)
            case StartSubscription():
                self.index(self.starts, entity.name, entity.key)
            case Compensation():
                self.index(self.compensations_of, entity.process_instance, entity.key)
            case Definition():
                self.put(self.versions, entity.process_id, [*self.versions.get(entity.process_id, ()), entity.key])
            case Form():
                self.put(self.form_versions, entity.form_id, [*self.form_versions.get(entity.form_id, ()), entity.key])

    def leave(self, entity: msgspec.Struct) -> None:  # noqa: C901 - one line each kind of entity
        """Remove an entity from the indexes."""
        match entity:
            case ElementInstance():
                self.active.leave(entity)
                self.unindex(self.children, entity.scope if entity.scope != -1 else entity.parent, entity.key)
                if entity.scope == -1 and entity.start_key:
                    self.drop(self.locks, (self.definition(entity).process_id, entity.start_key))
            case Job():
                self.drop(self.job_of, entity.element)
                self.take(entity)
            case Incident():
                self.unindex(self.incidents_of, entity.element, entity.key)
            case UserTask():
                self.drop(self.user_task_of, entity.element)
            case Message():
                self.unindex(self.buffered, (entity.name, entity.correlation_key), entity.key)
            case Subscription():
                self.unindex(self.subscribed, (entity.name, entity.correlation_key), entity.key)
                self.unindex(self.subscriptions_of, entity.element, entity.key)
            case Timer():
                self.unindex(self.timers_of, entity.definition if entity.element == -1 else entity.element, entity.key)
            case StartSubscription():
                self.unindex(self.starts, entity.name, entity.key)
            case Compensation():
                self.unindex(self.compensations_of, entity.process_instance, entity.key)
            case Definition():
                self._without(self.versions, entity.process_id, entity.key)
                self.drop(self.executables, entity.key)
            case Form():
                self._without(self.form_versions, entity.form_id, entity.key)

    def _without(self, versions: dict[str, list[int]], identity: str, key: int) -> None:
        rest = [other for other in versions[identity] if other != key]
        if rest:
            self.put(versions, identity, rest)
        else:
            self.drop(versions, identity)


def _in_order(value: object) -> object:
    """Return a value in which no order of insertion is left."""
    if isinstance(value, dict):
        return [[key, _in_order(value[key])] for key in sorted(value)]
    if isinstance(value, list):
        return [_in_order(item) for item in value]
    return value
