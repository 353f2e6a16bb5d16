"""Timers."""

from ..entities import Timer
from ..records import Record
from ..state import State
from .registry import applies


@applies("TIMER", "CREATED")
def _created(state: State, record: Record) -> None:
    value = record.value
    timer = Timer(
        key=record.key,
        due=value["dueDate"],
        element=value["elementInstanceKey"],
        definition=value["processDefinitionKey"],
        event=value["targetElementId"],
        repetitions=value["repetitions"],
        interval=value["interval"],
    )
    state.put(state.tables.timers, record.key, timer)
    state.enter(timer)


@applies("TIMER", "TRIGGERED", "CANCELED")
def _gone(state: State, record: Record) -> None:
    state.leave(state.tables.timers[record.key])
    state.drop(state.tables.timers, record.key)
