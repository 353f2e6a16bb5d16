"""Error events: who catches an error, from the inside out."""

from collections.abc import Iterable

from . import events
from .entities import ElementInstance
from .model import Element
from .records import Fault
from .work import Work


def throw(work: Work, thrower: ElementInstance, code: str, message: str, variables: str) -> str | None:
    """Throw an error from an element.

    Returns:
        None where it was caught; else the text of the incident.
    """
    available: list[str] = []
    level: ElementInstance | None = thrower
    while level is not None:
        scope = work.state.tables.elements.get(level.scope)
        for owner, catchers in _catchers(work, level, scope):
            caught = _match(catchers, code)
            if caught is not None:
                events.trigger(work, owner, caught, variables)
                return None
            available += [catcher.error_code for catcher in catchers if catcher.error_code]
        level = scope or work.state.tables.elements.get(level.parent)
    told = f" with message '{message}'" if message else ""
    known = (
        f" Available error events are [{', '.join(available)}]"
        if available
        else " No error events are available in the scope."
    )
    return f"Expected to throw an error event with the code '{code}'{told}, but it was not caught.{known}"


def _catchers(
    work: Work, level: ElementInstance, scope: ElementInstance | None
) -> Iterable[tuple[ElementInstance, list[Element]]]:
    if level.state != "TERMINATING" and level.loop <= 0:
        yield level, [event for event in work.element(level).boundaries if event.event_type == "ERROR"]
    # A scope that an event subprocess has interrupted, or that is being terminated, catches nothing more.
    if scope is not None and scope.state != "TERMINATING" and not scope.interrupted:
        starts = [inner.none_start for inner in work.element(scope).event_subprocesses]
        yield scope, [start for start in starts if start is not None and start.event_type == "ERROR"]


def _match(catchers: list[Element], code: str) -> Element | None:
    exact = [catcher for catcher in catchers if catcher.error_code == code]
    every = [catcher for catcher in catchers if catcher.error_code is None]
    return next(iter([*exact, *every]), None)


def uncaught(text: str, job: int = -1) -> Fault:
    """Return the incident of an error that nobody catches."""
    return Fault("UNHANDLED_ERROR_EVENT", text, job=job)
