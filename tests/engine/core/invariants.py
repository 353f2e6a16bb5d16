"""What holds of a state in which nothing is left over."""

from collections import Counter

from saga.engine.core.behaviors import behavior_of
from saga.engine.core.entities import ElementInstance
from saga.engine.core.executable import load
from saga.engine.core.state import State


def check(state: State) -> None:
    """Check that no token is lost, nothing belongs to what is gone, and everything will go on."""
    tables = state.tables
    assert tables.pending == {}
    _check_scopes(state)
    for job in tables.jobs.values():
        assert tables.elements[job.element].state == "ACTIVATED"
        assert (job.state == "ACTIVATABLE") == (job.key in state.activatable.get(job.type, ()))
        assert (job.state == "ACTIVATED") == (job.deadline != -1)
        stuck = job.state == "ERROR_THROWN" or (job.state == "FAILED" and job.recurring == -1)
        assert stuck == bool(state.incidents_of.get(job.element))
    for held in (tables.incidents, tables.subscriptions, tables.user_tasks):
        assert {found.element for found in held.values()} <= tables.elements.keys()
    assert {found.element for found in tables.timers.values()} <= {*tables.elements, -1}
    for of_scope in (tables.variables, tables.results, tables.outputs):
        assert of_scope.keys() <= tables.elements.keys()
    assert set(state.locks.values()) <= tables.elements.keys()
    assert set(tables.message_ids.values()) <= tables.messages.keys()
    handled = {found.compensation for found in tables.elements.values()}
    for compensation in tables.compensations.values():
        assert compensation.scope in tables.elements
        assert (compensation.throw != -1) == (compensation.key in handled)


def _check_scopes(state: State) -> None:
    tables = state.tables
    children: dict[int, dict[int, None]] = {}
    active: Counter[int] = Counter()
    roots: dict[int, int] = {}
    for key, found in sorted(tables.elements.items()):
        assert found.process_instance in tables.elements
        around = found.scope if found.scope != -1 else found.parent
        if around != -1:
            assert around in tables.elements
            children.setdefault(around, {})[key] = None
        if found.scope == -1:
            # Who has called it has a smaller key.
            caller = tables.elements.get(found.parent)
            roots[key] = key if caller is None else roots[caller.process_instance]
        active[roots[found.process_instance]] += 1 + found.tokens
    assert state.children == children
    assert state.active.count == active
    tokens = Counter(
        incident.follow_up["value"]["flowScopeKey"]
        for incident in tables.incidents.values()
        if incident.follow_up and "flowScopeKey" in incident.follow_up["value"]
    )
    waited_for = {compensation.throw for compensation in tables.compensations.values()}
    waited_for |= {*state.job_of, *state.user_task_of, *state.subscriptions_of, *state.timers_of, *state.children}
    for found in tables.elements.values():
        assert found.tokens == tokens[found.key] + sum(found.arrived.values())
        assert _goes_on(state, found, waited_for), f"{found.element} is {found.state} for ever"


def _goes_on(state: State, found: ElementInstance, waited_for: set[int]) -> bool:
    """Tell whether something will make an element instance go on."""
    if found.key in state.incidents_of:
        return True
    if found.state != "ACTIVATED":
        return False
    executable = state.executables.get(found.definition)
    if executable is None:
        executable = state.executables[found.definition] = load(state.tables.definitions[found.definition])
    if behavior_of(executable.process.elements[found.element], found).is_scope:
        return bool(state.children.get(found.key)) or found.tokens > 0 or found.trigger is not None
    return found.key in waited_for
