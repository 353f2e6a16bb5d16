"""Timers of events: when they fire, and again."""

from typing import Any

from . import times
from .entities import ElementInstance, Timer
from .model import Element
from .records import NONE_KEY, not_extracted
from .scope import NO_VARIABLES
from .work import Work

_TYPES = {
    "duration": ("DURATION", "PERIOD", "STRING"),
    "date": ("DATE_TIME", "STRING"),
    "cycle": ("STRING",),
}


def start(work: Work, instance: ElementInstance, event: Element) -> None:
    """Start the timer of an event that belongs to an element instance.

    Raises:
        Fault: EXTRACT_VALUE_ERROR: its time cannot be had.
    """
    about = {**work.process_of(instance), "elementInstanceKey": instance.key}
    _start(work, about, event, work.variables(instance.key))


def start_process(work: Work, definition: int, process_id: str, event: Element) -> None:
    """Start the timer of a start event of a process, which sees no variables.

    Raises:
        Fault: Its time cannot be had.
    """
    about = {
        "bpmnProcessId": process_id,
        "processDefinitionKey": definition,
        "processInstanceKey": NONE_KEY,
        "elementInstanceKey": NONE_KEY,
    }
    _start(work, about, event, NO_VARIABLES)


def _start(work: Work, about: dict[str, Any], event: Element, variables: Any) -> None:  # noqa: ANN401 - a FEEL context
    assert event.timer is not None
    expression = event.timer.value
    value = expression.text
    if expression.feel is not None:
        value = str(expression.to_json(expression.typed(variables, work.clock(), *_TYPES[event.timer.kind])))
    repetitions, interval = 1, ""
    try:
        if event.timer.kind == "duration":
            due = times.after(value, work.now)
        elif event.timer.kind == "date":
            due = times.date(value)
        else:
            cycle = times.cycle(value)
            repetitions, interval = cycle.repetitions, cycle.interval
            due = times.after(interval, work.now) if cycle.start is None else cycle.start
    except ValueError as error:
        message = f"{error} for expression '{expression.text}'."
        raise not_extracted(message) from None
    if repetitions:
        _create(work, about, event.id, due, repetitions, interval)


def _create(  # noqa: PLR0913, PLR0917 - what the record says
    work: Work, about: dict[str, Any], event: str, due: int, repetitions: int, interval: str
) -> None:
    value = {**about, "targetElementId": event, "dueDate": due, "repetitions": repetitions, "interval": interval}
    work.event("TIMER", "CREATED", work.key(), value)


def value(work: Work, timer: Timer) -> dict[str, Any]:
    """Return what a record says of a timer."""
    owner = work.state.tables.elements.get(timer.element)
    return {
        "bpmnProcessId": work.state.tables.definitions[timer.definition].process_id,
        "processDefinitionKey": timer.definition,
        "processInstanceKey": NONE_KEY if owner is None else owner.process_instance,
        "elementInstanceKey": timer.element,
        "targetElementId": timer.event,
        "dueDate": timer.due,
        "repetitions": timer.repetitions,
        "interval": timer.interval,
    }


def cancel(work: Work, owner: int) -> None:
    """Cancel the timers of an element instance, or the start timers of a definition."""
    for key in sorted(work.state.timers_of.get(owner, ())):
        work.event("TIMER", "CANCELED", key, value(work, work.state.tables.timers[key]))


def repeat(work: Work, timer: Timer, about: dict[str, Any]) -> None:
    """Start a timer that has fired once more, if it is to fire again; `about` is what its record said."""
    if timer.repetitions != 1:
        rest = timer.repetitions if timer.repetitions == -1 else timer.repetitions - 1
        due = times.after(timer.interval, timer.due)
        _create(work, {name: about[name] for name in _ABOUT}, timer.event, due, rest, timer.interval)


_ABOUT = ("bpmnProcessId", "processDefinitionKey", "processInstanceKey", "elementInstanceKey")
